"""Operations that choose units: slices, pieces, shifts, copies, padding, writing."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from convscope.receptive.branches import (
    broadcast,
    concatenate,
    merge_channels,
    no_pixels,
    relayout,
    resolve,
    split_channels,
)
from convscope.receptive.field_map import (
    Axes,
    Factor,
    FieldMap,
    UnknownDependency,
    factor_shape,
    length,
)
from convscope.receptive.shapes import distribute, fields_of, in_order, interleave
from convscope.receptive.windows import per_axis
from convscope.recording import Operation

_ALL = slice(None)


def take(fields: FieldMap, chosen: Mapping[int, Sequence[int]]) -> FieldMap:
    """The units at these indices of some dimensions, in order; along the image also outside."""
    taken = dict[int, Sequence[int]]()
    for dim, indices in chosen.items():
        if indices == range(length(fields.dims[dim])):
            continue
        if _is_of_channels(fields.dims[dim]):
            fields = _take_channels(fields, dim, indices)
            continue
        axis = fields.image_axis(dim)
        taken[axis] = indices
        dims = (*fields.dims[:dim], ((axis, len(indices)),), *fields.dims[dim + 1 :])
        fields = relayout(fields, dims)

    def change(axes: Axes) -> Axes:
        return tuple(axis.take(taken[n]) if n in taken else axis for n, axis in enumerate(axes))

    return fields.map_axes(change, fields.dims) if taken else fields


def _is_of_channels(dim: tuple[Factor, ...]) -> bool:
    return all(axis is None or (count == 1 and len(dim) > 1) for axis, count in dim)


def _take_channels(fields: FieldMap, dim: int, indices: Sequence[int]) -> FieldMap:
    fields = merge_channels(split_channels(fields, dim, 1), dim)
    dims = (*fields.dims[:dim], ((None, len(indices)),), *fields.dims[dim + 1 :])
    if fields.branch_index is None:
        return FieldMap(fields.axes, dims, fields.exact)
    index = fields.branch_index.take(list(indices), len(factor_shape(fields.dims[:dim])))
    return resolve(None, dims, fields.branches, index, exact=fields.exact)


def chunk(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """One piece of `chunk`, `split`, `tensor_split` or `unbind`."""
    fields = operands[0]
    along = int(operation.argument_shapes.get("dim", 0)) % len(fields.dims)
    if operation.kind == "unbind":
        start, count = operation.output_index, 1
    else:
        start = _start(operation, length(fields.dims[along]))
        count = operation.shape[along]
    return distribute(take(fields, {along: range(start, start + count)}), operation.shape)


def _start(operation: Operation, side: int) -> int:
    """Where a piece begins."""
    piece, arguments = operation.output_index, operation.argument_shapes
    how: Any = next(arguments[name] for name in _PIECES if name in arguments)
    if operation.kind == "chunk":
        return piece * -(-side // how)
    if operation.kind == "split":
        return piece * how if isinstance(how, int) else sum(how[:piece])
    if isinstance(how, int):
        each, longer = divmod(side, how)
        return piece * each + min(piece, longer)
    return how[piece - 1] if piece else 0


_PIECES = (
    *("chunks", "split_size", "split_size_or_sections", "sections", "indices"),
    *("indices_or_sections", "tensor_indices_or_sections"),
)
"""The arguments that say how many pieces there are, or how long."""


def narrow(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """`narrow`: some units in a row."""
    arguments, fields = operation.argument_shapes, operands[0]
    dim = int(arguments["dim"]) % len(fields.dims)
    start = int(arguments["start"]) % length(fields.dims[dim])
    return take(fields, {dim: range(start, start + int(arguments["length"]))})


def select(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """`select`: one index of a dimension, which the result no longer has."""
    arguments, fields = operation.argument_shapes, operands[0]
    dim = int(arguments["dim"]) % len(fields.dims)
    index = int(arguments["index"]) % length(fields.dims[dim])
    return distribute(take(fields, {dim: range(index, index + 1)}), operation.shape)


def index(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """`x[:, :, ::2, ::2]`: slices, integers, and one list of integers."""
    fields, chosen = operands[0], dict[int, Sequence[int]]()
    for dim, choice in enumerate(_choices(operation.arguments["index"], len(fields.dims))):
        every = range(length(fields.dims[dim]))
        if type(choice) is list:
            chosen[dim] = [every[index] for index in cast("list[int]", choice)]
        else:
            chosen[dim] = every[choice if isinstance(choice, slice) else _only(choice)]
    return distribute(take(fields, chosen), operation.shape)


def _only(index: int) -> slice:
    return slice(index, index + 1 or None)


def _choices(argument: Any, count: int) -> list[Any]:
    """The index of every dimension: a slice, an integer, at most one list of integers.

    Raises UnknownDependency for masks and other tensors. New axes are left out.
    """
    index: list[Any] = [*argument] if type(argument) is tuple else [argument]
    index = [choice for choice in index if choice is not None]
    lists: list[Any] = [choice for choice in index if type(choice) is list]
    plain = [choice for choice in index if type(choice) in (int, slice)]
    dots = [position for position, choice in enumerate(index) if choice is Ellipsis]
    if len(plain) + len(lists) + len(dots) < len(index) or len(lists) > 1 or len(dots) > 1:
        raise UnknownDependency
    if lists and (any(type(k) is not int for k in lists[0]) or int in map(type, plain)):
        raise UnknownDependency
    position = dots[0] if dots else len(index)
    missing = count - len(index) + len(dots)
    return [*index[:position], *[_ALL] * missing, *index[position + len(dots) :]]


def write(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """`x[:, :4] = y`: channels in a row get the fields of others."""
    arguments = operation.arguments
    fields, value = fields_of([arguments["input"], arguments["value"]], operation, operands)
    choices = _choices(arguments["index"], len(operation.shape))
    chosen = [dim for dim, choice in enumerate(choices) if choice != _ALL]
    if not chosen:
        return broadcast([value], operation.shape)
    dim = chosen[0]
    every = range(operation.shape[dim])
    choice = choices[dim]
    if len(chosen) > 1 or type(choice) is list:
        raise UnknownDependency
    inside = every[choice if isinstance(choice, slice) else _only(choice)]
    if inside.step != 1:
        raise UnknownDependency
    shape = (*operation.shape[:dim], len(inside), *operation.shape[dim + 1 :])
    if not isinstance(choice, slice):
        value = broadcast([value], (*shape[:dim], *shape[dim + 1 :]))
        value = distribute(value, shape)
    around = (every[: inside.start], every[inside.stop :])
    before, after = ([take(fields, {dim: kept})] if kept else [] for kept in around)
    return concatenate([*before, broadcast([value], shape), *after], dim)


def flip(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """`flip`, `fliplr`, `flipud`: backwards along some dimensions."""
    dims = {"fliplr": 1, "flipud": 0}.get(operation.kind, operation.argument_shapes.get("dims"))
    return _flipped(operands[0], per_axis(dims, 1))


def _flipped(fields: FieldMap, dims: Sequence[int]) -> FieldMap:
    along = [dim % len(fields.dims) for dim in dims]
    return take(fields, {dim: range(length(fields.dims[dim]))[::-1] for dim in along})


def rot90(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """`rot90`: quarter turns from the first of two dimensions to the second."""
    arguments, fields = operation.argument_shapes, operands[0]
    turns = int(arguments.get("k", 1)) % 4
    first, second = (dim % len(fields.dims) for dim in arguments.get("dims", (0, 1)))
    fields = _flipped(fields, [(), (second,), (first, second), (first,)][turns])
    order = list(range(len(fields.dims)))
    if turns % 2:
        order[first], order[second] = second, first
    return in_order(fields, order)


def roll(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """`roll`: shifted around along some dimensions."""
    arguments, fields = operation.argument_shapes, operands[0]
    dims = per_axis(arguments.get("dims", ()), 1)
    if not dims:  # along the flattened tensor
        raise UnknownDependency
    chosen = dict[int, Sequence[int]]()
    for dim, shift in zip(dims, per_axis(arguments["shifts"], 1), strict=True):
        side = length(fields.dims[dim])
        chosen[dim % len(fields.dims)] = [(unit - shift) % side for unit in range(side)]
    return take(fields, chosen)


def repeat(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """`repeat`, `tile`: copies of the whole, one after the other."""
    fields = operands[0]
    missing = len(operation.shape) - len(fields.dims)
    fields = relayout(fields, [*[((None, 1),)] * missing, *fields.dims])
    sides = [length(dim) for dim in fields.dims]
    return take(
        fields,
        {
            dim: [unit % side for unit in range(operation.shape[dim])]
            for dim, side in enumerate(sides)
            if operation.shape[dim] != side
        },
    )


def repeat_interleave(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """`repeat_interleave`: copies of each unit beside it."""
    arguments, fields = operation.argument_shapes, operands[0]
    if not isinstance(arguments.get("dim"), int) or not isinstance(arguments["repeats"], int):
        raise UnknownDependency
    dim, repeats = arguments["dim"] % len(fields.dims), arguments["repeats"]
    side = length(fields.dims[dim])
    return take(fields, {dim: [unit // repeats for unit in range(side * repeats)]})


def pixel_shuffle(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """Channels become a finer grid; where they differ, the union of all is taken."""
    fields = operands[0].merged()
    if not _is_of_channels(fields.dims[1]):
        raise UnknownDependency
    fields = take(fields, {1: range(operation.shape[1])})
    factor = int(operation.argument_shapes["upscale_factor"])
    return take(fields, {d: [unit // factor for unit in range(operation.shape[d])] for d in (2, 3)})


def pixel_unshuffle(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """The units of a finer grid become channels."""
    factor = int(operation.argument_shapes["downscale_factor"])
    offsets = range(factor)
    grids = [
        [range(offset, offset + factor * side, factor) for offset in offsets]
        for side in operation.shape[2:]
    ]
    return _to_channels(operands[0], grids)


def unfold(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """Patches: `F.unfold` as channels (im2col), `Tensor.unfold` as a last dimension."""
    arguments, fields = operation.argument_shapes, operands[0]
    if "dimension" in arguments:
        dim = int(arguments["dimension"]) % len(fields.dims)
        step, side = int(arguments["step"]), operation.shape[dim]
        shape = (*operation.shape[:-1], 1)
        pieces = [
            distribute(take(fields, {dim: range(first, first + step * side, step)}), shape)
            for first in range(int(arguments["size"]))
        ]
        return concatenate(pieces, -1)
    names = ("kernel_size", "stride", "padding", "dilation")
    usual = {"stride": 1, "padding": 0, "dilation": 1}
    settings = zip(*(per_axis(arguments.get(n, usual.get(n)), 2) for n in names), strict=True)
    grids: list[list[range]] = []
    for dim, (kernel, stride, padding, dilation) in enumerate(settings, start=2):
        side = length(fields.dims[dim]) + 2 * padding - dilation * (kernel - 1) - 1
        count = side // stride + 1
        firsts = [tap * dilation - padding for tap in range(kernel)]
        grids.append([range(first, first + stride * count, stride) for first in firsts])
    return distribute(_to_channels(fields, grids), operation.shape)


def _to_channels(fields: FieldMap, grids: Sequence[Sequence[range]]) -> FieldMap:
    """For each channel, a new channel for each pair of a grid of rows and one of columns."""
    rows, columns = grids
    pieces = [take(fields, {2: row, 3: column}) for row in rows for column in columns]
    return interleave(concatenate(pieces, 1), len(pieces))


def pad(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """Padding: by a constant along any dimension, or by units of the image itself."""
    fields, arguments = operands[0], operation.argument_shapes
    mode = arguments.get("mode", "constant")
    around = arguments["pad"]
    for n, (before, after) in enumerate(zip(around[::2], around[1::2], strict=True), start=1):
        dim = len(fields.dims) - n
        side = length(fields.dims[dim])
        if not (before or after):
            continue
        if mode != "constant":
            fields = take(
                fields, {dim: [_MODES[mode](i, side) for i in range(-before, side + after)]}
            )
            continue
        if not _is_of_channels(fields.dims[dim]):
            fields = take(fields, {dim: range(-before, side + after)})
            continue
        inner = take(fields, {dim: range(max(0, -before), side + min(0, after))})
        ends = [_zeros(fields, dim, count) for count in (before, after)]
        parts = (ends[0], inner, ends[1])
        fields = concatenate([part for part in parts if length(part.dims[dim])], dim)
    return fields


_MODES: dict[str, Callable[[int, int], int]] = {
    "reflect": lambda index, side: side - 1 - abs(side - 1 - abs(index)),
    "replicate": lambda index, side: min(max(index, 0), side - 1),
    "circular": lambda index, side: index % side,
}
"""The unit that padding copies to an index outside."""


def _zeros(fields: FieldMap, dim: int, count: int) -> FieldMap:
    """Channels of zeros."""
    shape = [1] * len(fields.dims)
    shape[dim] = max(0, count)
    return no_pixels(shape, fields)
