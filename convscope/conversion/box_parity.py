"""Whether an exported detector finds the boxes that PyTorch finds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.boxes.arrays import decode_arrays, iou_arrays
from convscope.boxes.coding import BoxCoding
from convscope.boxes.detections import MAX_BOXES, MAX_OVERLAP, MIN_SCORE, Detections
from convscope.boxes.suppression import MAX_CANDIDATES, candidates, detections
from convscope.card import Card
from convscope.conversion.box_graph import BOXES, LABELS, SCORES
from convscope.data.fit import in_pixels

SCORE_TOLERANCE = 1e-3
"""By how much a score may differ for the same bytes of an image."""

MOST_APART = 0.01
"""What 1 - IoU of two boxes that are the same may be."""

_CLOSE = 1e-3  # from a threshold, where either answer is right


@dataclass(frozen=True)
class BoxDifferences:
    """How far the boxes of two answers differ.

    Attributes:
        scores: the largest difference of a score.
        apart: the largest 1 - IoU of two boxes that belong together.
        is_other: whether a box has none that it belongs to, though no threshold is close to it.
    """

    scores: float = 0.0
    apart: float = 0.0
    is_other: bool = False


def output_differences(
    found: NDArray[np.float32], expected: NDArray[np.float32], coding: BoxCoding
) -> BoxDifferences:
    """Of outputs (1, num_outputs): cell by cell, and after suppression."""
    if not np.isfinite(found).all():
        return BoxDifferences(float("inf"), 1.0, is_other=True)
    one, other = decode_arrays(found, coding), decode_arrays(expected, coding)
    overlaps = iou_arrays(one.corners, other.corners)
    has_area = (other.corners[..., 2:] > other.corners[..., :2]).all(-1)
    counts = (other.scores.max(-1) >= MIN_SCORE) & has_area
    kept = matched(detections(found, coding)[0], expected, coding)
    return BoxDifferences(
        max(float(np.abs(one.scores - other.scores).max()), kept.scores),
        max(float((1 - overlaps[counts]).max(initial=0)), kept.apart),
        kept.is_other,
    )


def graph_differences(
    found: Mapping[str, NDArray[Any]],
    expected: NDArray[np.float32],
    size: tuple[int, int],
    card: Card,
    coding: BoxCoding,
) -> BoxDifferences:
    """Of the graph that takes one image of this (width, height), to PyTorch's outputs for it."""
    if LABELS in found:
        boxes = found[BOXES].astype(np.float64)
        unknown = np.zeros((len(boxes), 3), np.int64)
        kept = Detections(boxes, found[SCORES].astype(np.float64), found[LABELS], unknown)
        return matched(kept, expected, coding, size=size, card=card)
    every = decode_arrays(expected, coding)
    corners = every.corners.transpose(0, 3, 1, 2, 4).reshape(-1, 4)  # as the graph has them
    scores = every.scores.transpose(0, 3, 1, 2, 4).reshape(len(corners), -1)
    placed = in_pixels(corners, size, card)
    overlaps = iou_arrays(found[BOXES][0].astype(np.float64), placed)
    has_area = (placed[:, 2:] - placed[:, :2] > 1e-3 * min(size)).all(-1)
    counts = (scores.max(-1) >= MIN_SCORE) & has_area
    return BoxDifferences(
        float(np.abs(found[SCORES][0] - scores).max()),
        float((1 - overlaps[counts]).max(initial=0)),
    )


def matched(
    found: Detections,
    outputs: NDArray[np.float32],
    coding: BoxCoding,
    *,
    size: tuple[int, int] | None = None,
    card: Card | None = None,
) -> BoxDifferences:
    """Bring each box to the one of its class that it overlaps most, of those from outputs.

    With a `size`, the found ones are in pixels of an image of this (width, height).
    """
    every = candidates(outputs, coding, min_score=MIN_SCORE - _CLOSE)[0]
    expected = detections(outputs, coding)[0]
    is_close = _close_calls(every)
    keys = np.column_stack([every.cells, every.labels]).tolist()
    close_at = dict(zip(map(str, keys), is_close.tolist(), strict=True))
    places = (
        expected.boxes if size is None or card is None else in_pixels(expected.boxes, size, card)
    )
    is_full = len(every) >= MAX_CANDIDATES or len(expected) >= MAX_BOXES
    least = float(expected.scores.min(initial=1)) + _CLOSE if is_full else 0.0
    free = np.ones(len(found), bool)
    apart = scores = 0.0
    is_other = False
    for place, score, label, cell in zip(
        places, expected.scores.tolist(), expected.labels.tolist(), expected.cells.tolist(),
        strict=True,
    ):  # fmt: skip
        if (place[2:] <= place[:2]).any():
            continue  # outside of the image
        overlaps = np.where(free & (found.labels == label), iou_arrays(found.boxes, place), -1)
        best = int(overlaps.argmax()) if len(overlaps) else -1
        if best < 0 or overlaps[best] < 1 - MOST_APART:
            is_other |= score >= least and not close_at[str([*cell, label])]
            continue
        free[best] = False
        apart = max(apart, 1 - float(overlaps[best]))
        scores = max(scores, abs(score - float(found.scores[best])))
    placed = every.boxes if size is None or card is None else in_pixels(every.boxes, size, card)
    for index in np.flatnonzero(free).tolist():
        box = found.boxes[index]
        if found.scores[index] < max(least, MIN_SCORE + _CLOSE) or (box[2:] <= box[:2]).any():
            continue
        overlaps = np.where(every.labels == found.labels[index], iou_arrays(placed, box), -1)
        nearest = int(overlaps.argmax()) if len(overlaps) else -1
        if nearest < 0 or overlaps[nearest] < 1 - MOST_APART or not is_close[nearest]:
            is_other = True
    return BoxDifferences(scores, apart, is_other)


def _close_calls(every: Detections) -> NDArray[np.bool_]:
    """Whether rounding may decide if a candidate is kept: at a threshold, or of equal scores."""
    overlaps = iou_arrays(every.boxes[:, None], every.boxes[None])
    same = every.labels[:, None] == every.labels[None]
    np.fill_diagonal(same, val=False)
    at_limit = np.abs(overlaps - MAX_OVERLAP) <= _CLOSE
    tied = np.abs(every.scores[:, None] - every.scores[None]) <= _CLOSE
    close = (same & (at_limit | (tied & (overlaps > MAX_OVERLAP - _CLOSE)))).any(1)
    close |= np.abs(every.scores - MIN_SCORE) <= _CLOSE
    # what such a box suppresses, or does not, is as open
    return close | (same & (overlaps > MAX_OVERLAP) & close[None]).any(1)
