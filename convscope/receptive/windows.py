"""Operations that slide a window: convolution, pooling, unfolding."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from typing import Any, cast

import numpy as np

from convscope.geometry import Support, padding_pair
from convscope.receptive.branches import merge_channels, mix, repeat_unit, split_channels
from convscope.receptive.field_map import Axes, AxisField, FieldMap, UnknownDependency, length
from convscope.recording import Operation

Change = Callable[[AxisField], AxisField]
"""What an operation does to the fields along one axis of the image."""


def per_axis(value: Any, axes: int) -> tuple[Any, ...]:
    """One value for each axis of what torch takes: a single one stands for all."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        several = tuple(cast("Iterable[Any]", value))
        return several * axes if len(several) == 1 else several
    return (value,) * axes


def each_axis(operation: Operation, fields: FieldMap, changes: Sequence[Change]) -> FieldMap:
    """Change the fields along each of the last dimensions, map by map.

    Along a dimension of channels only the union over all of them is known.
    """
    count = len(changes)
    along = [_axis_of(fields, dim) for dim in range(-count, 0)]
    for dim, axis, change in zip(range(-count, 0), along, changes, strict=True):
        if axis is None:  # the window slides along channels, and so mixes them
            over = change(AxisField(None, Support.image(length(fields.dims[dim])))).support
            if any(over[unit] is None for unit in range(len(over))):
                raise UnknownDependency
            fields = fields.merged()
    by_axis = dict(zip(along, changes, strict=True))

    def changed(axes: Axes) -> Axes:
        return tuple(by_axis[n](axis) if n in by_axis else axis for n, axis in enumerate(axes))

    last = (((axis, n),) for axis, n in zip(along, operation.shape[-count:], strict=True))
    return fields.map_axes(changed, (*fields.dims[:-count], *last))


def _axis_of(fields: FieldMap, dim: int) -> int | None:
    is_of_channels = all(axis is None for axis, _ in fields.dims[dim])
    return None if is_of_channels else fields.image_axis(dim)


def _slide(
    operation: Operation,
    fields: FieldMap,
    kernel: Sequence[int],
    *,
    stride: object = 1,
    padding: object = 0,
    dilation: object = 1,
) -> FieldMap:
    """Windows that slide along the last dimensions, in every map."""
    count = len(kernel)
    settings = zip(
        kernel,
        per_axis(stride, count),
        per_axis(padding, count),
        per_axis(dilation, count),
        operation.shape[-count:],
        strict=True,
    )

    def sliding(size: int, step: int, around: Any, apart: int, output: int) -> Change:
        def change(axis: AxisField) -> AxisField:
            before, after = padding_pair(
                len(axis.support), size, stride=step, padding=around, dilation=apart
            )
            return axis.window(
                size, stride=step, before=before, after=after, dilation=apart, output=output
            )

        return change

    return each_axis(operation, fields, [sliding(*setting) for setting in settings])


def _filter_channels(
    operation: Operation, fields: FieldMap, axes: int, groups: int = 1
) -> FieldMap:
    """Filters: every channel of the result depends on all channels of its group."""
    dim, filters = len(fields.dims) - axes - 1, operation.shape[-axes - 1]
    if groups == 1:
        return repeat_unit(mix(fields, [dim], keep=False), dim, filters)
    mixed = mix(split_channels(fields, dim, groups), [dim + 1], keep=False)
    return merge_channels(repeat_unit(mixed, dim + 1, filters // groups), dim)


def convolution(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """A filter over all channels of a group."""
    arguments = operation.argument_shapes
    kernel = arguments["weight"][2:]
    return _slide(
        operation,
        _filter_channels(operation, operands[0], len(kernel), arguments.get("groups", 1)),
        kernel,
        stride=arguments.get("stride", 1),
        padding=arguments.get("padding", 0),
        dilation=arguments.get("dilation", 1),
    )


def pool(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """Maximum, average or norm of a window of one map."""
    arguments, axes = operation.argument_shapes, int(operation.kind[-2])
    kernel = per_axis(arguments["kernel_size"], axes)
    return _slide(
        operation,
        operands[0],
        kernel,
        stride=arguments.get("stride") or kernel,
        padding=arguments.get("padding", 0),
        dilation=arguments.get("dilation", 1),
    )


def sliding_layer(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """A layer of convscope's that slides a window; its attributes are those of torch's layers."""
    layer: Any = operation.layer
    fields = operands[0]
    if operation.kind == "LocallyConnected2d":
        fields = _filter_channels(operation, fields, 2)
    elif operation.kind == "SparseConnectionConv2d":  # a filter takes some of the maps
        fields = _filter_channels(operation, fields.merged(), 2)
    return _slide(
        operation,
        fields,
        per_axis(layer.kernel_size, 2),
        stride=getattr(layer, "stride", layer.kernel_size),
        padding=getattr(layer, "padding", 0),
        dilation=getattr(layer, "dilation", 1),
    )


def adaptive_pool(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """Windows that share the map out as evenly as possible."""
    count = int(operation.kind[-2])
    changes = [_adaptive(output) for output in operation.shape[-count:]]
    return each_axis(operation, operands[0], changes)


def _adaptive(output: int) -> Change:
    def change(axis: AxisField) -> AxisField:
        size, rest = divmod(len(axis.support), output)
        if rest:
            return AxisField(None, axis.support.adaptive(output))
        return axis.window(size, stride=size, before=0, after=0, dilation=1, output=output)

    return change


def fractional_pool(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """Windows that begin where chance decided: all units that each of them may reach."""
    arguments, count = operation.argument_shapes, int(operation.kind[-2])
    kernel = per_axis(arguments["kernel_size"], count)

    def change(size: int, output: int) -> Change:
        def reach(axis: AxisField) -> AxisField:
            side = len(axis.support)
            step = Fraction(side - size, max(output - 1, 1))
            firsts = [math.floor(n * step) - 1 for n in range(output - 1)] + [side - size - 1]
            around = [
                axis.support.take(
                    [first + tap if 0 <= first + tap < side else -1 for first in firsts]
                )
                for tap in range(size + 3)
            ]
            return AxisField(None, reduce(Support.union, around))

        return reach

    changes = [change(*pair) for pair in zip(kernel, operation.shape[-count:], strict=True)]
    return replace(each_axis(operation, operands[0], changes), exact=False)


def transposed_convolution(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """A filter that every unit of the input is multiplied with."""
    arguments = operation.argument_shapes
    kernel = arguments["weight"][2:]
    count = len(kernel)
    names = ("stride", "padding", "dilation", "output_padding")
    several = [per_axis(arguments.get(n, int(n in ("stride", "dilation"))), count) for n in names]

    def spreading(size: int, **options: int) -> Change:
        return lambda axis: AxisField(None, axis.support.transposed(size, **options))

    return each_axis(
        operation,
        _filter_channels(operation, operands[0], count, arguments.get("groups", 1)),
        [
            spreading(size, **dict(zip(names, rest, strict=True)))
            for size, *rest in zip(kernel, *several, strict=True)
        ],
    )


def resize(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """Interpolation: from the nearest unit, between two (linear) or four (cubic), by area."""
    arguments = operation.argument_shapes
    mode = arguments.get("mode", "nearest")
    align = bool(arguments.get("align_corners"))
    sides = operation.shape[2:]
    scales = per_axis(arguments.get("scale_factor"), len(sides))
    if arguments.get("antialias"):
        raise UnknownDependency

    def change(output: int, scale: float | None) -> Change:
        def interpolate(axis: AxisField) -> AxisField:
            count = len(axis.support)
            if scale is not None and count * scale != output:  # torch then steps by 1 / scale
                raise UnknownDependency
            if mode == "area":
                return _adaptive(output)(axis)
            taps = [_taps(mode, unit, count, output, align=align) for unit in range(output)]
            supports = [axis.support.take(units) for units in zip(*taps, strict=True)]
            return AxisField(None, reduce(Support.union, supports))

        return interpolate

    pairs = zip(sides, scales, strict=True)
    return each_axis(operation, operands[0], [change(side, scale) for side, scale in pairs])


def _taps(mode: str, unit: int, count: int, output: int, *, align: bool) -> tuple[int, ...]:
    """The units along one axis that a unit of the result is interpolated from."""
    if mode.startswith("nearest"):  # in float32, as torch has it
        center = np.float32(0.5 if mode == "nearest-exact" else 0)
        position = (np.float32(unit) + center) * (np.float32(count) / np.float32(output))
        return (min(int(position), count - 1),)
    half = Fraction(0 if align else 1, 2)
    step = Fraction(count - 1, max(output - 1, 1)) if align else Fraction(count, output)
    position = (unit + half) * step - half
    if mode != "bicubic":
        position = max(position, Fraction())
    first = math.floor(position)
    reach = {"linear": (0, 1), "bilinear": (0, 1), "bicubic": (-1, 0, 1, 2)}[mode]
    offsets = reach if position > first else (0,) * len(reach)
    return tuple(min(max(first + offset, 0), count - 1) for offset in offsets)
