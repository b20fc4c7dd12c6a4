"""Operations that move units in any way: they run on numbered units."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch._ops import OpOverload

from convscope.receptive.axis_field import AxisField, Pixels, squeezed
from convscope.receptive.field_map import FieldMap, UnknownDependency
from convscope.receptive.inputs import Inputs
from convscope.recording import Operation, Source
from convscope.recording.aten import argument_names
from convscope.recording.operation import map_nested, sources_in

_MOST = 50_000_000
"""Units of one tensor, beyond which they are not numbered."""


def move(inputs: Inputs) -> FieldMap:
    """The fields of units move as their values do.

    Raises UnknownDependency for indices that depend on the image, or whose values were not kept,
    and where units are added to others.
    """
    operation = inputs.operation
    if operation.arguments.get("accumulate") or operation.arguments.get("reduce"):
        raise UnknownDependency
    names = INDEX_ARGUMENTS.get(operation.kind, ())
    indices = sources_in([operation.arguments.get(name) for name in names])
    moving = [s for s in sources_in(dict(operation.arguments)) if s not in indices]
    moving = [source for source in dict.fromkeys(moving) if inputs.is_dependent(source)]
    if any(math.prod(shape) > _MOST for shape in (operation.shape, *(s.shape for s in moving))):
        raise UnknownDependency
    starts, count = dict[str, int](), 1
    for source in moving:
        starts[source.name] = count
        count += math.prod(source.shape)

    def numbered(source: Source) -> Tensor:
        if source in indices:
            return inputs.value(source)
        first = starts.get(source.name)
        if first is None:
            return torch.zeros(source.shape, dtype=torch.float64)
        size = math.prod(source.shape)
        return torch.arange(first, first + size, dtype=torch.float64).reshape(source.shape)

    args, kwargs = with_constant(operation, 0)
    args, kwargs = map_nested((args, kwargs), numbered, of=Source)
    with torch.no_grad():
        output: Any = operation.call.function(*args, **kwargs)
    result = args[0] if output is None else output
    result = result if isinstance(result, Tensor) else result[operation.output_index]
    numbers = result.numpy().astype(np.int64)
    return gathered(inputs, [(inputs.of(s), starts[s.name]) for s in moving], numbers)


INDEX_ARGUMENTS = {
    "getitem": ("index",),
    "setitem": ("index",),
    "gather": ("index", "2"),
    "index_select": ("index", "2"),
    "take_along_dim": ("indices", "1"),
    "masked_fill": ("mask", "1"),
    "repeat_interleave": ("repeats", "1"),
    "embedding": ("input", "indices"),
    "take": ("index",),
    "masked_select": ("mask",),
    "scatter": ("index",),
    "index_copy": ("index",),
    "index_fill": ("index",),
    "index_put": ("indices",),
    "masked_scatter": ("mask",),
}
"""Arguments that hold indices or masks; their elements are not copied."""

CONSTANT_ARGUMENTS = {"pad": 3, "masked_fill": 2, "setitem": 2, "scatter": 3, "index_fill": 3}
"""Operations that write a constant, their argument `value`, and its position."""


def with_constant(operation: Operation, marker: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with a marker in place of the constant."""
    args, kwargs = operation.call.args, dict(operation.call.kwargs)
    position = CONSTANT_ARGUMENTS.get(operation.kind)
    if isinstance(operation.call.function, OpOverload):
        names = argument_names(operation.call.function)
        position = names.index("value") if "value" in names else None
    is_copied = operation.arguments.get("mode", "constant") != "constant"  # as `reflect` does
    if position is None or is_copied or isinstance(operation.arguments.get("value"), Source):
        return args, kwargs
    if position < len(args):
        return (*args[:position], float(marker), *args[position + 1 :]), kwargs
    return args, {**kwargs, "value": float(marker)}


Numbers = NDArray[np.int64]


def gathered(inputs: Inputs, several: list[tuple[FieldMap, int]], numbers: Numbers) -> FieldMap:
    """The fields of units by their numbers: those of each operand are numbered from a start.

    Smaller numbers are of no unit.
    """
    result = inputs.without_pixels(numbers.shape)
    for fields, start in several:
        chosen = (numbers >= start) & (numbers < start + math.prod(fields.shape))
        places = np.unravel_index(np.where(chosen, numbers - start, 0), fields.shape)
        axes = [
            _merged(axis, own, chosen, places)
            for axis, own in zip(result.axes, fields.axes, strict=True)
        ]
        result = replace(result, axes=tuple(axes))
    return result.map(lambda axis: axis.moved(squeezed))


def _merged(
    axis: AxisField, own: AxisField, chosen: NDArray[np.bool_], places: tuple[NDArray[np.intp], ...]
) -> AxisField:
    """The units of one operand where they were chosen, and those of before where not."""

    def moved(numbers: Pixels) -> Pixels:
        indices = zip(places, numbers.shape, strict=True)
        found = numbers[tuple(0 if side == 1 else index for index, side in indices)]
        return np.broadcast_to(found, chosen.shape)

    def merge(before: Pixels, numbers: Pixels) -> Pixels:
        return np.where(chosen, moved(numbers), before).astype(np.int32)

    first, end = merge(axis.first, own.first), merge(axis.end, own.end)
    start = stop = None
    if axis.start is not None and own.start is not None:
        start = merge(axis.start, own.start)
    if axis.stop is not None and own.stop is not None:
        stop = merge(axis.stop, own.stop)
    return AxisField(axis.pixels, first, end, start, stop)
