"""Lesson: a photograph with fewer pixels still shows the same, and takes fewer weights."""

from collections.abc import Mapping
from typing import Any, cast

from convscope.arithmetic import Volume, dense
from convscope.data.samples import Photograph
from convscope.lessons.images import Levels, square
from convscope.lessons.params import choice, integer
from convscope.lessons.redundancy import PICTURES

FACTORS = ("2", "4", "8")
KINDS = ("stride", "mean", "max")
"""What becomes of a block of pixels: its first pixel, its mean, its maximum."""


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """Subsample a photograph in three ways, and count the weights of a dense layer behind it.

    `state` has the `picture` ("palace" or "flower"), the `factor` ("2", "4" or "8") and the
    `hidden` units of the dense layer (1 to 10,000). The answer has the `levels` of the 128·128
    pixels and their mean (`brightness`); for each kind its levels, their mean, and the mean
    absolute `error` in gray levels of the small picture, enlarged by repetition; and the `sizes`:
    for the factors 1, 2, 4 and 8 the side, the pixels, their share, and the weights.

    Raises RequestError for an invalid state.
    """
    levels = square(cast("Photograph", choice(state, "picture", PICTURES)))
    factor = int(choice(state, "factor", FACTORS))
    hidden = integer(state, "hidden", 1, 10_000)
    side = len(levels)
    return {
        "side": side,
        "small": side // factor,
        "levels": _flat(levels),
        "brightness": _mean(levels),
        "kinds": [_described(kind, levels, factor) for kind in KINDS],
        "sizes": [_size(side, each, hidden) for each in (1, *map(int, FACTORS))],
    }


def subsample(levels: Levels, factor: int, kind: str) -> Levels:
    """Return one byte for each block of factor·factor pixels; means are rounded, halves up."""
    side = len(levels) // factor
    return [[_one(levels, factor, kind, y, x) for x in range(side)] for y in range(side)]


def _one(levels: Levels, factor: int, kind: str, row: int, column: int) -> int:
    top, left = factor * row, factor * column
    if kind == "stride":
        return levels[top][left]
    rows = [levels[top + down][left : left + factor] for down in range(factor)]
    if kind == "max":
        return max([max(each) for each in rows])
    count = factor * factor
    return (2 * sum([sum(each) for each in rows]) + count) // (2 * count)


def _described(kind: str, levels: Levels, factor: int) -> dict[str, Any]:
    small = subsample(levels, factor, kind)
    side = len(levels)
    wrong = [
        abs(levels[y][x] - small[y // factor][x // factor])
        for y in range(side)
        for x in range(side)
    ]
    return {
        "kind": kind,
        "levels": _flat(small),
        "brightness": _mean(small),
        "error": sum(wrong) / len(wrong),
    }


def _size(side: int, factor: int, hidden: int) -> dict[str, Any]:
    image = Volume(1, side // factor, side // factor)
    weights = dense(image, hidden).weights
    return {
        "factor": factor,
        "side": image.height,
        "pixels": image.units,
        "share": image.units / (side * side),
        "weights": weights,
        "saved": dense(Volume(1, side, side), hidden).weights - weights,
    }


def _flat(levels: Levels) -> list[int]:
    return [level for row in levels for level in row]


def _mean(levels: Levels) -> float:
    return sum([sum(row) for row in levels]) / (len(levels) * len(levels[0]))
