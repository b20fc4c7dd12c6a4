"""Lesson: a filter slides over an image of 6x6."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from convscope.geometry import Axis
from convscope.lessons.params import cells, integer
from convscope.lessons.window import convolved, covered, places, products, under

SIDE = 6
"""Height and width of the image."""


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """The sums of a filter laid on each patch of an image of 6x6, and the products of one.

    `state` has `image` (36 numbers), `kernel` (1 to 6), `filter` (kernel·kernel numbers) and `at`
    (one unit of the map, counted row by row). The answer has the map's `side` and `sums`, the unit
    `at` that was taken, the `patch` of cells under it, its `terms` (value, weight, product) and
    their `total`, what the total would be with the filter `flipped` (turned by half a turn, as
    mathematics convolves), and the `formula` of the side.

    Raises RequestError for what is none of this.
    """
    kernel = integer(state, "kernel", 1, SIDE)
    image = np.reshape(cells(state, "image", SIDE * SIDE), (1, SIDE, SIDE))
    weights = np.reshape(cells(state, "filter", kernel * kernel), (1, 1, kernel, kernel))
    axis = Axis(SIDE, kernel)
    side = axis.output
    sums = convolved(image, weights).ravel().tolist()
    turned = convolved(image, np.flip(weights, (2, 3)).copy()).ravel().tolist()
    at = min(integer(state, "at", 0, SIDE * SIDE - 1), side * side - 1)
    rows, columns = (places(SIDE, kernel, start=start) for start in divmod(at, side))
    return {
        "side": side,
        "sums": sums,
        "at": at,
        "patch": covered(rows, columns, side=SIDE),
        "terms": products(under(image, rows, columns), weights),
        "total": sums[at],
        "flipped": turned[at],
        "formula": axis.formula,
    }
