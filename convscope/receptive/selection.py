"""Operations that choose units along dimensions: slices, pieces, shifts, copies."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from convscope.receptive.axis_field import Pixels, Run, squeezed, taken
from convscope.receptive.copying import move
from convscope.receptive.field_map import FieldMap
from convscope.receptive.inputs import Inputs
from convscope.receptive.shapes import in_order, reshaped
from convscope.receptive.windows import per_axis
from convscope.recording import Source
from convscope.recording.operation import sources_in


def take(fields: FieldMap, chosen: Mapping[int, Sequence[int]]) -> FieldMap:
    """The units at these indices of some dimensions, in order."""
    for dim, indices in chosen.items():
        length = fields.shape[dim]
        if indices == range(length):
            continue
        shape = (*fields.shape[:dim], len(indices), *fields.shape[dim + 1 :])
        cut = _slice(indices)
        fields = fields.moved(_taking(dim, indices, cut), shape, _run_in(dim, cut))
    return fields


def _slice(indices: Sequence[int]) -> slice | None:
    """The slice that chooses the same."""
    if not isinstance(indices, range) or not len(indices):
        return None
    stop = indices.stop if indices.step > 0 or indices.stop >= 0 else None
    return slice(indices.start, stop, indices.step)


def _taking(dim: int, indices: Sequence[int], cut: slice | None) -> Any:
    def change(numbers: Pixels) -> Pixels:
        if cut is None:
            several = numbers.ndim > 1 and numbers.size > numbers.shape[dim] > 1
            moved = taken(numbers, dim, np.asarray(indices, dtype=np.intp))
            return squeezed(moved) if several else moved
        if numbers.shape[dim] == 1:
            return numbers
        moved = numbers[(slice(None),) * dim + (cut,)]
        return squeezed(moved) if moved.size > moved.shape[dim] else moved

    return change


def _run_in(dim: int, cut: slice | None) -> Any:
    def change(run: Run) -> Run | None:
        if run[0] != dim:
            return run
        return None if cut is None else (dim, run[1] * (cut.step or 1))

    return change


def chunk(inputs: Inputs) -> FieldMap:
    """One piece of `chunk`, `split`, `tensor_split` or `unbind`."""
    fields, settings = inputs.first, inputs.settings
    operation = inputs.operation
    along = int(settings.get("dim", 0)) % len(fields.shape)
    units = torch.arange(fields.shape[along])
    if operation.kind == "unbind":
        piece = units[operation.output_index, None]
    else:
        how: Any = next(operation.arguments[name] for name in _PIECES if name in settings)
        how = inputs.value(how) if isinstance(how, Source) else how
        cut = getattr(units, operation.kind)
        piece = cut(how)[operation.output_index]
    first = int(piece[0]) if len(piece) else 0
    return reshaped(take(fields, {along: range(first, first + len(piece))}), operation.shape)


_PIECES = (
    *("chunks", "split_size", "split_sizes", "split_size_or_sections", "sections", "indices"),
    *("indices_or_sections", "tensor_indices_or_sections"),
)
"""The arguments that say how many pieces there are, or how long."""


def narrow(inputs: Inputs) -> FieldMap:
    """`narrow`: some units in a row."""
    settings, fields = inputs.settings, inputs.first
    dim = int(settings["dim"]) % len(fields.shape)
    start = inputs.operation.arguments["start"]
    start = int(inputs.value(start) if isinstance(start, Source) else start)
    start = start + fields.shape[dim] if start < 0 else start
    return take(fields, {dim: range(start, start + int(settings["length"]))})


def select(inputs: Inputs) -> FieldMap:
    """`select`: one index of a dimension, which the result no longer has."""
    settings, fields = inputs.settings, inputs.first
    dim = int(settings["dim"]) % len(fields.shape)
    index = int(settings["index"]) % fields.shape[dim]
    return take(fields, {dim: range(index, index + 1)}).without([dim])


def index(inputs: Inputs) -> FieldMap:
    """`x[:, :, ::2, None]`: slices, integers and new axes; or tensors and lists."""
    fields, argument = inputs.of(inputs.operation.arguments["input"]), inputs.operation.arguments
    choices = _choices(argument["index"], len(fields.shape))
    if choices is None or len(inputs.operation.operands) > 1:
        return move(inputs)
    chosen = dict[int, Sequence[int]]()
    for dim, choice in enumerate(choices):
        every = range(fields.shape[dim])
        chosen[dim] = every[choice if isinstance(choice, slice) else _only(choice)]
    return reshaped(take(fields, chosen), inputs.operation.shape)


def _only(index: int) -> slice:
    return slice(index, index + 1 or None)


def _choices(argument: Any, count: int) -> list[slice | int] | None:
    """The index of every dimension, a slice or an integer; None for any other.

    New axes are left out.
    """
    index: list[Any] = [*argument] if type(argument) is tuple else [argument]
    index = [choice for choice in index if choice is not None]
    dots = [position for position, choice in enumerate(index) if choice is Ellipsis]
    plain = [choice for choice in index if _is_plain(choice)]
    if len(plain) + len(dots) < len(index) or len(dots) > 1:
        return None
    position = dots[0] if dots else len(index)
    missing = count - len(index) + len(dots)
    return [*index[:position], *[slice(None)] * missing, *index[position + len(dots) :]]


def _is_plain(choice: Any) -> bool:
    if type(choice) is slice:
        return not sources_in([choice.start, choice.stop, choice.step])
    return type(choice) is int


def flip(inputs: Inputs) -> FieldMap:
    """`flip`, `fliplr`, `flipud`: backwards along some dimensions."""
    dims = {"fliplr": 1, "flipud": 0}.get(inputs.operation.kind, inputs.settings.get("dims"))
    return _flipped(inputs.first, per_axis(dims, 1))


def _flipped(fields: FieldMap, dims: Iterable[int]) -> FieldMap:
    along = [dim % len(fields.shape) for dim in dims]
    return take(fields, {dim: range(fields.shape[dim])[::-1] for dim in along})


def rot90(inputs: Inputs) -> FieldMap:
    """`rot90`: quarter turns from the first of two dimensions to the second."""
    settings, fields = inputs.settings, inputs.first
    turns = int(settings.get("k", 1)) % 4
    first, second = (dim % len(fields.shape) for dim in settings.get("dims", (0, 1)))
    fields = _flipped(fields, [(), (second,), (first, second), (first,)][turns])
    order = list(range(len(fields.shape)))
    if turns % 2:
        order[first], order[second] = second, first
    return in_order(fields, order)


def roll(inputs: Inputs) -> FieldMap:
    """`roll`: shifted around along some dimensions, or along all in a row."""
    settings, fields = inputs.settings, inputs.first
    shifts, dims = (per_axis(settings.get(name, ()), 1) for name in ("shifts", "dims"))
    if not dims:
        return move(inputs)
    for dim, shift in zip(dims, shifts, strict=True):
        along = int(dim) % len(fields.shape)
        side = fields.shape[along]
        fields = take(fields, {along: [(unit - int(shift)) % side for unit in range(side)]})
    return fields


def repeat(inputs: Inputs) -> FieldMap:
    """`repeat`, `tile`: copies of the whole, one after the other."""
    shape = inputs.operation.shape
    fields = inputs.first.aligned(len(shape))
    sides = fields.shape
    return take(
        fields,
        {
            dim: [unit % side for unit in range(shape[dim])]
            for dim, side in enumerate(sides)
            if shape[dim] != side
        },
    )


def repeat_interleave(inputs: Inputs) -> FieldMap:
    """`repeat_interleave`: copies of each unit beside it."""
    settings, fields = inputs.settings, inputs.first
    if not isinstance(settings.get("dim"), int) or not isinstance(settings["repeats"], int):
        return move(inputs)
    dim, repeats = settings["dim"] % len(fields.shape), settings["repeats"]
    return take(fields, {dim: [unit // repeats for unit in range(fields.shape[dim] * repeats)]})
