"""Boxes of a detector's outputs by NumPy, as exported networks need them; without torch.

The same as `convscope.boxes.decode` and `convscope.boxes.geometry`, which training needs with
gradients.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convscope.boxes.coding import BoxCoding

Floats = NDArray[np.float64]


class BoxArrays(NamedTuple):
    """All boxes of images, by row and column of the grid and box of the cell.

    Attributes:
        corners: (n, R, C, B, 4) left, top, right, bottom as shares of the network's input, cut off
            at its edges.
        scores: (n, R, C, B, K) probability times confidence.
    """

    corners: Floats
    scores: Floats


def decode_arrays(outputs: NDArray[np.float32] | Floats, coding: BoxCoding) -> BoxArrays:
    """The boxes of outputs (n, num_outputs)."""
    rows, columns = coding.grid
    count, classes = coding.num_boxes, coding.num_classes
    maps = outputs.astype(np.float64).reshape(len(outputs), coding.channels, rows, columns)
    maps = maps.transpose(0, 2, 3, 1)
    shape = (len(outputs), rows, columns, count)
    if coding.name == "anchors":
        by_box = maps.reshape(*shape, 5 + classes)
        offset, confidence = _sigmoid(by_box[..., :2]), _sigmoid(by_box[..., 4])
        with np.errstate(over="ignore"):
            size = np.array(coding.anchors)[:, ::-1] * np.exp(by_box[..., 2:4])
        powers = np.exp(by_box[..., 5:] - by_box[..., 5:].max(-1, keepdims=True))
        shares = powers / powers.sum(-1, keepdims=True)
    else:
        by_box = maps[..., : 5 * count].reshape(*shape, 5)
        offset, confidence, size = by_box[..., :2], by_box[..., 4], np.square(by_box[..., 2:4])
        shares = maps[..., None, 5 * count :]
    x = (offset[..., 0] + np.arange(columns)[:, None]) / columns
    y = (offset[..., 1] + np.arange(rows)[:, None, None]) / rows
    center = np.stack([x, y], -1)
    corners = np.concatenate([center - size / 2, center + size / 2], -1)
    return BoxArrays(corners.clip(0, 1), confidence[..., None] * shares)


def iou_arrays(one: Floats, other: Floats) -> Floats:
    """Intersection over union, box by box; shapes are broadcast. Two empty boxes have 0."""
    low, high = np.maximum(one[..., :2], other[..., :2]), np.minimum(one[..., 2:], other[..., 2:])
    common = np.maximum(high - low, 0).prod(-1)
    union = _area(one) + _area(other) - common
    return common / np.where(union > 0, union, 1)


def _area(boxes: Floats) -> Floats:
    return np.maximum(boxes[..., 2:] - boxes[..., :2], 0).prod(-1)


def _sigmoid(values: Floats) -> Floats:
    return np.exp(-np.logaddexp(0, -values))
