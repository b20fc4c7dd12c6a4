"""Lesson: pooling makes one number of a patch; what it keeps, and whether it sees a shift."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from convscope.geometry import Axis, Volume, pooling
from convscope.layers import MinPool2d
from convscope.lessons.params import cells, choice, integer
from convscope.lessons.window import places

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
"""What is made of a window. Padded cells are zeros for the average and L2 (the root of the sum of
squares); the maximum and the minimum never take one."""

SHIFTS: Mapping[str, tuple[int, int]] = {
    "right": (0, 1),
    "down": (1, 0),
    "left": (0, -1),
    "up": (-1, 0),
}
"""Where to a map is moved, as (rows, columns)."""


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """A map pooled, the cells that have a say in it, and the same after the map has moved a cell.

    `state` has `side` (6 or 8), `map` (side·side numbers), `kind`, `window` (1 to side), `stride`
    (1 to side), `padding` (0 to half the window), `shift` (a direction) and `at`, a unit of the
    result counted row by row. The answer has the result's `output` side, its values `pooled`, the
    window of the unit `at` and who won in it; `say` counts for each cell the windows that take its
    value; `moved` is the map after the shift, with what is pooled of it.

    Raises RequestError for what is none of this.
    """
    side = int(choice({"side": str(state.get("side"))}, "side", tuple(map(str, SIDES))))
    values = np.reshape(cells(state, "map", side * side), (side, side))
    kind = choice(state, "kind", tuple(KINDS))
    window = integer(state, "window", 1, side)
    axis = Axis(
        side, window, integer(state, "stride", 1, side), integer(state, "padding", 0, window // 2)
    )
    direction = choice(state, "shift", tuple(SHIFTS))
    pooled = _pooled(values, kind, axis)
    at = min(integer(state, "at", 0, 4 * max(SIDES) ** 2), pooled.size - 1)
    takers = [_takers(values, kind, axis, unit, pooled) for unit in range(pooled.size)]
    say = np.bincount([place for unit in takers for place in unit], minlength=side * side)
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


def _pooled(values: Array, kind: str, axis: Axis) -> Array:
    maps = torch.from_numpy(values)[None, None]
    return KINDS[kind](maps, axis.kernel, axis.stride, axis.padding_pair[0])[0, 0].numpy()


def _under(axis: Axis, unit: int) -> list[int]:
    """The cells of the map, counted row by row, that lie under a unit's window."""
    rows, columns = (
        places(axis.size, axis.kernel, start=index * axis.stride - axis.padding_pair[0])
        for index in divmod(unit, axis.output)
    )
    return [axis.size * y + x for y in rows for x in columns if y is not None and x is not None]


def _takers(values: Array, kind: str, axis: Axis, unit: int, pooled: Array) -> list[int]:
    """The cells whose values make a unit: all of its window, or those that are its extreme."""
    window = _under(axis, unit)
    if kind in {"average", "L2"}:
        return window
    return [place for place in window if values.flat[place] == pooled.flat[unit]]


def _in_unread(axis: Axis) -> list[int]:
    """The cells of the map that no window reads."""
    unread, side = set(axis.uncovered), axis.size
    return [y * side + x for y in range(side) for x in range(side) if y in unread or x in unread]


def _unit(values: Array, axis: Axis, at: int, takers: list[int]) -> dict[str, Any]:
    window = _under(axis, at)
    return {
        "at": at,
        "window": window,
        "takers": takers,
        "values": [float(values.flat[place]) for place in window],
        "outside": axis.kernel**2 - len(window),
    }


def _moved(values: Array, kind: str, axis: Axis, direction: str) -> dict[str, Any]:
    """The map one cell further; what comes in is 0. For each kind, how many units change."""
    moved = _shifted(values, *SHIFTS[direction])
    found = {name: (_pooled(values, name, axis), _pooled(moved, name, axis)) for name in KINDS}
    before, after = found[kind]
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
            for name, (old, new) in found.items()
        ],
    }


def _shifted(values: Array, down: int, right: int) -> Array:
    side = len(values)
    framed = np.pad(values, 1)
    return framed[1 - down : 1 - down + side, 1 - right : 1 - right + side]
