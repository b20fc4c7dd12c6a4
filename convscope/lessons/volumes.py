"""Lesson: a filter has a slice for each channel, and makes one map."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from convscope.geometry import Volume, convolution, derive_convolution, sliding
from convscope.lessons.params import cells, choice, integer, number
from convscope.lessons.window import convolved, covered, places, products, under

COLORS = ("red", "green", "blue")
SIDE, KERNEL = 5, 3
"""Height and width of the small image, and of its filter."""
CHANNELS = ("1", "3", "16")
SIDES = ("32", "64", "256")
"""What the layer at its full size may have."""

_BRIGHTEST = 9  # a number of the small image that is shown as full light


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """One unit over three colors, and what a whole layer of such filters weighs.

    `state` has `image` (3·25 numbers, color by color), `filter` (3·9 numbers), `bias`, `at` (one
    unit of the map, row by row); and of the layer `channels` ("1", "3" or "16"), `side` ("32", "64"
    or "256"), `filters` (1 to 16), `kernel` (1 to 7) and `padding` (0 to 3).

    The answer has `pixels` (red, green, blue as bytes: 9 is full light, below 0 none), the map's
    `sums`, the `patch` under the unit `at`, its `parts` (for each color the terms and their sum),
    its `bias` and `total`; and of the `layer` what it reads, what it makes and what it costs.

    Raises RequestError for what is none of this.
    """
    image = np.reshape(cells(state, "image", 3 * SIDE**2), (3, SIDE, SIDE))
    weights = np.reshape(cells(state, "filter", 3 * KERNEL**2), (1, 3, KERNEL, KERNEL))
    bias = number(state, "bias", -1e6, 1e6)
    sums = convolved(image, weights, bias=np.array([bias]))[0]
    at = integer(state, "at", 0, sums.size - 1)
    rows, columns = (places(SIDE, KERNEL, start=start) for start in divmod(at, len(sums)))
    patch = under(image, rows, columns)
    light = np.clip(np.rint(image * 255 / _BRIGHTEST), 0, 255).astype(int)
    return {
        "pixels": light.reshape(3, -1).T.tolist(),
        "side": len(sums),
        "sums": sums.ravel().tolist(),
        "at": at,
        "patch": covered(rows, columns, side=SIDE),
        "parts": [
            {"color": color, "terms": products(values, own), "sum": float((values * own).sum())}
            for color, values, own in zip(COLORS, patch, weights[0], strict=True)
        ],
        "bias": bias,
        "total": float(sums.flat[at]),
        "layer": _layer(state),
    }


def _layer(state: Mapping[str, Any]) -> dict[str, Any]:
    """The layer's input, filter and output as (channels, height, width), and its cost."""
    channels = int(choice(state, "channels", CHANNELS))
    side = int(choice(state, "side", SIDES))
    filters = integer(state, "filters", 1, 16)
    kernel = integer(state, "kernel", 1, 7)
    padding = integer(state, "padding", 0, 3)
    volume = Volume(channels, side, side)
    cost = convolution(volume, filters, kernel, padding=padding)
    worked = derive_convolution(volume, sliding(volume, kernel, padding=padding), cost)
    return {
        "input": [channels, side, side],
        "filter": [channels, kernel, kernel],
        "filters": filters,
        "output": [filters, cost.output.height, cost.output.width],
        "each": {"weights": cost.weights // filters, "all": cost.parameters // filters},
        "parameters": cost.parameters,
        "size": worked.rows[0][2],
    }
