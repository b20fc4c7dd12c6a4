"""The threshold of a class, for a wished sensitivity or specificity or the best of a score."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from convscope.errors import RequestError
from convscope.evaluation.curves import Curve, curve

Score = Literal["youden", "f1"]
"""What a threshold may make as large as possible: Youden's index, sensitivity + specificity - 1,
or F1 = 2 TP / (2 TP + FP + FN).
"""

_NEAREST = 1e-6
"""Of 0 and 1, that a threshold may be: float32, in which exported networks compute, has no finer
steps below 1.
"""

_Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a threshold is chosen for; just one of these is given.

    Attributes:
        sensitivity: the highest threshold that has at least this on the images.
        specificity: the lowest one that has at least this.
        maximize: the one with the largest score; of equal ones the lowest.
        threshold: this one.
    """

    sensitivity: float | None = None
    specificity: float | None = None
    maximize: Score | None = None
    threshold: float | None = None

    def check(self) -> None:
        """Raise RequestError for a wish that is none, several, or out of range."""
        shares = {name: getattr(self, name) for name in ("sensitivity", "specificity", "threshold")}
        for name, value in shares.items():
            if value is not None and not 0 < value <= (1 if name != "threshold" else 1 - _NEAREST):
                raise RequestError(f"`{name}` must be above 0 and at most 1, not {value:g}.")


def choose_threshold(truth: NDArray[np.bool_], scores: _Floats, wish: Wish, name: str) -> float:
    """The threshold for the probabilities (n,) of a class; `truth` says which images are of it.

    It lies in the middle between two probabilities that occur, so that rounding does not matter.

    Raises RequestError where no image is of the class, or all are.
    """
    if wish.threshold is not None:
        return max(wish.threshold, _NEAREST)
    if truth.all() or not truth.any():
        raise RequestError(
            f"{'Every' if truth.all() else 'No'} image that the threshold would be chosen on is of "
            f"{name!r}, so there is nothing to choose by."
        )
    found = curve(truth, np.clip(scores, _NEAREST, 1 - _NEAREST))
    index = _index(found, int(truth.sum()), int((~truth).sum()), wish)
    ends = np.r_[1.0, found.thresholds[1:], 0.0]  # a threshold takes those above it
    return float(np.clip((ends[index] + ends[index + 1]) / 2, _NEAREST, 1 - _NEAREST))


def _index(found: Curve, positives: int, negatives: int, wish: Wish) -> int:
    """Which point of a curve, from that at which no image is taken to that at which all are."""
    if wish.sensitivity is not None:
        return int(np.argmax(found.sensitivity >= wish.sensitivity - _tolerance(positives)))
    if wish.specificity is not None:
        is_kept = found.specificity >= wish.specificity - _tolerance(negatives)
        return int(np.flatnonzero(is_kept)[-1])
    hits = found.sensitivity * positives
    taken = hits + (1 - found.specificity) * negatives
    values = found.sensitivity + found.specificity
    if wish.maximize == "f1":
        values = 2 * hits / (taken + positives)
    return int(np.flatnonzero(values >= values.max() - 1e-12)[-1])


def _tolerance(count: int) -> float:
    """So that 19 of 20 is 0.95 however it is rounded."""
    return 1e-6 / count
