"""Lesson: the filter takes larger steps over an image of 5x5 to 12x12."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from convscope.geometry import Axis, describe_uncovered
from convscope.lessons.params import cells, choice, integer
from convscope.lessons.window import FILTERS, convolved, covered, places, products, ready, under

LARGEST = 12
"""Height and width of the image whose first rows and columns are taken."""


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """The windows of a stride, the sums under them, and the cells that none of them reads.

    `state` has `image` (144 numbers, 12 in a row), `side` (5 to 12: so many rows and columns of it
    are taken), `kernel` (1 to side), `stride` (1 to 8), `filter` ("edges" or "sum") and `at` (one
    unit of the map, row by row). The answer has the `image` that was taken, the `filter`'s weights,
    the map's side `map` and `sums`, the `starts` of the windows along one axis, the unit `at`, its
    `patch`, `terms` and `total`, the cells `unread` with the `sentence` about them, the
    `formula`, and the `next` side that needs no rounding.

    Raises RequestError for what is none of this.
    """
    side = integer(state, "side", 5, LARGEST)
    kernel = integer(state, "kernel", 1, side)
    stride = integer(state, "stride", 1, 8)
    whole_image = np.reshape(cells(state, "image", LARGEST**2), (1, LARGEST, LARGEST))
    image = whole_image[:, :side, :side].copy()
    weights = ready(choice(state, "filter", FILTERS), kernel)
    axis = Axis(side, kernel, stride)
    sums = convolved(image, weights, stride=stride).ravel().tolist()
    at = min(integer(state, "at", 0, LARGEST**2 - 1), len(sums) - 1)
    starts = [unit * stride for unit in range(axis.output)]
    rows, columns = (places(side, kernel, start=starts[k]) for k in divmod(at, len(starts)))
    missed = set(axis.uncovered)
    unread = [y * side + x for y in range(side) for x in range(side) if {y, x} & missed]
    return {
        "image": image.ravel().tolist(),
        "filter": weights.ravel().tolist(),
        "map": axis.output,
        "sums": sums,
        "starts": starts,
        "at": at,
        "patch": covered(rows, columns, side=side),
        "terms": products(under(image, rows, columns), weights),
        "total": sums[at],
        "unread": unread,
        "sentence": describe_uncovered(axis.uncovered, axis.uncovered, height=side, width=side),
        "formula": axis.formula,
        "next": axis.next_exact,
    }
