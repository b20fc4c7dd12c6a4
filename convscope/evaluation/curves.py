"""ROC and precision-recall curves of one class against the rest."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_POINTS = 1000
"""Points of a curve that are kept at most; its area is always that of all of them."""


@dataclass(frozen=True)
class Curve:
    """What each threshold gives, for images of a class against the rest, the highest first.

    An image is taken to be of the class where its probability is at least the threshold.

    Attributes:
        thresholds: (m,) distinct probabilities; before them infinity, at which no image is taken.
        sensitivity: (m,) the share of images of the class that are taken, the recall.
        specificity: (m,) the share of other images that are not taken.
        precision: (m,) the share of the taken images that are of the class; 1 where none is taken.
    """

    thresholds: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    specificity: NDArray[np.float64]
    precision: NDArray[np.float64]

    def thinned(self, points: int = MAX_POINTS) -> "Curve":
        """The curve with at most so many points, evenly chosen, the first and the last among them.

        `points` is at least 2.
        """
        count = len(self.thresholds)
        if count <= points:
            return self
        kept = np.linspace(0, count - 1, points).round().astype(np.int64)
        return Curve(
            self.thresholds[kept],
            self.sensitivity[kept],
            self.specificity[kept],
            self.precision[kept],
        )


def curve(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> Curve:
    """The curve of scores (n,), of which `truth` says who is of the class.

    Needs at least one image of the class, and one of another.
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    hits = np.r_[0, np.cumsum(truth[order])[last]]
    taken = np.r_[0, last + 1]
    inside = int(hits[-1])
    return Curve(
        thresholds=np.r_[np.inf, ordered[last]],
        sensitivity=hits / inside,
        specificity=1 - (taken - hits) / (len(scores) - inside),
        precision=np.divide(hits, taken, out=np.ones(len(taken)), where=taken > 0),
    )
