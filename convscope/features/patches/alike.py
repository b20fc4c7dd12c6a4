"""Which patches look alike, so that of several alike ones the strongest is shown."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convscope.features.unit_fields import Box

GRID = 8
"""Cells along a side into which a patch is averaged for the comparison."""

ALIKE = 20.0
"""Root mean square difference of the cells, in levels of 255, up to which patches are alike."""

_OUTSIDE = 128.0  # level of what lies outside the image


def averaged(pixels: NDArray[np.uint8], boxes: Sequence[Box]) -> NDArray[np.float32]:
    """Patches of an image (h, w, c) averaged into cells, (len(boxes), GRID, GRID, c).

    A cell covers the pixels that it touches, at least one; outside of the image they are gray.
    """
    height, width, channels = pixels.shape
    spans = np.array(boxes, np.int64).reshape(-1, 2, 2)
    totals = np.zeros((height + 1, width + 1, channels + 1))
    inside = np.concatenate([pixels, np.ones((height, width, 1), np.uint8)], 2)
    totals[1:, 1:] = inside.cumsum(0, dtype=np.int64).cumsum(1)
    edges = [_edges(spans[:, axis]) for axis in (0, 1)]
    areas = (edges[0][1] - edges[0][0])[:, :, None] * (edges[1][1] - edges[1][0])[:, None, :]
    (top, bottom), (left, right) = (
        np.clip(both, 0, side) for both, side in zip(edges, (height, width), strict=True)
    )
    rows, columns = (top[:, :, None], bottom[:, :, None]), (left[:, None, :], right[:, None, :])
    sums = (
        totals[rows[1], columns[1]]
        - totals[rows[0], columns[1]]
        - totals[rows[1], columns[0]]
        + totals[rows[0], columns[0]]
    )
    outside = (areas - sums[..., -1])[..., None] * _OUTSIDE
    return ((sums[..., :-1] + outside) / areas[..., None]).astype(np.float32)


def _edges(spans: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first pixel of each cell and the one after its last, (2, boxes, GRID)."""
    start, side = spans[:, :1], (spans[:, 1:] - spans[:, :1])
    cells = np.arange(GRID)
    first = start + side * cells // GRID
    stop = start + -(-side * (cells + 1) // GRID)
    return np.stack([first, np.maximum(stop, first + 1)])


def distinct(cells: NDArray[np.uint8], count: int) -> tuple[list[int], list[int]]:
    """Of patches (m, GRID, GRID, c), the strongest first, those that are unlike the ones before.

    Returns at most `count` of their numbers, and for each how many later ones are like it, counted
    for the first that they are like.
    """
    if not len(cells):
        return [], []
    flat = cells.reshape(len(cells), -1).astype(np.float64)
    squares = np.square(flat).sum(1)
    distances = squares[:, None] + squares - 2 * (flat @ flat.T)  # squared, and summed over cells
    is_near = distances <= ALIKE**2 * flat.shape[1]
    chosen: list[int] = []
    alike: list[int] = []
    for number, near in enumerate(is_near.tolist()):
        first = next((place for place, other in enumerate(chosen) if near[other]), None)
        if first is not None:
            alike[first] += 1
        elif len(chosen) < count:
            chosen.append(number)
            alike.append(0)
    return chosen, alike
