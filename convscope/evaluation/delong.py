"""The area under the ROC curve, one class against the rest, with DeLong's interval."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convscope.evaluation.figures import Figure, on_logit_scale, undefined


def auc_shares(
    truth: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """The area A under the ROC curve, and what each image (n,) adds to its error.

    An image with the class has V, the share of images without it that have a lower score, ties
    counting one half; one without it the share of those with it that have a higher score. A is the
    mean V of either; an image of a side of m images adds (V - A) / sqrt(m (m - 1)). The sum of the
    squares is the variance of DeLong, DeLong and Clarke-Pearson (1988), by midranks as in Sun and
    Xu (2014).

    Needs at least one image with the class, and one without.
    """
    ranks = _midranks(scores)
    values = np.empty(len(scores))
    inside, outside = int(truth.sum()), int((~truth).sum())
    values[truth] = (ranks[truth] - _midranks(scores[truth])) / outside
    values[~truth] = 1 - (ranks[~truth] - _midranks(scores[~truth])) / inside
    area = float(values[truth].mean())
    sides = np.where(truth, math.sqrt(inside * max(inside - 1, 1)), 0.0)
    sides[~truth] = math.sqrt(outside * max(outside - 1, 1))
    return area, (values - area) / sides


def auc_figures(
    truth: NDArray[np.bool_],
    scores: NDArray[np.float64],
    classes: Sequence[str],
    groups: NDArray[np.int64] | None = None,
) -> tuple[list[Figure], Figure]:
    """The area under the ROC curve of each class (n, classes), and their mean.

    The mean is over the classes that some images have and others have not, and its interval knows
    that the classes' areas are of the same images. With `groups`, numbers from 0 on, the errors of
    a group are added up before they are squared (Obuchowski, 1997).
    """
    found: list[Figure] = []
    areas: list[float] = []
    shares = np.zeros(len(truth))
    few = False
    for index, name in enumerate(classes):
        has = truth[:, index]
        if reason := one_sided(has, name):
            found.append(undefined(reason))
            continue
        area, added = auc_shares(has, scores[:, index])
        few |= min(int(has.sum()), int((~has).sum())) < 2
        found.append(_figure(area, added, groups, few=min(has.sum(), (~has).sum()) < 2))
        areas.append(area)
        shares += added
    if not areas:
        return found, undefined("no class has both images of it and images of others")
    return found, _figure(float(np.mean(areas)), shares / len(areas), groups, few=few)


def one_sided(has: NDArray[np.bool_], name: str) -> str:
    """Why a class cannot be ranked against the rest; "" where it can."""
    if not has.any():
        return f"no image is of {name!r}"
    return f"every image is of {name!r}" if has.all() else ""


def _figure(
    area: float, added: NDArray[np.float64], groups: NDArray[np.int64] | None, *, few: bool
) -> Figure:
    if few:
        return Figure(area, None, "a class has one image only, or all but one")
    factor = 1.0
    if groups is not None:
        added = np.bincount(groups, weights=added).astype(np.float64)
        factor = len(added) / max(len(added) - 1, 1)
    return on_logit_scale(area, math.sqrt(factor * float((added**2).sum())), method="DeLong")


def _midranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rank of each value, from 1; those that are equal share the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]
