"""How fast an engine answers."""

from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np

from convscope.card import Card
from convscope.engines import Engine

_SECONDS = 1.0
_LEAST, _MOST = 5, 200  # batches


@dataclass(frozen=True, kw_only=True)
class EngineTimes:
    """Seconds per batch.

    Attributes:
        p50, p95: percentiles.
        batch_size: images of a batch.
        rate: images per second, at the median.
    """

    p50: float
    p95: float
    batch_size: int

    @property
    def rate(self) -> float:
        return self.batch_size / self.p50

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "images_per_second": self.rate}


def time_engine(engine: Engine, card: Card, *, batch_size: int) -> EngineTimes:
    """Run batches of noise for about a second, after one that is not counted."""
    shape = (batch_size, card.in_channels, *card.input_size)
    images = np.random.default_rng(0).standard_normal(shape, np.float32)
    engine(images)
    times: list[float] = []
    while len(times) < _LEAST or (sum(times) < _SECONDS and len(times) < _MOST):
        start = perf_counter()
        engine(images)
        times.append(perf_counter() - start)
    p50, p95 = np.percentile(times, [50, 95])
    return EngineTimes(p50=float(p50), p95=float(p95), batch_size=batch_size)
