"""Which boxes of an image are kept: those with a score, and no better one of the class on them.

Without torch.
"""

import numpy as np
from numpy.typing import NDArray

from convscope.boxes.arrays import decode_arrays, iou_arrays
from convscope.boxes.coding import BoxCoding
from convscope.boxes.detections import MAX_BOXES, MAX_OVERLAP, MIN_SCORE, Detections

MAX_CANDIDATES = 400  # of an image, the best ones, that are compared with each other


def suppress(
    boxes: NDArray[np.float64],
    scores: NDArray[np.float64],
    labels: NDArray[np.int64],
    *,
    max_overlap: float = MAX_OVERLAP,
    most: int | None = None,
) -> NDArray[np.int64]:
    """The indices of the boxes that are kept, by falling score; of equal ones the first is first.

    At most `most` are kept, by default any number.

    Greedy non-maximum suppression, class by class: the best box is kept, and those of its class
    whose IoU with it is above `max_overlap` are not; then the best of the others, and so on.
    """
    order = np.argsort(-scores, kind="stable")
    corners, classes = boxes[order], labels[order]
    strikes = iou_arrays(corners[:, None], corners[None]) > max_overlap
    strikes &= classes[:, None] == classes
    alive = np.ones(len(order), bool)
    kept: list[int] = []
    for index in range(len(order)):
        if alive[index] and (most is None or len(kept) < most):
            kept.append(index)
            alive &= ~strikes[index]
    return order[kept]


def detections(
    outputs: NDArray[np.float32] | NDArray[np.float64],
    coding: BoxCoding,
    *,
    min_score: float = MIN_SCORE,
    max_overlap: float = MAX_OVERLAP,
    max_boxes: int = MAX_BOXES,
) -> list[Detections]:
    """The boxes of each image, from a detector's outputs (n, num_outputs).

    A box is a candidate of every class of which it has at least `min_score`; the best 400 of an
    image are compared, see `suppress`, and the best `max_boxes` of what is left are returned, cut
    off at the edges of the image.
    """
    results: list[Detections] = []
    for found in candidates(outputs, coding, min_score=min_score):
        kept = suppress(
            found.boxes, found.scores, found.labels, max_overlap=max_overlap, most=max_boxes
        )
        results.append(found.subset(kept))
    return results


def candidates(
    outputs: NDArray[np.float32] | NDArray[np.float64], coding: BoxCoding, *, min_score: float
) -> list[Detections]:
    """The boxes of each image that suppression compares, by falling score; see `detections`."""
    found = decode_arrays(outputs, coding)
    results: list[Detections] = []
    for scores, boxes in zip(found.scores, found.corners, strict=True):
        row, column, box, label = np.nonzero(scores >= min_score)
        values = scores[row, column, box, label]
        best = np.argsort(-values, kind="stable")[:MAX_CANDIDATES]
        row, column, box, label = row[best], column[best], box[best], label[best]
        cells = np.stack([row, column, box], 1)
        results.append(Detections(boxes[row, column, box], values[best], label, cells))
    return results
