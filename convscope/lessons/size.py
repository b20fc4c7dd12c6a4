"""Lesson: the formula for the output size along one axis, its windows, and the reverse question."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from convscope.arithmetic import Axis, describe_uncovered, solve_for_window
from convscope.errors import RequestError
from convscope.lessons.params import choice, integer

LARGEST = 10_000
"""The largest value of every input."""

_DRAWN = 40  # an axis of up to this many cells is drawn completely
_END = 14  # cells that are drawn at each end of a longer axis
_KERNELS = range(1, 12)
_STRIDES = range(1, 5)


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """Compute the windows along an axis, and which other windows produce a desired output size.

    `state` has `size`, `kernel`, `stride` and `dilation` (1 to 10,000), `padding` (0 to 10,000),
    `rounding` ("down" or "up") and `wanted`, the desired output size. The answer has the `span` of
    the kernel and, unless there is a `problem` (a sentence), the `output`, its `formula`, the cells
    that are never read, the smallest input size, this or larger, that needs no rounding, and the
    `drawing`; and in any case the windows that produce the `wanted` size.

    Raises RequestError for an invalid state.
    """
    axis = Axis(
        integer(state, "size", 1, LARGEST),
        integer(state, "kernel", 1, LARGEST),
        integer(state, "stride", 1, LARGEST),
        integer(state, "padding", 0, LARGEST),
        integer(state, "dilation", 1, LARGEST),
        choice(state, "rounding", ("down", "up")) == "up",
    )
    answer = {
        "span": axis.effective_kernel,
        **_inverse(axis.size, integer(state, "wanted", 1, LARGEST)),
    }
    try:
        return answer | {"problem": None, "output": axis.output} | _windows(axis)
    except RequestError as problem:
        return answer | {"problem": str(problem)}


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
    """Rewrite a sentence about the columns of a map for the cells of an axis."""
    return sentence.replace("column", "cell")


def _drawing(axis: Axis, unread: frozenset[int]) -> dict[str, Any]:
    """Return the cells to draw, and the windows that start at one end or stop at the other.

    A cell has its index (negative, or the size and beyond: padding) and its kind. A window has the
    columns of its taps in the drawing, and `before` or `after` if it continues outside of it.
    """
    before, after = axis.padding_pair
    last = (
        (axis.output - 1) * axis.stride - before + axis.effective_kernel
    )  # the cell after the last window
    indices = range(-before, max(axis.size + after, last))
    whole_axis = len(indices) <= _DRAWN
    shown = list(indices) if whole_axis else [*indices[:_END], *indices[-_END:]]
    columns = {cell: column for column, cell in enumerate(shown)}
    units = range(axis.output) if whole_axis else _at_the_ends(axis, shown)
    return {
        "cells": [{"at": cell, "kind": _kind(cell, axis.size, unread)} for cell in shown],
        "gap": None if whole_axis else _END,
        "hidden": len(indices) - len(shown),
        "windows": [_window(axis, unit, columns) for unit in units],
    }


def _kind(cell: int, size: int, unread: frozenset[int]) -> str:
    if not 0 <= cell < size:
        return "padding"
    return "unread" if cell in unread else "read"


def _at_the_ends(axis: Axis, shown: list[int]) -> list[int]:
    """Return the units whose window starts in the first cells shown or stops in the last ones."""
    before, _ = axis.padding_pair
    first = range(min(axis.output, -(-_END // axis.stride)))
    beyond = (
        shown[_END] + before - axis.effective_kernel + 1
    )  # start of the first window that stops in the last cells shown
    last = range(max(0, -(-beyond // axis.stride)), axis.output)
    return sorted({*first, *last})


def _window(axis: Axis, unit: int, columns: Mapping[int, int]) -> dict[str, Any]:
    start = unit * axis.stride - axis.padding_pair[0]
    ends = (start, start + axis.effective_kernel - 1)
    taps = [columns[cell] for cell in columns if _is_tap(cell - start, axis)]
    return {
        "unit": unit,
        "from": start,
        "to": ends[1],
        "taps": taps,
        "before": ends[0] not in columns,
        "after": ends[1] not in columns,
    }


def _is_tap(offset: int, axis: Axis) -> bool:
    return 0 <= offset < axis.effective_kernel and offset % axis.dilation == 0


@lru_cache(maxsize=64)
def _inverse(size: int, wanted: int) -> dict[str, Any]:
    """Find the windows, of common kernels and strides, that map `size` cells to `wanted` units."""
    windows = solve_for_window(size, wanted, kernels=_KERNELS, strides=_STRIDES)
    axes = [Axis(size, window.kernel, window.stride, window.padding) for window in windows]
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
