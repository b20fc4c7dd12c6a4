"""Lesson: a filter has a slice for each channel, and produces one map."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from convscope.arithmetic import Volume, convolution, derive_convolution, sliding
from convscope.lessons.params import cells, choice, integer, number
from convscope.lessons.window import (
    convolve,
    covered_cells,
    products,
    window_indices,
    window_values,
)

COLORS = ("red", "green", "blue")
SIDE, KERNEL = 5, 3
"""Height and width of the small image, and of its filter."""
CHANNELS = ("1", "3", "16")
SIDES = ("32", "64", "256")
"""The choices for the channels and the side of the full-size layer."""

_BRIGHTEST = 9  # the number in the small image that is shown as 255


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """Compute one unit over three color channels, and the cost of a layer of such filters.

    `state` has `image` (3·25 numbers, color by color), `filter` (3·9 numbers), `bias`, `at` (one
    unit of the map, row by row); and for the layer `channels` ("1", "3" or "16"), `side` ("32",
    "64" or "256"), `filters` (1 to 16), `kernel` (1 to 7) and `padding` (0 to 3).

    The answer has `pixels` (red, green, blue as bytes: 9 becomes 255, below 0 becomes 0), the map's
    `sums`, the `patch` of the unit `at`, its `parts` (for each color the terms and their sum), its
    `bias` and `total`; and the input, output and cost of the `layer`.

    Raises RequestError for an invalid state.
    """
    image = np.reshape(cells(state, "image", 3 * SIDE**2), (3, SIDE, SIDE))
    weights = np.reshape(cells(state, "filter", 3 * KERNEL**2), (1, 3, KERNEL, KERNEL))
    bias = number(state, "bias", -1e6, 1e6)
    sums = convolve(image, weights, bias=np.array([bias]))[0]
    at = integer(state, "at", 0, sums.size - 1)
    rows, columns = (window_indices(SIDE, KERNEL, start=start) for start in divmod(at, len(sums)))
    patch = window_values(image, rows, columns)
    light = np.clip(np.rint(image * 255 / _BRIGHTEST), 0, 255).astype(int)
    return {
        "pixels": light.reshape(3, -1).T.tolist(),
        "side": len(sums),
        "sums": sums.ravel().tolist(),
        "at": at,
        "patch": covered_cells(rows, columns, side=SIDE),
        "parts": [
            {
                "color": color,
                "terms": products(values, kernel_slice),
                "sum": float((values * kernel_slice).sum()),
            }
            for color, values, kernel_slice in zip(COLORS, patch, weights[0], strict=True)
        ],
        "bias": bias,
        "total": float(sums.flat[at]),
        "layer": _layer(state),
    }


def _layer(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the layer's input, filter and output as (channels, height, width), and its cost."""
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
