"""Values of a grid of numbers between its points."""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def positions(count: int, first: float, step: float) -> Floats:
    """The middles of `count` pixels, on an axis whose 0 is at `first` and whose unit is `step`."""
    return cast("Floats", (np.arange(count) + 0.5 - first) / step)


def bilinear(values: Floats, rows: Floats, columns: Floats) -> Floats:
    """The values of a grid (h, w) at these rows and columns, linear between its points.

    Beyond the first and the last point of an axis the value stays that of the point.

    >>> bilinear(np.array([[0.0, 2.0]]), np.array([0.0]), np.array([-1.0, 0.5, 1.0])).tolist()
    [[0.0, 1.0, 2.0]]
    """
    height, width = values.shape
    tall = np.stack([_linear(rows, height, column) for column in values.T], axis=1)
    return np.stack([_linear(columns, width, row) for row in tall])


def _linear(at: Floats, count: int, values: Floats) -> Floats:
    return np.interp(at, cast("Any", np.arange(count)), values)


def nearest(values: Floats, rows: Floats, columns: Floats) -> Floats:
    """The value of the grid's nearest point at these rows and columns."""
    indices = [
        np.clip(np.floor(at + 0.5), 0, count - 1).astype(int)
        for at, count in zip((rows, columns), values.shape, strict=True)
    ]
    return values[np.ix_(*indices)]
