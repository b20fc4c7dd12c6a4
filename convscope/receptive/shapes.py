"""Operations that keep every unit: they reshape, reorder, join and spread."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from convscope.receptive.branches import (
    broadcast,
    concatenate,
    merge_channels,
    no_pixels,
    relayout,
    split_channels,
)
from convscope.receptive.field_map import Factor, FieldMap, UnknownDependency, length
from convscope.receptive.windows import per_axis
from convscope.recording import Operation, Source


def reshape(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """The same units in the same order, in other dimensions."""
    return distribute(operands[0], operation.shape)


def distribute(fields: FieldMap, shape: Sequence[int]) -> FieldMap:
    """Distribute the factors of the dimensions over those of another shape, in order."""
    if tuple(map(length, fields.dims)) == tuple(shape):
        return fields
    factors: list[Factor] = []
    for axis, count in (factor for dim in fields.dims for factor in dim if factor[1] != 1):
        if factors and axis is None and factors[-1][0] is None:
            count *= factors.pop()[1]  # noqa: PLW2901 -- channels by channels are channels
        factors.append((axis, count))
    if math.prod(count for _, count in factors) != math.prod(shape):
        raise UnknownDependency
    dims: list[tuple[Factor, ...]] = []
    for side in shape:
        dim: list[Factor] = []
        left = side
        while left > 1:
            axis, count = factors.pop(0)
            common = math.gcd(left, count)
            if common != count:  # only channels may be cut in pieces
                if axis is not None or common == 1:
                    raise UnknownDependency
                factors.insert(0, (axis, count // common))
            dim.append((axis, common))
            left //= common
        dims.append(tuple(dim) or ((None, 1),))
    return relayout(fields, dims)


def permute(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """Dimensions in another order."""
    return in_order(operands[0], _order(operation, len(operands[0].dims)))


def _order(operation: Operation, count: int) -> list[int]:
    arguments, order = operation.argument_shapes, list(range(count))
    match operation.kind:
        case "permute":
            return [int(dim) % count for dim in arguments["dims"]]
        case "movedim" | "moveaxis":
            sources, targets = (
                [int(dim) % count for dim in per_axis(arguments[name], 1)]
                for name in ("source", "destination")
            )
            order = [dim for dim in order if dim not in sources]
            for target, source in sorted(zip(targets, sources, strict=True)):
                order.insert(target, source)
            return order
        case "T":
            return order[::-1]
        case "mT":
            first, second = -2, -1
        case "t":
            first, second = 0, count - 1
        case _:
            first, second = int(arguments["dim0"]), int(arguments["dim1"])
    order[first], order[second] = order[second], order[first]
    return order


def in_order(fields: FieldMap, order: Sequence[int]) -> FieldMap:
    """The dimensions in this order."""
    dims = tuple(fields.dims[dim] for dim in order)
    if fields.branch_index is None:
        return FieldMap(fields.axes, dims, fields.exact)
    starts = np.cumsum([0, *map(len, fields.dims)]).tolist()
    factors = [n for dim in order for n in range(starts[dim], starts[dim + 1])]
    index = fields.branch_index.transpose(factors)
    return FieldMap(fields.axes, dims, fields.exact, fields.branches, index)


def channel_shuffle(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """Channels of groups in turn: the first of each group, then the second of each."""
    return interleave(operands[0], int(operation.argument_shapes["groups"]))


def interleave(fields: FieldMap, groups: int) -> FieldMap:
    """The first channel of each group, then the second of each, and so on."""
    split = split_channels(fields, 1, groups)
    return merge_channels(in_order(split, [0, 2, 1, *range(3, len(split.dims))]), 1)


def concatenation(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """Side by side along channels or an axis of the image."""
    arguments = operation.arguments
    several = fields_of(arguments["tensors"], operation, operands)
    dim = int(arguments.get("dim", arguments.get("axis", 0)))
    if operation.kind == "stack":
        dim %= len(operation.shape)
        shape = (*operation.shape[:dim], 1, *operation.shape[dim + 1 :])
        several = [distribute(fields, shape) for fields in several]
    elif operation.kind == "hstack":
        dim = min(1, len(operation.shape) - 1)
    elif operation.kind == "vstack":
        several = [
            fields if len(fields.dims) > 1 else distribute(fields, (1, *map(length, fields.dims)))
            for fields in several
        ]
    return concatenate(several, dim)


def copy(operation: Operation, operands: Sequence[FieldMap]) -> FieldMap:
    """`copy_`: what is written over no longer counts."""
    return broadcast(fields_of([operation.arguments["src"]], operation, operands), operation.shape)


def fields_of(
    sources: Sequence[Any], operation: Operation, operands: Sequence[FieldMap]
) -> list[FieldMap]:
    """The fields of several arguments; of no pixels where one does not depend on the image."""
    known = dict(zip(operation.operands, operands, strict=True))
    several: list[FieldMap] = []
    for source in sources:
        is_known = isinstance(source, Source) and source.role == "result" and source.name in known
        shape = source.shape if isinstance(source, Source) else ()
        several.append(known[source.name] if is_known else no_pixels(shape, operands[0]))
    return several
