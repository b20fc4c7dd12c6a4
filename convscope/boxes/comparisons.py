"""Non-maximum suppression as the comparisons that it makes: which box was kept, which was not."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.boxes.arrays import iou_arrays
from convscope.boxes.coding import BoxCoding
from convscope.boxes.detections import MAX_OVERLAP, MIN_SCORE, Detections
from convscope.boxes.suppression import candidates, suppress


@dataclass(frozen=True)
class Comparison:
    """A box that was kept, and one of its class with a lower score.

    Attributes:
        better, other: numbers of candidates.
        iou: of the two, 0 to 1.
        is_suppressed: whether the other one is not kept for that.
    """

    better: int
    other: int
    iou: float
    is_suppressed: bool


@dataclass(frozen=True, eq=False)
class Suppression:
    """What non-maximum suppression did with the boxes of an image.

    Attributes:
        candidates: all boxes with enough of a score, by falling score; one of two classes is there
            twice.
        kept: the numbers of those that are kept, in order.
        comparisons: in the order in which they were made. Boxes of two classes are not compared,
            and a suppressed box suppresses none.
        max_overlap: the IoU above which the other box is suppressed.
    """

    candidates: Detections
    kept: tuple[int, ...]
    comparisons: tuple[Comparison, ...]
    max_overlap: float

    def of(self, number: int) -> list[Comparison]:
        """The comparisons in which a candidate took part."""
        return [one for one in self.comparisons if number in (one.better, one.other)]

    def suppressed_by(self, number: int) -> list[int]:
        """The candidates that a kept one suppressed, by falling score."""
        found = self.comparisons
        return [one.other for one in found if one.better == number and one.is_suppressed]

    def overlap(self, one: int, other: int) -> float:
        """The IoU of two candidates, whether or not it was looked at."""
        boxes = self.candidates.boxes
        return float(iou_arrays(boxes[one], boxes[other]))


def suppression(
    outputs: NDArray[np.float32] | NDArray[np.float64],
    coding: BoxCoding,
    *,
    min_score: float = MIN_SCORE,
    max_overlap: float = MAX_OVERLAP,
) -> Suppression:
    """How `detections` comes to the boxes of one image, from a detector's outputs (num_outputs,).

    How many boxes are kept has no limit here.
    """
    (found,) = candidates(outputs[None], coding, min_score=min_score)
    kept = suppress(found.boxes, found.scores, found.labels, max_overlap=max_overlap).tolist()
    overlaps = iou_arrays(found.boxes[:, None], found.boxes[None])
    alive = np.ones(len(found), bool)
    made: list[Comparison] = []
    for better in kept:
        is_later = np.arange(len(found)) > better
        for other in np.flatnonzero(alive & is_later & (found.labels == found.labels[better])):
            overlap = float(overlaps[better, other])
            alive[other] = overlap <= max_overlap
            made.append(Comparison(better, int(other), overlap, not alive[other]))
    return Suppression(found, tuple(kept), tuple(made), max_overlap)
