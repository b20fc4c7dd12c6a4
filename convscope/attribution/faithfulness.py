"""Whether a map finds what the answer rests on: deletion and insertion, against random order.

Reference: Petsiuk, Das & Saenko, RISE, 2018, https://arxiv.org/abs/1806.07421, section 3.2.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.attribution.baselines import blurred
from convscope.attribution.raw_map import Values
from convscope.attribution.subject import Subject

_SIDE = 14  # cells along a side of the image, whose order is compared
_STEPS = 14
TOP = 0.2
"""The share of the image that is shown alone, and removed alone."""

Floats = NDArray[np.float64]
Order = NDArray[np.int64]


@dataclass(frozen=True)
class Curve:
    """A probability, step by step, as cells are removed or shown.

    Attributes:
        fractions: of the image, from 0 to 1.
        values: the probability at each.
        random: the areas under the curves of random orders.
    """

    fractions: tuple[float, ...]
    values: tuple[float, ...]
    random: tuple[float, ...]

    @property
    def area(self) -> float:
        """Under the curve, from 0 to 1, by trapezoids."""
        return area(self.fractions, self.values)

    @property
    def random_mean(self) -> float:
        return float(np.mean(self.random))

    @property
    def interval(self) -> tuple[float, float]:
        """Of the mean area of random orders, at 95% by Student's t."""
        count = len(self.random)
        half = student_t(count - 1) * float(np.std(self.random, ddof=1)) / math.sqrt(count)
        return self.random_mean - half, self.random_mean + half

    def at(self, fraction: float) -> float:
        """The probability at a fraction of the image, between steps in proportion."""
        return float(np.interp(fraction, self.fractions, self.values))

    def to_dict(self) -> dict[str, Any]:
        return {
            "area": self.area,
            "random_area": self.random_mean,
            "random_interval": self.interval,
            "random_orders": len(self.random),
            "fractions": self.fractions,
            "probabilities": self.values,
        }


@dataclass(frozen=True)
class Faithfulness:
    """How an order of the image's cells, the most important first, changes the answer.

    Attributes:
        deletion: cells are replaced by the baseline; a good map's area is small.
        insertion: cells of the image appear on its blurred copy; a good map's area is large.
    """

    deletion: Curve
    insertion: Curve

    @property
    def num_better(self) -> tuple[int, int]:
        """How many of the random orders the map beats, in deletion and in insertion."""
        deletion = sum(other > self.deletion.area for other in self.deletion.random)
        insertion = sum(other < self.insertion.area for other in self.insertion.random)
        return deletion, insertion

    def to_dict(self) -> dict[str, Any]:
        deletion, insertion = self.num_better
        return {
            "deletion": {**self.deletion.to_dict(), "better_than_random": deletion},
            "insertion": {**self.insertion.to_dict(), "better_than_random": insertion},
            "top": TOP,
            "without_top": self.deletion.at(TOP),
            "only_top": self.insertion.at(TOP),
        }


@dataclass(frozen=True)
class Movement:
    """How far a number that is no share moves as an order of the image's cells is replaced by the
    baseline, those first whose mean in the map is largest by magnitude.

    Attributes:
        curve: the distance from what it was, in the number's unit; a good map's area is large.
        random_top: the distances of random orders at TOP of the image.
    """

    curve: Curve
    random_top: tuple[float, ...]

    @property
    def at_top(self) -> float:
        """The distance once TOP of the image is replaced."""
        return self.curve.at(TOP)

    @property
    def num_better(self) -> int:
        """How many of the random orders move the number less, by the area."""
        return sum(other < self.curve.area for other in self.curve.random)

    def to_dict(self) -> dict[str, Any]:
        facts = self.curve.to_dict()
        facts["distances"] = facts.pop("probabilities")
        return {
            **facts,
            "better_than_random": self.num_better,
            "top": TOP,
            "without_top": self.at_top,
            "without_random": self.random_top,
        }


class FaithfulnessTest:
    """Deletion and insertion for one image; random orders are measured once for all its maps.

    Of a number that is no share, such as an edge, only how far it moves.
    """

    def __init__(
        self,
        subject: Subject,
        baseline: Tensor,
        *,
        random_orders: int,
        seed: int = 0,
        on_progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        self._subject = subject
        self._away = baseline.to(subject.image)
        self._blurred = blurred(subject.image)
        height, width = subject.image.shape[2:]
        self._edges = [
            np.unique(np.linspace(0, side, min(_SIDE, side) + 1).round().astype(int))
            for side in (height, width)
        ]
        self._shape = tuple(len(edges) - 1 for edges in self._edges)
        count = self._shape[0] * self._shape[1]
        self._removed = np.unique(np.linspace(0, count, min(_STEPS, count) + 1).round().astype(int))
        self._on_progress = on_progress
        random = np.random.default_rng(seed)
        orders = [random.permutation(count) for _ in range(random_orders)]
        self._random = [self._curves(order) for order in orders]

    def movement(self, values: Values) -> Movement:
        """Of a map (h, w) of the network's input, how far its first cells move the number."""
        [deletion, _] = self._curves(self._order(np.abs(self._cell_means(values))))
        moved = [self._distances(found) for found, _ in self._random]
        random = tuple(area(self._fractions, other) for other in moved)
        curve = Curve(self._fractions, self._distances(deletion), random)
        tops = (float(np.interp(TOP, self._fractions, other)) for other in moved)
        return Movement(curve, tuple(tops))

    def _distances(self, values: Sequence[float]) -> tuple[float, ...]:
        return tuple(abs(value - values[0]) for value in values)

    def _order(self, means: Floats) -> Order:
        """Cells by their means, the largest first; equal ones in a random order."""
        ties = np.random.default_rng(0).permutation(means.size)
        return np.lexsort((ties, -means.flatten()))

    def __call__(self, values: Values) -> Faithfulness:
        """Of a map (h, w) of the network's input; equal cells are taken in a random order."""
        curves = self._curves(self._order(self._cell_means(values)))
        deletion, insertion = (
            Curve(
                self._fractions,
                tuple(curve),
                tuple(area(self._fractions, other[number]) for other in self._random),
            )
            for number, curve in enumerate(curves)
        )
        return Faithfulness(deletion, insertion)

    @property
    def _fractions(self) -> tuple[float, ...]:
        return tuple((self._removed / self._removed[-1]).tolist())

    def _cell_means(self, values: Values) -> Floats:
        rows, columns = self._edges
        sums = np.add.reduceat(np.add.reduceat(values, rows[:-1], 0), columns[:-1], 1)
        return sums / np.outer(np.diff(rows), np.diff(columns))

    def _curves(self, order: Order) -> tuple[list[float], list[float]]:
        """The probabilities as cells are removed in this order, and as they are shown."""
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        rows, columns = self._edges
        by_cell = rank.reshape(self._shape)
        by_pixel = np.repeat(np.repeat(by_cell, np.diff(rows), 0), np.diff(columns), 1)
        ranks = torch.from_numpy(by_pixel).to(self._subject.image.device)
        deletion = self._run(ranks, self._subject.image, self._away)
        insertion = (
            self._run(ranks, self._blurred, self._subject.image)
            if self._subject.target.is_share
            else []
        )
        self._on_progress(1)
        return deletion, insertion

    def _run(self, ranks: Tensor, before: Tensor, after: Tensor) -> list[float]:
        """The probability with each number of cells of `before` replaced by those of `after`."""
        images = [torch.where(ranks < int(count), after, before) for count in self._removed]
        return cast("list[float]", self._subject.probabilities(torch.cat(images)).tolist())


def area(fractions: Sequence[float], values: Sequence[float]) -> float:
    """Under a curve, by trapezoids.

    >>> area([0, 0.5, 1], [1, 0, 0])
    0.25
    """
    return float(np.trapezoid(values, fractions))


def student_t(freedom: int) -> float:
    """The 97.5% quantile of Student's t, for 1 to 30 degrees of freedom; 1.96 above 200.

    By Hill's expansion in powers of 1/freedom from the normal quantile, exact to 1% from 3 on.
    """
    if freedom in _EXACT:
        return _EXACT[freedom]
    z = 1.959963984540054
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, 1))


_EXACT = {1: 12.706204736, 2: 4.302652730, 3: 3.182446305, 4: 2.776445105}
