"""Lesson: the filter takes larger steps over an image of 5x5 to 12x12 pixels."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from convscope.arithmetic import Axis, describe_uncovered
from convscope.lessons.params import cells, choice, integer
from convscope.lessons.window import (
    FILTERS,
    convolve,
    covered_cells,
    make_filter,
    products,
    window_indices,
    window_values,
)

LARGEST = 12
"""Height and width of the image, of which the first rows and columns are used."""


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """Compute the windows at a stride, their sums, and the cells that no window reads.

    `state` has `image` (144 numbers, 12 in a row), `side` (5 to 12: how many of its rows and
    columns are used), `kernel` (1 to side), `stride` (1 to 8), `filter` ("edges" or "sum") and `at`
    (one unit of the map, row by row). The answer has the `image` that was used, the `filter`'s
    weights, the map's side `map` and `sums`, the `starts` of the windows along one axis, the unit
    `at`, its `patch`, `terms` and `total`, the cells `unread` with a `sentence` about them, the
    `formula`, and the `next` side that needs no rounding.

    Raises RequestError for an invalid state.
    """
    side = integer(state, "side", 5, LARGEST)
    kernel = integer(state, "kernel", 1, side)
    stride = integer(state, "stride", 1, 8)
    full_image = np.reshape(cells(state, "image", LARGEST**2), (1, LARGEST, LARGEST))
    image = full_image[:, :side, :side].copy()
    weights = make_filter(choice(state, "filter", FILTERS), kernel)
    axis = Axis(side, kernel, stride)
    sums = convolve(image, weights, stride=stride).ravel().tolist()
    at = min(integer(state, "at", 0, LARGEST**2 - 1), len(sums) - 1)
    starts = [unit * stride for unit in range(axis.output)]
    rows, columns = (window_indices(side, kernel, start=starts[k]) for k in divmod(at, len(starts)))
    missed = set(axis.uncovered)
    unread = [y * side + x for y in range(side) for x in range(side) if {y, x} & missed]
    return {
        "image": image.ravel().tolist(),
        "filter": weights.ravel().tolist(),
        "map": axis.output,
        "sums": sums,
        "starts": starts,
        "at": at,
        "patch": covered_cells(rows, columns, side=side),
        "terms": products(window_values(image, rows, columns), weights),
        "total": sums[at],
        "unread": unread,
        "sentence": describe_uncovered(axis.uncovered, axis.uncovered, height=side, width=side),
        "formula": axis.formula,
        "next": axis.next_exact,
    }
