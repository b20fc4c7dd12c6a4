"""How fast engines answer, in turn: one busy moment of the machine shall not decide."""

from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from convscope.card import Card
from convscope.engines import Engine

ROUNDS = 5
_SECONDS = 0.2  # of an engine in a round
_MOST = 100  # batches of an engine in a round


@dataclass(frozen=True, kw_only=True)
class EngineTimes:
    """Seconds per batch, over all rounds.

    Attributes:
        p50, p95: percentiles.
        fastest_round, slowest_round: medians of a round.
        batch_size: images of a batch.
        rate: images per second, at the median.
    """

    p50: float
    p95: float
    fastest_round: float
    slowest_round: float
    batch_size: int

    @classmethod
    def of(cls, rounds: list[list[float]], batch_size: int) -> "EngineTimes":
        """From the times of batches, round by round."""
        medians = [float(np.median(times)) for times in rounds]
        p50, p95 = np.percentile(np.concatenate(rounds), [50, 95])
        return cls(
            p50=float(p50),
            p95=float(p95),
            fastest_round=min(medians),
            slowest_round=max(medians),
            batch_size=batch_size,
        )

    @property
    def rate(self) -> float:
        return self.batch_size / self.p50

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "images_per_second": self.rate}


def noise(card: Card, batch_size: int) -> NDArray[np.float32]:
    """Images (n, c, h, w) to run an engine with."""
    shape = (batch_size, card.in_channels, *card.input_size)
    return np.random.default_rng(0).standard_normal(shape, np.float32)


_Name = TypeVar("_Name", bound=Hashable)


def time_engines(
    engines: Mapping[_Name, Engine], card: Card, *, batch_size: int
) -> dict[_Name, EngineTimes]:
    """Run batches of noise, in each round for a fifth of a second per engine, in rotating order."""
    images = noise(card, batch_size)
    rounds: dict[_Name, list[list[float]]] = {name: [] for name in engines}
    for turn in range(ROUNDS):
        names = [*engines]
        first = turn % max(1, len(names))
        order = [*names[first:], *names[:first]]
        for name in order:
            rounds[name].append(_times_of(engines[name], images))
    return {name: EngineTimes.of(times, batch_size) for name, times in rounds.items()}


def _times_of(engine: Engine, images: NDArray[np.float32]) -> list[float]:
    """Seconds of each batch; of the first, in which caches fill, nothing is kept."""
    engine(images)
    times: list[float] = []
    while not times or (sum(times) < _SECONDS and len(times) < _MOST):
        began = perf_counter()
        engine(images)
        times.append(perf_counter() - began)
    return times
