"""Padding: by constants, or by units of the map itself."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from convscope.receptive.axis_field import FAR, AxisField
from convscope.receptive.field_map import FieldMap
from convscope.receptive.inputs import Inputs
from convscope.receptive.selection import take
from convscope.receptive.window import Window


def pad(inputs: Inputs) -> FieldMap:
    """Padding: by a constant along any dimension, or by units of the image itself."""
    fields, settings = inputs.first, inputs.settings
    mode = settings.get("mode") or "constant"
    around = cast("Sequence[int]", settings["pad"])
    for n, (before, after) in enumerate(zip(around[::2], around[1::2], strict=True), start=1):
        dim = len(fields.shape) - n
        side = fields.shape[dim]
        if before or after:
            units = range(-before, side + after)
            if mode == "constant":
                fields = _padded(fields, dim, units)
            else:
                fields = take(fields, {dim: [_MODES[mode](unit, side) for unit in units]})
    return fields


_MODES: dict[str, Callable[[int, int], int]] = {
    "reflect": lambda index, side: side - 1 - abs(side - 1 - abs(index)),
    "replicate": lambda index, side: min(max(index, 0), side - 1),
    "circular": lambda index, side: index % side,
}
"""The unit that padding copies to an index outside."""


def _padded(fields: FieldMap, dim: int, units: range) -> FieldMap:
    """The units of a dimension and, outside of it, those of a constant."""
    side = fields.shape[dim]
    fields = take(fields, {dim: range(max(units.start, 0), min(units.stop, side))})
    before, count = max(-units.start, 0), len(units)
    if count == fields.shape[dim]:
        return fields
    window = Window(fields.shape[dim], 1, 1, before, 1, count)
    jumps = [axis.jump(dim, fields.shape[dim]) for axis in fields.axes]
    is_of_image = any(jump is None or np.any(jump) for jump in jumps)

    def change(axis: AxisField) -> AxisField:
        seen = window.slide(axis, dim)
        if is_of_image or axis.start is None or axis.stop is None:
            return seen
        start = window.reduce(axis.start, dim, np.minimum, FAR)
        stop = window.reduce(axis.stop, dim, np.maximum, -FAR)
        return replace(seen, start=start, stop=stop)

    return fields.map(change, (*fields.shape[:dim], count, *fields.shape[dim + 1 :]))
