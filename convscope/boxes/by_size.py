"""Average precision of small, medium and large objects, as in COCO's evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from convscope.boxes.average_precision import average_precision, mean_average_precision
from convscope.boxes.detections import Detections
from convscope.boxes.matching import COCO_THRESHOLDS, Within, match
from convscope.boxes.truth import COUNTS, Objects

SIZES = ("small", "medium", "large")

COCO_SIDES = (32.0, 96.0)
"""Sides in pixels of the square that is as large as the largest small object, and medium one."""


@dataclass(frozen=True, eq=False)
class BySize:
    """Average precision by the size of objects, the mean over IoU 0.5, 0.55, ..., 0.95.

    Attributes:
        sides: the bounds, as sides of a square in pixels of the image: COCO_SIDES, or, where all
            objects are of one size by these, those by which a third of the objects is of each.
        ap: (3, classes) of small, medium and large objects; NaN where a class has none.
        support: (3, classes) objects that count.
    """

    sides: tuple[float, float]
    ap: NDArray[np.float64]
    support: NDArray[np.int64]

    @property
    def means(self) -> list[float]:
        """Of each size, the mean over classes; NaN without objects."""
        return [mean_average_precision(row) for row in self.ap.tolist()]


def average_precision_by_size(
    found: Sequence[Detections],
    truth: Objects,
    num_classes: int,
    areas: Sequence[NDArray[np.float64]],
) -> BySize:
    """COCO's average precision of the objects of each size.

    `areas` are those of the boxes found in each image (m,), in its pixels. An object's area is that
    of its box, where COCO's own is that of its outline. Objects of other sizes are neither right
    nor wrong to find, and so are boxes of other sizes that are not matched.
    """
    sides = size_sides(truth)
    edges = (0.0, sides[0] ** 2, sides[1] ** 2, np.inf)
    matches = [
        match(found, truth, num_classes, within=Within(low, high, areas))
        for low, high in pairwise(edges)
    ]
    steps = range(len(COCO_THRESHOLDS))
    values = [
        [np.mean([average_precision(one, step) for step in steps]) for one in each]
        for each in matches
    ]
    support = [[int(one.num_objects.sum()) for one in each] for each in matches]
    return BySize(sides, np.array(values, np.float64), np.array(support, np.int64))


def size_sides(truth: Objects) -> tuple[float, float]:
    """The bounds of small and of medium objects; see `BySize`."""
    sides = np.sqrt(truth.sizes[truth.states == COUNTS].prod(1))
    if len(sides):
        low, high = COCO_SIDES
        if (sides <= low).all() or ((sides > low) & (sides <= high)).all() or (sides > high).all():
            first, second = np.quantile(sides, [1 / 3, 2 / 3], method="inverted_cdf").tolist()
            return first, second
    return COCO_SIDES
