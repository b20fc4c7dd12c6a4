"""Average precision of boxes: one number for a precision-recall curve, in three conventions."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from convscope.boxes.matching import Matches

Points = Literal["101", "11", "all"]
"""At which recalls precision is looked at; everywhere it is the highest one at that recall or more.

- `101`: 0, 0.01, ..., 1, as COCO's evaluation.
- `11`: 0, 0.1, ..., 1, as Pascal VOC until 2009.
- `all`: at every recall that occurs, which is the area under the curve: VOC from 2010 on, ILSVRC.
"""

_EPSILON = float(np.spacing(1))


def average_precision(
    matches: Matches,
    threshold: int = 0,
    *,
    points: Points = "101",
    weights: NDArray[np.float64] | None = None,
) -> float:
    """The average precision of a class, 0 to 1; NaN where no image has an object of it that counts.

    `threshold` is a number in the thresholds that were matched; `weights` (n,) is how often each
    image counts, by default once. Boxes of equal scores are taken in the order of the images.
    """
    recall, precision = precision_recall(matches, threshold, weights=weights)
    if not len(recall) or math.isnan(recall[0]):
        total = matches.num_objects if weights is None else matches.num_objects * weights
        return 0.0 if total.sum() else math.nan
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    if points == "all":
        return float((np.diff(recall, prepend=0) * highest).sum())
    steps = np.arange(11) / 10 if points == "11" else np.linspace(0, 1, 101)  # as COCO has them
    places = np.searchsorted(recall, steps, side="left")
    return float(np.append(highest, 0)[places].mean())


def precision_recall(
    matches: Matches, threshold: int = 0, *, weights: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Recall and precision (m,) of the boxes with the highest scores: of the first one, two, ..."""
    order = np.argsort(-matches.scores, kind="stable")
    each = np.ones(len(matches.num_objects)) if weights is None else weights
    weight = each[matches.images[order]] * ~matches.is_ignored[threshold, order]
    right = matches.is_right[threshold, order]
    hits, misses = np.cumsum(weight * right), np.cumsum(weight * ~right)
    total = float((matches.num_objects * each).sum())
    recall = hits / total if total else np.full(len(hits), math.nan)
    return recall, hits / (hits + misses + _EPSILON)


def mean_average_precision(values: Sequence[float]) -> float:
    """The mean over the classes that have objects; NaN if none has."""
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else math.nan


def bootstrap_interval(
    matches: Sequence[Matches],
    thresholds: Sequence[int] = (0,),
    *,
    points: Points = "101",
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """The 95% interval of the mean average precision, by drawing the images anew (Efron, 1979).

    Each resample has as many images as there are, drawn with replacement, each with all its boxes
    and objects; the mean is over classes and `thresholds`. The interval is that of percentiles.
    """
    n, matches = len(matches[0].num_objects), [_sorted(one) for one in matches]
    random = np.random.default_rng(seed)
    means: list[float] = []
    for _ in range(resamples):
        weights = np.bincount(random.integers(0, n, n), minlength=n).astype(np.float64)
        means.append(
            mean_average_precision(
                [
                    average_precision(one, threshold, points=points, weights=weights)
                    for threshold in thresholds
                    for one in matches
                ]
            )
        )
    low, high = np.nanquantile(means, [0.025, 0.975])
    return float(low), float(high)


def _sorted(matches: Matches) -> Matches:
    """The same boxes by falling score, which are then sorted again at no cost."""
    order = np.argsort(-matches.scores, kind="stable")
    return Matches(
        matches.images[order],
        matches.scores[order],
        matches.is_right[:, order],
        matches.is_ignored[:, order],
        matches.num_objects,
    )
