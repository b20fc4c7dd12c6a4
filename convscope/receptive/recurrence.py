"""Recurrent layers: every unit sees all features of its own step and of every step before."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from convscope.geometry import Support
from convscope.receptive.branches import broadcast, concatenate, mix, repeat_unit
from convscope.receptive.field_map import Axes, AxisField, FieldMap
from convscope.receptive.mixing import fields_of_argument
from convscope.receptive.shapes import in_order
from convscope.recording import Operation, Source


def recurrent(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """A whole sequence: the steps before, or after in the other direction; all of them for the
    states at the end, and behind a layer of two directions."""
    arguments = operation.argument_shapes
    time = 1 if arguments["batch_first"] else 0
    layers, two = int(arguments["num_layers"]), bool(arguments["bidirectional"])
    fields = mix(operands[0], [2], keep=False)
    if operation.output_index:
        whole = in_order(mix(fields, [time], keep=False), [time, 1 - time, 2])
        whole = repeat_unit(whole, 0, operation.shape[0])
        return repeat_unit(whole, 2, operation.shape[2])
    features = operation.shape[2]
    if two and layers > 1:
        return repeat_unit(mix(fields, [time], keep=True), 2, features)
    if not two:
        return repeat_unit(_steps(fields, time, reverse=False), 2, features)
    halves = [_steps(fields, time, reverse=reverse) for reverse in (False, True)]
    return concatenate([repeat_unit(half, 2, features // 2) for half in halves], 2)


def _steps(fields: FieldMap, dim: int, *, reverse: bool) -> FieldMap:
    """Unite the fields of every step along a dimension with those of the steps before, or after.

    Where the steps run along two axes of the image, row by row, or along channels that differ, the
    fields are too large.
    """
    axes = [axis for axis, count in fields.dims[dim] if axis is not None and count > 1]
    if not axes:
        if fields.branch_index is None:
            return fields
        return replace(mix(fields, [dim], keep=True), exact=False)
    first, *others = axes
    is_simple = len(fields.dims[dim]) == 1

    def change(several: Axes) -> Axes:
        return tuple(
            _running(axis, reverse=reverse)
            if number == first
            else axis.spread()
            if number in others
            else axis
            for number, axis in enumerate(several)
        )

    if not is_simple:
        fields = fields.merged()
    united = fields.map_axes(change, fields.dims)
    return united if is_simple else replace(united, exact=False)


def _running(axis: AxisField, *, reverse: bool) -> AxisField:
    turn = -1 if reverse else 1
    starts, stops = axis.support.starts[::turn], axis.support.stops[::turn]
    united = tuple(accumulate(starts, min))[::turn], tuple(accumulate(stops, max))[::turn]
    return AxisField(None, Support(axis.support.pixels, *united))


def recurrent_cell(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """One step: all features of x and of the hidden state, and the unit's own cell state."""
    arguments = operation.arguments
    states: Any = arguments["hx"]
    hidden: Any = states if isinstance(states, Source) else states[0]
    cell: Any = None if isinstance(states, Source) else states[1]
    parts: list[FieldMap] = []
    for source in (arguments["input"], hidden, cell):
        fields = fields_of_argument(source, operation, operands)
        if fields is not None:
            is_own = source is cell
            parts.append(fields if is_own else mix(fields, [len(fields.dims) - 1], keep=False))
    return broadcast(parts, operation.shape)
