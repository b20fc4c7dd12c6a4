"""How well scores put the images with a label before those without."""

import math

import numpy as np
from numpy.typing import NDArray


def average_precision(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """Σ (R_k - R_(k-1)) P_k over the distinct scores, the highest first, as in scikit-learn.

    P_k and R_k are precision and recall of the images with at least the k-th score. NaN where all
    images have the label, or none has.
    """
    hits, counts = _above(truth, scores)
    if not 0 < truth.sum() < len(truth):
        return math.nan
    return float((np.diff(hits, prepend=0) * hits / counts).sum() / hits[-1])


def roc_auc(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """The area under the ROC curve: how often a random image with the label has a higher score
    than one without, ties counting one half (Mann and Whitney, 1947).

    NaN where all images have the label, or none has.
    """
    if not 0 < truth.sum() < len(truth):
        return math.nan
    hits, counts = _above(truth, scores)
    hits, false = np.r_[0, hits], np.r_[0, counts - hits]
    area = (np.diff(false) * (hits[1:] + hits[:-1]) / 2).sum()
    return float(area / (hits[-1] * false[-1]))


def _above(
    truth: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each distinct score, the highest first: images of at least it, with the label and all."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    return np.cumsum(truth[order])[last].astype(np.float64), (last + 1).astype(np.float64)
