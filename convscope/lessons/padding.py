"""Lesson: a border of zeros around a 6x6 image."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from convscope.arithmetic import Axis, Padding
from convscope.lessons.params import cells, choice, integer, number
from convscope.lessons.window import (
    FILTERS,
    convolve,
    make_filter,
    products,
    window_indices,
    window_values,
)

SIDE = 6
"""Height and width of the image."""
PADDINGS = (*map(str, range(7)), "valid", "same")
DEEP = 32
"""Height and width of the image that passes through several layers."""


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """Pad an image with zeros, compute its map, and count how often each pixel is read.

    `state` has `image` (36 numbers), `kernel` (1 to 8), `padding` ("0" to "6", "valid" or "same"),
    `filter` ("edges" or "sum"), `bias`, `at` (one unit of the map, row by row) and `layers` (1 to
    16). The answer has the number of padding cells `before` and `after` the image, the padded image
    (`framed`) with its side `wide` and its padding cells (`outside`); the `filter`'s weights, the
    map's side `map` and `sums`, the unit `at`, its `patch` of the padded image, `terms` and
    `total`; how often each pixel is read (`counts`; `reads` summarizes the first corner, the last
    one, and the pixel that is read most often), the number of units that read only zeros (`blind`),
    the `formula` for the side, the `reason` for the padding if it is "same", and the sides of a
    32x32 image before and after each of the `layers` that fit (`deep`).

    Raises RequestError for an invalid state, and for a filter that does not fit.
    """
    kernel = integer(state, "kernel", 1, 8)
    image = np.reshape(cells(state, "image", SIDE**2), (1, SIDE, SIDE))
    weights = make_filter(choice(state, "filter", FILTERS), kernel)
    bias = number(state, "bias", -1e6, 1e6)
    padding = _padding(choice(state, "padding", PADDINGS))
    axis = Axis(SIDE, kernel, padding=padding)
    windows = [
        window_indices(SIDE, kernel, start=unit - axis.padding_pair[0])
        for unit in range(axis.output)
    ]
    sums = (
        convolve(image, weights, bias=np.array([bias]), padding=axis.padding_pair).ravel().tolist()
    )
    at = min(integer(state, "at", 0, 18**2 - 1), len(sums) - 1)
    row, column = divmod(at, axis.output)
    return {
        **_frame(image[0], axis, row, column),
        "filter": weights.ravel().tolist(),
        "map": axis.output,
        "sums": sums,
        "at": at,
        "terms": products(window_values(image, windows[row], windows[column]), weights),
        "bias": bias,
        "total": sums[at],
        **_reading(windows),
        "formula": axis.formula,
        "reason": axis.padding_formula.split(",")[0] if padding == "same" else "",
        "deep": _deep(kernel, padding, integer(state, "layers", 1, 16)),
    }


def _padding(word: str) -> Padding:
    if word == "same" or word == "valid":  # noqa: PLR1714 -- a type checker narrows only this
        return word
    return int(word)


def _frame(image: np.ndarray[Any, Any], axis: Axis, row: int, column: int) -> dict[str, Any]:
    """Return the padded image, and the cells of it that one window covers."""
    before, after = axis.padding_pair
    wide = SIDE + before + after
    outside = np.pad(np.zeros_like(image), (before, after), constant_values=1)
    taps = range(axis.kernel)
    return {
        "before": before,
        "after": after,
        "wide": wide,
        "framed": np.pad(image, (before, after)).ravel().tolist(),
        "outside": np.flatnonzero(outside).tolist(),
        "patch": [(row + y) * wide + column + x for y in taps for x in taps],
    }


def _reading(windows: list[list[int | None]]) -> dict[str, Any]:
    """Count how often each pixel is read, and how many windows read no pixel."""
    times = np.array([sum(cell in window for window in windows) for cell in range(SIDE)])
    seeing = sum(any(cell is not None for cell in window) for window in windows)
    counts = np.outer(times, times)
    return {
        "counts": counts.ravel().tolist(),
        "reads": {
            "first": int(counts[0, 0]),
            "last": int(counts[-1, -1]),
            "most": int(counts.max()),
            "alike": bool((counts == counts.max()).all()),
        },
        "blind": len(windows) ** 2 - seeing**2,
    }


def _deep(kernel: int, padding: Padding, layers: int) -> list[int]:
    """Return the side of the image, then of the output of each layer that still fits."""
    sides = [DEEP]
    for _ in range(layers):
        axis = Axis(sides[-1], kernel, padding=padding)
        if sides[-1] + sum(axis.padding_pair) < kernel:
            break
        sides.append(axis.output)
    return sides
