"""Lesson: a filter that responds to an eye finds it anywhere in a drawn face."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from convscope.lessons.params import choice, integer
from convscope.lessons.window import (
    convolve,
    covered_cells,
    products,
    window_indices,
    window_values,
)

SIDE, KERNEL = 32, 5
"""Sides of the picture and of the filter."""

FARTHEST = 5
"""The largest shift of the face in either direction, in pixels."""

POOLS = ("1", "2", "4", "7", "28")
"""Sides of the windows of max pooling over the map of 28x28; 28 takes the whole map."""

TEMPLATE = (
    (-1, -1, -1, -1, -1),
    (0, 0, 0, 0, 0),
    (1, 1, -2, 1, 1),
    (0, 1, 1, 1, 0),
    (0, 0, 0, 0, 0),
)
"""The filter: a dark brow above a bright eye with a dark pupil. Its weights add up to 0, so that
it does not respond to a uniform region."""

_SKIN, _OUTSIDE, _MOUTH, _NOSE = 5, 4, 2, 4
_CENTER = (16, 15)  # row and column of the middle of the face
_RADII = (10, 8)  # half of its height and width
EYES = ((10, 9), (10, 17))
"""Row and column of the top left pixel of both eyes, for the face that is not shifted."""


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """Slide the filter over a face, and over the face shifted; then pool both maps.

    `state` has the shift of the face, `right` and `down` (-5 to 5 pixels), its `turn` ("0" or "90"
    degrees), the side `pool` of the windows of max pooling (of POOLS) and the chosen unit of the
    map `at`, row by row. The answer has the `picture` (gray levels 0 to 9), the `template`, the
    `map` and its largest value `most`; `peaks`, the places (row, column) that have it; the
    `start_peaks` of the face that is not shifted and whether they moved along (`moved`); of
    pooling, the map, its peaks, and how many units the shift changes; and the unit `at`: its patch
    and terms.

    Raises RequestError for an invalid state.
    """
    right = integer(state, "right", -FARTHEST, FARTHEST)
    down = integer(state, "down", -FARTHEST, FARTHEST)
    turned = choice(state, "turn", ("0", "90")) == "90"
    pool = int(choice(state, "pool", POOLS))
    face = draw_face(down, right, turned=turned)
    start, found = respond(draw_face(0, 0, turned=turned)), respond(face)
    before, after = pool_maximum(start, pool), pool_maximum(found, pool)
    places, start_places = peaks(found), peaks(start)
    at = integer(state, "at", 0, len(found) * len(found) - 1)
    return {
        "side": SIDE,
        "picture": _flat(face),
        "template": _flat([list(row) for row in TEMPLATE]),
        "made": len(found),
        "map": _flat(found),
        "most": max(_flat(found)),
        "peaks": places,
        "start_peaks": start_places,
        "moved": places == [[row + down, column + right] for row, column in start_places],
        "pooled": {
            "side": len(after),
            "values": _flat(after),
            "most": max(_flat(after)),
            "peaks": peaks(after),
            "units": len(after) * len(after),
            "changed": sum([a != b for a, b in zip(_flat(before), _flat(after), strict=True)]),
        },
        "changed": sum([a != b for a, b in zip(_flat(start), _flat(found), strict=True)]),
        "unit": _unit(face, at, found),
    }


def draw_face(down: int, right: int, *, turned: bool) -> list[list[int]]:
    """Draw the face (32x32, levels 0 to 9), shifted; turned by a quarter, it is mirrored along its
    diagonal, so that brows are upright."""
    face = [[_level(row - down, column - right) for column in range(SIDE)] for row in range(SIDE)]
    if not turned:
        return face
    plain = [[_level(row, column) for column in range(SIDE)] for row in range(SIDE)]
    return [
        [
            plain[column - right][row - down]
            if 0 <= column - right < SIDE and 0 <= row - down < SIDE
            else _OUTSIDE
            for column in range(SIDE)
        ]
        for row in range(SIDE)
    ]


def _level(row: int, column: int) -> int:
    """Return the gray level of the face that is not shifted."""
    for top, left in EYES:
        if 0 <= row - top < KERNEL and 0 <= column - left < KERNEL:
            return _SKIN + 2 * TEMPLATE[row - top][column - left]
    high, wide = row - _CENTER[0], column - _CENTER[1]
    if high * high * _RADII[1] * _RADII[1] + wide * wide * _RADII[0] * _RADII[0] > (
        _RADII[0] * _RADII[0] * _RADII[1] * _RADII[1]
    ):
        return _OUTSIDE
    if high == 6 and -3 <= wide <= 3:
        return _MOUTH
    if 0 <= high <= 3 and wide == 0:
        return _NOSE
    return _SKIN


def respond(face: list[list[int]]) -> list[list[float]]:
    """Return the map (28x28) of the template."""
    picture = np.reshape(_flat(face), (1, SIDE, SIDE)) * 1.0
    weights = np.reshape(_flat([list(row) for row in TEMPLATE]), (1, 1, KERNEL, KERNEL)) * 1.0
    found: list[list[float]] = convolve(picture, weights)[0].tolist()
    return found


def pool_maximum(values: list[list[float]], window: int) -> list[list[float]]:
    """Return the maximum of each window, side by side."""
    side = len(values) // window
    bands = [values[window * y : window * (y + 1)] for y in range(side)]
    return [
        [max([max(line[window * x : window * (x + 1)]) for line in band]) for x in range(side)]
        for band in bands
    ]


def peaks(values: list[list[float]]) -> list[list[int]]:
    """Return the places (row, column) of the largest value, from the top."""
    most = max([max(line) for line in values])
    return [
        [y, x] for y, line in enumerate(values) for x, value in enumerate(line) if value == most
    ]


def _unit(face: list[list[int]], at: int, found: list[list[float]]) -> dict[str, Any]:
    row, column = divmod(at, len(found))
    rows, columns = (window_indices(SIDE, KERNEL, start=start) for start in (row, column))
    picture = np.reshape(_flat(face), (1, SIDE, SIDE)) * 1.0
    weights = np.reshape(_flat([list(line) for line in TEMPLATE]), (1, KERNEL, KERNEL)) * 1.0
    return {
        "at": at,
        "row": row,
        "column": column,
        "patch": covered_cells(rows, columns, side=SIDE),
        "terms": products(window_values(picture, rows, columns), weights),
        "total": found[row][column],
    }


def _flat(rows: list[list[Any]]) -> list[Any]:
    return [value for row in rows for value in row]
