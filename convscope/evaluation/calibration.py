"""How far probabilities can be taken at their word: reliability, calibration error, Brier score."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.evaluation.metrics import wilson_interval

BINS = 15
"""Bins of equal width, as of Guo et al., 2017."""

_DRAWS, _BLOCK = 1000, 1 << 22


@dataclass(frozen=True)
class Reliability:
    """How often answers of a probability are right, in bins of equal width of 0..1.

    The bin of a probability p is ceil(p · bins): each has its upper end in it, the first 0, too.

    Attributes:
        counts: (bins,) answers in each.
        confidence: (bins,) their mean probability; NaN where there are none.
        accuracy: (bins,) the share of them that is right; NaN where there are none.
        chance_error: what `error` is below with 95% probability, for as many answers of the same
            probabilities that are perfectly calibrated.
    """

    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    chance_error: float

    @property
    def error(self) -> float:
        """The expected calibration error, 0..1: Σ n_b / n · |accuracy_b - confidence_b|."""
        used = self.counts > 0
        gaps = np.abs(self.accuracy[used] - self.confidence[used])
        return float((self.counts[used] * gaps).sum() / self.counts.sum())

    @property
    def largest_error(self) -> float:
        """The maximum calibration error, 0..1: the largest |accuracy_b - confidence_b|."""
        return float(np.nanmax(np.abs(self.accuracy - self.confidence)))

    def to_dict(self) -> dict[str, Any]:
        """Values of JSON; of the bins those that have answers."""
        edges = np.linspace(0, 1, len(self.counts) + 1)
        rows: list[dict[str, Any]] = []
        for index in np.flatnonzero(self.counts):
            count, accuracy = int(self.counts[index]), float(self.accuracy[index])
            rows.append(
                {
                    "above": float(edges[index]),
                    "to": float(edges[index + 1]),
                    "count": count,
                    "confidence": float(self.confidence[index]),
                    "accuracy": accuracy,
                    "interval": list(wilson_interval(accuracy * count, count)),
                }
            )
        return {
            "bins": len(self.counts),
            "ece": self.error,
            "ece_if_calibrated": self.chance_error,
            "mce": self.largest_error,
            "reliability": rows,
        }


def reliability(
    probabilities: NDArray[np.float64], is_right: NDArray[np.bool_], *, bins: int = BINS
) -> Reliability:
    """The reliability of answers (n,) of some probability, which are right or not.

    A calibrated network has an error above 0, too, that of chance; `chance_error` comes from 1,000
    draws of answers that are right with just their probability (Bröcker and Smith, 2007), which
    depend on nothing but the arguments.
    """
    places = np.clip(np.ceil(probabilities * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(places, minlength=bins)
    sums = np.bincount(places, weights=probabilities, minlength=bins).astype(np.float64)
    used = np.where(counts > 0, counts, np.nan)
    right = np.bincount(places, weights=is_right, minlength=bins)
    chance = _chance_error(probabilities, places, sums)
    return Reliability(counts, sums / used, right / used, chance)


def brier_score(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    """The mean over images of Σ (p_k - y_k)² over classes, 0..2 (Brier, 1950).

    `probabilities` (n, classes), where y is 1 for the true class and 0 for others. Of two classes
    half of it, 0..1, the squared error of one probability; as in scikit-learn.
    """
    return float(brier_losses(probabilities, truth).mean())


def brier_losses(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64]
) -> NDArray[np.float64]:
    """What each image (n,) adds to `brier_score`."""
    of_truth = np.take_along_axis(probabilities, truth[:, None], 1)[:, 0]
    squares = np.einsum("nk,nk->n", probabilities, probabilities) - 2 * of_truth + 1
    return squares / 2 if probabilities.shape[1] == 2 else squares


def _chance_error(
    probabilities: NDArray[np.float64], places: NDArray[np.int64], sums: NDArray[np.float64]
) -> float:
    """The 95th percentile of the calibration error, were every answer calibrated."""
    rng = np.random.default_rng(0)
    order = np.argsort(places, kind="stable")
    shares = probabilities[order].astype(np.float32)
    used = np.flatnonzero(np.bincount(places))
    starts = np.searchsorted(places[order], used)
    count = len(shares)
    errors: list[NDArray[np.float64]] = []
    step = max(_BLOCK // count, 1)
    for start in range(0, _DRAWS, step):
        drawn = rng.random((min(step, _DRAWS - start), count), np.float32) < shares
        right = np.add.reduceat(drawn, starts, axis=1, dtype=np.int64)
        errors.append(np.abs(right - sums[used]).sum(1) / count)
    return float(np.percentile(np.concatenate(errors), 95))
