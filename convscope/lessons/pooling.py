"""Lesson: pooling reduces each window to one number; what it keeps, and what a shift changes."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from convscope.arithmetic import Axis, Volume, pooling
from convscope.layers import MinPool2d
from convscope.lessons.params import cells, choice, integer
from convscope.lessons.window import window_indices

Array = NDArray[np.float64]
Pool = Callable[[Tensor, int, int, int], Tensor]

SIDES = (6, 8)


def _l2(maps: Tensor, window: int, stride: int, padding: int) -> Tensor:
    return F.lp_pool2d(F.pad(maps, (padding,) * 4), 2.0, window, stride)


KINDS: Mapping[str, Pool] = {
    "max": F.max_pool2d,
    "average": F.avg_pool2d,
    "min": lambda maps, window, stride, padding: MinPool2d(window, stride=stride, padding=padding)(
        maps
    ),
    "L2": _l2,
}
"""The kinds of pooling. Padding counts as zeros for the average and L2 (the root of the sum of
squares); the maximum and the minimum ignore it."""

SHIFTS: Mapping[str, tuple[int, int]] = {
    "right": (0, 1),
    "down": (1, 0),
    "left": (0, -1),
    "up": (-1, 0),
}
"""The directions of a shift, as (rows, columns)."""


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """Pool a map, find the cells that determine the result, and pool it again after a shift.

    `state` has `side` (6 or 8), `map` (side·side numbers), `kind`, `window` (1 to side), `stride`
    (1 to side), `padding` (0 to half the window), `shift` (a direction) and `at`, a unit of the
    result counted row by row. The answer has the result's side `output`, its values `pooled`, the
    window of the unit `at` and the cells that determine it; `say` counts for each cell the windows
    whose result it determines; `moved` is the map after a shift by one cell, with its result.

    Raises RequestError for an invalid state.
    """
    side = int(choice({"side": str(state.get("side"))}, "side", tuple(map(str, SIDES))))
    values = np.reshape(cells(state, "map", side * side), (side, side))
    kind = choice(state, "kind", tuple(KINDS))
    window = integer(state, "window", 1, side)
    axis = Axis(
        side, window, integer(state, "stride", 1, side), integer(state, "padding", 0, window // 2)
    )
    direction = choice(state, "shift", tuple(SHIFTS))
    pooled = pool_map(values, kind, axis)
    at = min(integer(state, "at", 0, 4 * max(SIDES) ** 2), pooled.size - 1)
    takers = [_takers(values, kind, axis, unit, pooled) for unit in range(pooled.size)]
    say = np.bincount([index for unit in takers for index in unit], minlength=side * side)
    cost = pooling(Volume(1, side, side), window, stride=axis.stride, padding=axis.padding_pair[0])
    return {
        "output": axis.output,
        "formula": axis.formula,
        "pooled": pooled.ravel().tolist(),
        "unread": _in_unread(axis),
        "unit": _unit(values, axis, at, takers[at]) | {"value": float(pooled.flat[at])},
        "say": say.tolist(),
        "with_say": int(np.count_nonzero(say)),
        "units": cost.output.units,
        "kept": cost.output.units / values.size,
        "moved": _moved(values, kind, axis, direction),
    }


def pool_map(values: Array, kind: str, axis: Axis) -> Array:
    maps = torch.from_numpy(values)[None, None]
    return KINDS[kind](maps, axis.kernel, axis.stride, axis.padding_pair[0])[0, 0].numpy()


def _under(axis: Axis, unit: int) -> list[int]:
    """Return the cells of the map, counted row by row, in a unit's window."""
    rows, columns = (
        window_indices(axis.size, axis.kernel, start=index * axis.stride - axis.padding_pair[0])
        for index in divmod(unit, axis.output)
    )
    return [axis.size * y + x for y in rows for x in columns if y is not None and x is not None]


def _takers(values: Array, kind: str, axis: Axis, unit: int, pooled: Array) -> list[int]:
    """Return the cells that determine a unit: its whole window, or the extreme cells of it."""
    window = _under(axis, unit)
    if kind in {"average", "L2"}:
        return window
    return [index for index in window if values.flat[index] == pooled.flat[unit]]


def _in_unread(axis: Axis) -> list[int]:
    """Return the cells of the map that no window reads."""
    unread, side = set(axis.uncovered), axis.size
    return [y * side + x for y in range(side) for x in range(side) if y in unread or x in unread]


def _unit(values: Array, axis: Axis, at: int, takers: list[int]) -> dict[str, Any]:
    window = _under(axis, at)
    return {
        "at": at,
        "window": window,
        "takers": takers,
        "values": [float(values.flat[index]) for index in window],
        "outside": axis.kernel**2 - len(window),
    }


def _moved(values: Array, kind: str, axis: Axis, direction: str) -> dict[str, Any]:
    """Shift the map by one cell, filling with zeros; for each kind, count the units that change."""
    moved = _shifted(values, *SHIFTS[direction])
    results = {name: (pool_map(values, name, axis), pool_map(moved, name, axis)) for name in KINDS}
    before, after = results[kind]
    return {
        "map": moved.ravel().tolist(),
        "pooled": after.ravel().tolist(),
        "changed": np.flatnonzero(before != after).tolist(),
        "changed_cells": int(np.count_nonzero(moved != values)),
        "kinds": [
            {
                "kind": name,
                "changed": int(np.count_nonzero(old != new)),
                "largest": float(np.abs(new - old).max()),
            }
            for name, (old, new) in results.items()
        ],
    }


def _shifted(values: Array, down: int, right: int) -> Array:
    side = len(values)
    framed = np.pad(values, 1)
    return framed[1 - down : 1 - down + side, 1 - right : 1 - right + side]
