"""Small volumes in float64 under a sliding window: the maps, and what one unit was made of."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

Array = NDArray[np.float64]

FILTERS = ("edges", "sum")
"""The filters that `ready` knows."""


def convolved(
    volume: Array,
    filters: Array,
    *,
    bias: Array | None = None,
    stride: int = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int = 1,
) -> Array:
    """The maps (k, h', w') of `filters` (k, c, f, f) over `volume` (c, h, w).

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


def places(side: int, kernel: int, *, start: int, dilation: int = 1) -> list[int | None]:
    """The rows (or columns) that a window beginning at `start` covers; None outside the volume."""
    taps = (start + tap * dilation for tap in range(kernel))
    return [tap if 0 <= tap < side else None for tap in taps]


def under(volume: Array, rows: list[int | None], columns: list[int | None]) -> Array:
    """The values (c, f, f) that lie under the window; 0 where it stands on padding."""
    patch = np.zeros((len(volume), len(rows), len(columns)))
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            if row is not None and column is not None:
                patch[:, y, x] = volume[:, row, column]
    return patch


def covered(
    rows: list[int | None], columns: list[int | None], *, side: int, before: int = 0
) -> list[int]:
    """The cells under the window, counted row by row through a grid of `side` columns.

    `before` rows and columns of the grid lie before the volume that `rows` and `columns` count.
    """
    return [
        (y + before) * side + x + before
        for y in rows
        for x in columns
        if y is not None and x is not None
    ]


def products(values: Array, weights: Array) -> list[dict[str, float]]:
    """Each value, its weight and their product, in the order of the cells."""
    pairs = zip(values.ravel().tolist(), weights.ravel().tolist(), strict=True)
    return [{"value": v, "weight": w, "product": v * w} for v, w in pairs]


def ready(name: str, kernel: int) -> Array:
    """A filter (1, 1, kernel, kernel) of `FILTERS`.

    "edges" is positive in its first column and negative in its last, and for 3x3 the lecture's;
    "sum" is 1 everywhere. With a single cell both are 1.
    """
    weights = np.ones((kernel, kernel))
    if name == "edges" and kernel > 1:
        weights[:, 1:-1], weights[:, -1] = 0, -1
        if kernel == 3:
            weights[1] *= 2
    return weights[None, None]
