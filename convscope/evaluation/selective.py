"""How right a network is where it is most certain: accuracy by coverage."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.evaluation.figures import Figure, share

COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)
"""Of which the accuracy is listed."""

_POINTS = 200


@dataclass(frozen=True)
class Selective:
    """The accuracy of the most certain images, for every share of them.

    Geifman and El-Yaniv, 2017, "Selective classification for deep neural networks". Images of one
    certainty are answered together.

    Attributes:
        certainty: (n,) on any scale.
        is_right: (n,) whether the answer for each image is.
        groups: (n,) of each image, numbers from 0 on; None where each is one by itself.
    """

    certainty: NDArray[np.float64]
    is_right: NDArray[np.bool_]
    groups: NDArray[np.int64] | None = None

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return np.argsort(-self.certainty, kind="stable").astype(np.int64)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """(m,) images that are answered at each distinct certainty, the highest first."""
        ranked = self.certainty[self._order]
        return np.flatnonzero(np.r_[ranked[1:] < ranked[:-1], True]).astype(np.int64) + 1

    @cached_property
    def accuracy(self) -> NDArray[np.float64]:
        """(m,) of these images."""
        return np.cumsum(self.is_right[self._order])[self.counts - 1] / self.counts

    @property
    def area(self) -> float:
        """The area below the curve of the error by coverage (AURC), 0..1: the mean over images of
        the error of all that are at least as certain.
        """
        sizes = np.diff(self.counts, prepend=0)
        return float(((1 - self.accuracy) * sizes).sum() / len(self.certainty))

    def at(self, coverage: float) -> tuple[float, Figure]:
        """The share of images that is answered, at least `coverage`, and their accuracy."""
        wished = coverage * len(self.certainty) - 1e-9
        count = int(self.counts[np.searchsorted(self.counts, wished)])
        answered = self._order[:count]
        groups = None if self.groups is None else self.groups[answered]
        return count / len(self.certainty), share(self.is_right[answered], groups)

    def points(self) -> Sequence[tuple[float, float]]:
        """Coverage and accuracy, at most 200 points of the curve."""
        few = np.unique(np.linspace(0, len(self.counts) - 1, _POINTS).round().astype(np.int64))
        coverages = self.counts[few] / len(self.certainty)
        return list(zip(coverages.tolist(), self.accuracy[few].tolist(), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Values of JSON."""
        rows = (self.at(coverage) for coverage in COVERAGES)
        return {
            "aurc": self.area,
            "accuracy": [{"answered": answered, **figure.to_dict()} for answered, figure in rows],
            "curve": self.points(),
        }
