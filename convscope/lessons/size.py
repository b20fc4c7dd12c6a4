"""Lesson: the formula of the output size along one axis, its windows, and the way back."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from convscope.errors import RequestError
from convscope.geometry import Axis, describe_uncovered, solve_for_window
from convscope.lessons.params import choice, integer

LARGEST = 10_000
"""Of every number that can be set."""

_DRAWN = 40  # cells of an axis that is drawn whole
_END = 14  # cells of each end of one that is not
_KERNELS = range(1, 12)
_STRIDES = range(1, 5)


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """How many windows stand along an axis, which ones, and which other windows make so many.

    `state` has `size`, `kernel`, `stride` and `dilation` (1 to 10,000), `padding` (0 to 10,000),
    `rounding` ("down" or "up") and `wanted`, an output size. The answer has the `span` of the
    kernel and, unless there is a `problem` in a sentence, the `output`, its `formula`, the cells
    that are never read, the smallest input of this size or larger in which the stride comes out
    whole, and the `drawing`; and in any case what makes the `wanted` size.

    Raises RequestError for what is none of this.
    """
    axis = Axis(
        integer(state, "size", 1, LARGEST),
        integer(state, "kernel", 1, LARGEST),
        integer(state, "stride", 1, LARGEST),
        integer(state, "padding", 0, LARGEST),
        integer(state, "dilation", 1, LARGEST),
        choice(state, "rounding", ("down", "up")) == "up",
    )
    told = {
        "span": axis.effective_kernel,
        **_inverse(axis.size, integer(state, "wanted", 1, LARGEST)),
    }
    try:
        return told | {"problem": None, "output": axis.output} | _windows(axis)
    except RequestError as problem:
        return told | {"problem": str(problem)}


@lru_cache(maxsize=256)
def _windows(axis: Axis) -> dict[str, Any]:
    unread = axis.uncovered
    return {
        "formula": axis.formula,
        "unread": len(unread),
        "unread_sentence": _in_cells(describe_uncovered([], unread, height=1, width=axis.size)),
        "next_exact": axis.next_exact,
        "drawing": _drawing(axis, frozenset(unread)),
    }


def _in_cells(sentence: str) -> str:
    """What is said of a map's columns, said of the cells of an axis."""
    return sentence.replace("column", "cell")


def _drawing(axis: Axis, unread: frozenset[int]) -> dict[str, Any]:
    """The cells to be drawn, and the windows that begin at the one end or end at the other.

    A cell is its index (below 0, or at the size and beyond: padding) and what it is. A window has
    the places of its taps among the cells, and `before` or `after` where it goes on out of sight.
    """
    before, after = axis.padding_pair
    last = (
        (axis.output - 1) * axis.stride - before + axis.effective_kernel
    )  # the cell after the last window
    indices = range(-before, max(axis.size + after, last))
    whole_axis = len(indices) <= _DRAWN
    shown = list(indices) if whole_axis else [*indices[:_END], *indices[-_END:]]
    places = {cell: place for place, cell in enumerate(shown)}
    units = range(axis.output) if whole_axis else _at_the_ends(axis, shown)
    return {
        "cells": [{"at": cell, "kind": _kind(cell, axis.size, unread)} for cell in shown],
        "gap": None if whole_axis else _END,
        "hidden": len(indices) - len(shown),
        "windows": [_window(axis, unit, places) for unit in units],
    }


def _kind(cell: int, size: int, unread: frozenset[int]) -> str:
    if not 0 <= cell < size:
        return "padding"
    return "unread" if cell in unread else "read"


def _at_the_ends(axis: Axis, shown: list[int]) -> list[int]:
    """The units whose window begins among the first cells shown or ends among the last."""
    before, _ = axis.padding_pair
    first = range(min(axis.output, -(-_END // axis.stride)))
    beyond = (
        shown[_END] + before - axis.effective_kernel + 1
    )  # where the first window ends that is seen to
    last = range(max(0, -(-beyond // axis.stride)), axis.output)
    return sorted({*first, *last})


def _window(axis: Axis, unit: int, places: Mapping[int, int]) -> dict[str, Any]:
    start = unit * axis.stride - axis.padding_pair[0]
    ends = (start, start + axis.effective_kernel - 1)
    taps = [places[cell] for cell in places if _is_tap(cell - start, axis)]
    return {
        "unit": unit,
        "from": start,
        "to": ends[1],
        "taps": taps,
        "before": ends[0] not in places,
        "after": ends[1] not in places,
    }


def _is_tap(offset: int, axis: Axis) -> bool:
    return 0 <= offset < axis.effective_kernel and offset % axis.dilation == 0


@lru_cache(maxsize=64)
def _inverse(size: int, wanted: int) -> dict[str, Any]:
    """The windows of usual kernels and strides that make `wanted` units of `size` cells."""
    found = solve_for_window(size, wanted, kernels=_KERNELS, strides=_STRIDES)
    axes = [Axis(size, window.kernel, window.stride, window.padding) for window in found]
    return {
        "fitting": [
            {
                "kernel": axis.kernel,
                "stride": axis.stride,
                "padding": axis.padding_pair[0],
                "formula": axis.formula,
                "unread": len(axis.uncovered),
            }
            for axis in axes
        ],
        "tried": f"filters of {_ends(_KERNELS)}, strides of {_ends(_STRIDES)}",
    }


def _ends(numbers: Iterable[int]) -> str:
    kept = list(numbers)
    return f"{kept[0]} to {kept[-1]}"
