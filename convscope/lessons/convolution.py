"""Lesson: a filter slides over an image of 6x6."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from convscope.arithmetic import Axis
from convscope.lessons.params import cells, integer
from convscope.lessons.window import (
    convolve,
    covered_cells,
    products,
    window_indices,
    window_values,
)

SIDE = 6
"""Height and width of the image."""


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """Convolve a 6x6 image with a filter, and show the products behind one unit.

    `state` has `image` (36 numbers), `kernel` (1 to 6), `filter` (kernel·kernel numbers) and `at`
    (one unit of the map, counted row by row). The answer has the map's `side` and `sums`, the index
    `at` of the unit, the `patch` of cells that it reads, its `terms` (value, weight, product) and
    their `total`, the total with the filter `flipped` (rotated by 180°, as in the convolution of
    mathematics), and the `formula` for the side.

    Raises RequestError for an invalid state.
    """
    kernel = integer(state, "kernel", 1, SIDE)
    image = np.reshape(cells(state, "image", SIDE * SIDE), (1, SIDE, SIDE))
    weights = np.reshape(cells(state, "filter", kernel * kernel), (1, 1, kernel, kernel))
    axis = Axis(SIDE, kernel)
    side = axis.output
    sums = convolve(image, weights).ravel().tolist()
    turned = convolve(image, np.flip(weights, (2, 3)).copy()).ravel().tolist()
    at = min(integer(state, "at", 0, SIDE * SIDE - 1), side * side - 1)
    rows, columns = (window_indices(SIDE, kernel, start=start) for start in divmod(at, side))
    return {
        "side": side,
        "sums": sums,
        "at": at,
        "patch": covered_cells(rows, columns, side=SIDE),
        "terms": products(window_values(image, rows, columns), weights),
        "total": sums[at],
        "flipped": turned[at],
        "formula": axis.formula,
    }
