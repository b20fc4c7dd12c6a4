"""Convolve small volumes in float64, and collect the operands of one unit."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

Array = NDArray[np.float64]

FILTERS = ("edges", "sum")
"""The names that `make_filter` accepts."""


def convolve(
    volume: Array,
    filters: Array,
    *,
    bias: Array | None = None,
    stride: int = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int = 1,
) -> Array:
    """Convolve `volume` (c, h, w) with `filters` (k, c, f, f); return the maps (k, h', w').

    A pair of paddings is (before, after), the same for rows and columns.
    """
    around = (padding, padding) if isinstance(padding, int) else padding
    maps = F.conv2d(
        F.pad(torch.from_numpy(volume)[None], around * 2),
        torch.from_numpy(filters),
        None if bias is None else torch.from_numpy(bias),
        stride=stride,
        dilation=dilation,
    )
    return maps[0].numpy()


def window_indices(side: int, kernel: int, *, start: int, dilation: int = 1) -> list[int | None]:
    """Return the rows (or columns) that a window from `start` covers; None outside the volume."""
    taps = (start + tap * dilation for tap in range(kernel))
    return [tap if 0 <= tap < side else None for tap in taps]


def window_values(volume: Array, rows: list[int | None], columns: list[int | None]) -> Array:
    """Return the values (c, f, f) in the window; 0 for padding."""
    patch = np.zeros((len(volume), len(rows), len(columns)))
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            if row is not None and column is not None:
                patch[:, y, x] = volume[:, row, column]
    return patch


def covered_cells(
    rows: list[int | None], columns: list[int | None], *, side: int, before: int = 0
) -> list[int]:
    """Return the cells in the window, counted row by row in a grid of `side` columns.

    The volume starts `before` rows and columns into the grid.
    """
    return [
        (y + before) * side + x + before
        for y in rows
        for x in columns
        if y is not None and x is not None
    ]


def products(values: Array, weights: Array) -> list[dict[str, float]]:
    """Return each value, its weight and their product, in the order of the cells."""
    pairs = zip(values.ravel().tolist(), weights.ravel().tolist(), strict=True)
    return [{"value": v, "weight": w, "product": v * w} for v, w in pairs]


def make_filter(name: str, kernel: int) -> Array:
    """Return a filter (1, 1, kernel, kernel) of `FILTERS`.

    "edges" is positive in its first column and negative in its last; 3x3 is the lecture's Sobel
    filter. "sum" is 1 everywhere. A single cell is 1 for both.
    """
    weights = np.ones((kernel, kernel))
    if name == "edges" and kernel > 1:
        weights[:, 1:-1], weights[:, -1] = 0, -1
        if kernel == 3:
            weights[1] *= 2
    return weights[None, None]
