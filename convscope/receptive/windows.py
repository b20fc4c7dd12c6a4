"""Operations that slide a window: convolution, pooling."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, cast

import numpy as np

from convscope.arithmetic import effective_kernel, padding_pair
from convscope.receptive.axis_field import AxisField, Pixels, repeated, squeezed, taken, whole
from convscope.receptive.field_map import FieldMap, UnknownDependency, broadcast
from convscope.receptive.inputs import Inputs
from convscope.receptive.ranges import shared_out, united
from convscope.receptive.window import Window


def per_axis(value: Any, axes: int) -> tuple[Any, ...]:
    """One value for each axis of what torch takes: a single one stands for all."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        several = tuple(cast("Iterable[Any]", value))
        return several * axes if len(several) == 1 else several
    return (value,) * axes


def slide(
    fields: FieldMap,
    kernel: Sequence[int],
    output: Sequence[int],
    *,
    stride: object = 1,
    padding: object = 0,
    dilation: object = 1,
) -> FieldMap:
    """Windows that slide along the last dimensions, which then have the lengths `output`."""
    count = len(kernel)
    settings = zip(
        range(len(fields.shape) - count, len(fields.shape)),
        kernel,
        per_axis(stride, count),
        per_axis(padding, count),
        per_axis(dilation, count),
        output,
        strict=True,
    )
    for dim, size, step, around, apart, windows in settings:
        length = int(fields.shape[dim])
        pair = padding_pair(length, size, stride=step, padding=around, dilation=apart)
        window = Window(length, size, step, pair[0], apart, windows)
        shape = (*fields.shape[:dim], windows, *fields.shape[dim + 1 :])
        fields = fields.map(lambda axis, dim=dim, w=window: w.slide(axis, dim), shape)
    return fields


def filter_channels(fields: FieldMap, dim: int, filters: int, groups: int = 1) -> FieldMap:
    """Filters: every channel of the result depends on all channels of its group."""
    shape = (*fields.shape[:dim], filters, *fields.shape[dim + 1 :])
    if groups == 1:
        return replace(fields.mixed([dim]), shape=shape)
    each, rest = divmod(fields.shape[dim], groups)
    if rest:
        raise UnknownDependency

    def mix(choose: np.ufunc, numbers: Pixels) -> Pixels:
        if numbers.shape[dim] == 1:
            return numbers
        split = (*numbers.shape[:dim], groups, each, *numbers.shape[dim + 1 :])
        mixed = choose.reduce(numbers.reshape(split), axis=dim + 1)
        return squeezed(repeated(mixed, dim, filters // groups))

    return fields.map(
        lambda axis: axis.changed(
            lambda low: mix(np.minimum, low), lambda high: mix(np.maximum, high), axis.run
        ),
        shape,
    )


def _filters(inputs: Inputs, axes: int) -> list[FieldMap]:
    """The fields of filters and biases that depend on the image, as those of channels."""
    parts = list[FieldMap]()
    for name in ("weight", "bias"):
        source = inputs.operation.arguments.get(name)
        if inputs.is_dependent(source):
            fields = inputs.of(source)
            fields = fields.mixed(range(1, len(fields.shape)))
            fields = fields.without(range(1, len(fields.shape)))
            units = fields.moved(
                lambda numbers: numbers.reshape((*numbers.shape, *(1,) * axes)),
                (*fields.shape, *(1,) * axes),
            )
            parts.append(units)
    return parts


def convolution(inputs: Inputs) -> FieldMap:
    """A filter over all channels of a group."""
    settings, operation = inputs.settings, inputs.operation
    filters, _, *kernel = settings["weight"]
    fields = inputs.of(operation.arguments["input"])
    dim = len(fields.shape) - len(kernel) - 1
    seen = slide(
        filter_channels(fields, dim, filters, settings.get("groups", 1)),
        kernel,
        operation.shape[-len(kernel) :],
        stride=settings.get("stride", 1),
        padding=settings.get("padding", 0),
        dilation=settings.get("dilation", 1),
    )
    own = _filters(inputs, len(kernel))
    return broadcast([seen, *own], operation.shape) if own else seen


def transposed_convolution(inputs: Inputs) -> FieldMap:
    """A filter that every unit of the input is multiplied with."""
    settings, operation, fields = inputs.settings, inputs.operation, inputs.first
    if len(operation.operands) > 1 or inputs.is_dependent(operation.arguments["weight"]):
        raise UnknownDependency
    kernel = settings["weight"][2:]
    count = len(kernel)
    dim = len(fields.shape) - count - 1
    fields = filter_channels(fields, dim, operation.shape[dim], settings.get("groups", 1))
    names = ("stride", "padding", "dilation")
    several = [per_axis(settings.get(n, int(n != "padding")), count) for n in names]
    sides = operation.shape[-count:]
    for own, (size, step, around, apart, side) in enumerate(
        zip(kernel, *several, sides, strict=True), start=dim + 1
    ):
        fields = _transposed(fields, own, size, step, around, apart, side)
    return fields


def _transposed(
    fields: FieldMap, dim: int, kernel: int, stride: int, padding: int, dilation: int, output: int
) -> FieldMap:
    """A convolution at stride 1 over units at a distance of `stride`, with empty cells between."""
    length = fields.shape[dim]
    spread = (length - 1) * stride + 1
    before = effective_kernel(kernel, dilation=dilation) - 1 - padding
    window = Window(spread, kernel, 1, max(before, 0), dilation, output)
    shape = (*fields.shape[:dim], output, *fields.shape[dim + 1 :])
    ahead = (slice(None),) * dim

    def spread_out(numbers: Pixels, empty: int) -> Pixels:
        cells = np.full((*numbers.shape[:dim], spread, *numbers.shape[dim + 1 :]), empty)
        cells[*ahead, slice(None, None, stride)] = whole(numbers, dim, length)
        return cells[*ahead, slice(max(-before, 0), None)].astype(np.int32)

    def change(axis: AxisField) -> AxisField:
        first, end = spread_out(axis.first, axis.pixels), spread_out(axis.end, 0)
        wide = AxisField(axis.pixels, first, end, None, None)
        return window.slide(wide, dim).moved(squeezed)

    window.length -= max(-before, 0)
    return fields.map(change, shape)


def quantized_convolution(inputs: Inputs) -> FieldMap:
    """A filter whose weights and settings are packed together."""
    operation, fields = inputs.operation, inputs.first
    packed: Any = operation.call.args[1]
    axes = len(operation.shape) - 2
    kernel = tuple(packed.unpack()[0].shape[-axes:])
    stride, padding, dilation = (
        list(setting)[-axes:] for setting in (packed.stride(), packed.padding(), packed.dilation())
    )
    dim = len(fields.shape) - axes - 1
    return slide(
        filter_channels(fields, dim, operation.shape[dim], int(packed.groups())),
        kernel,
        operation.shape[-axes:],
        stride=stride,
        padding=padding,
        dilation=dilation,
    )


def pool(inputs: Inputs) -> FieldMap:
    """Maximum, average or norm of a window of one map."""
    settings, axes = inputs.settings, int(inputs.operation.kind[-2])
    kernel = per_axis(settings["kernel_size"], axes)
    return slide(
        inputs.first,
        kernel,
        inputs.operation.shape[-axes:],
        stride=settings.get("stride") or kernel,
        padding=settings.get("padding", 0),
        dilation=settings.get("dilation", 1),
    )


def sliding_layer(inputs: Inputs) -> FieldMap:
    """A layer of convscope's that slides a window; its attributes are those of torch's layers."""
    operation, fields = inputs.operation, inputs.first
    layer: Any = operation.layer
    if operation.kind == "LocallyConnected2d":
        fields = filter_channels(fields, len(fields.shape) - 3, operation.shape[-3])
    elif operation.kind == "SparseConnectionConv2d":
        fields = _of_some_maps(fields, layer.table)
    return slide(
        fields,
        per_axis(layer.kernel_size, 2),
        operation.shape[-2:],
        stride=getattr(layer, "stride", layer.kernel_size),
        padding=getattr(layer, "padding", 0),
        dilation=getattr(layer, "dilation", 1),
    )


def _of_some_maps(fields: FieldMap, table: Sequence[Sequence[int]]) -> FieldMap:
    """Filters that each take the maps of one row of a table."""
    dim = len(fields.shape) - 3

    def mix(choose: np.ufunc, numbers: Pixels) -> Pixels:
        rows = [choose.reduce(taken(numbers, dim, row), axis=dim, keepdims=True) for row in table]
        return squeezed(np.concatenate(rows, dim))

    return fields.map(
        lambda axis: axis.changed(
            lambda low: mix(np.minimum, low), lambda high: mix(np.maximum, high), axis.run
        ),
        (*fields.shape[:dim], len(table), *fields.shape[dim + 1 :]),
    )


def adaptive_pool(inputs: Inputs) -> FieldMap:
    """Windows that share the map out as evenly as possible."""
    fields, shape = inputs.first, inputs.operation.shape
    for dim in range(-int(inputs.operation.kind[-2]), 0):
        fields = shared_out(fields, dim % len(shape), shape[dim])
    return fields


def fractional_pool(inputs: Inputs) -> FieldMap:
    """Windows that begin where chance decided: all units that each of them may reach."""
    fields, shape, count = inputs.first, inputs.operation.shape, int(inputs.operation.kind[-2])
    sizes = per_axis(inputs.settings["kernel_size"], count)
    for dim, size in zip(range(-count, 0), sizes, strict=True):
        side, output = fields.shape[dim], shape[dim]
        step = Fraction(side - size, max(output - 1, 1))
        firsts = [math.floor(n * step) - 1 for n in range(output - 1)] + [side - size - 1]
        starts = np.asarray(firsts, dtype=np.intp)
        stops = np.minimum(starts + size + 3, side)
        fields = united(fields, dim % len(shape), np.maximum(starts, 0), stops)
    return replace(fields, exact=False)


def cross_channel(inputs: Inputs) -> FieldMap:
    """Units that depend on neighboring channels: those whose squares normalize it."""
    fields, layer = inputs.first, inputs.operation.layer
    if layer is None:
        return _of_neighbors(fields, int(inputs.settings["size"]), fields.shape[1])
    return _of_neighbors(fields, cast("Any", layer).n, fields.shape[1] // cast("Any", layer).groups)


def _of_neighbors(fields: FieldMap, size: int, channels: int) -> FieldMap:
    """Each channel with size // 2 before it and the rest behind, within parts of `channels`."""
    units = np.arange(fields.shape[1])
    parts = units // channels * channels
    starts = np.maximum(units - size // 2, parts)
    stops = np.minimum(units + (size - 1) // 2 + 1, parts + channels)
    return united(fields, 1, starts, stops)
