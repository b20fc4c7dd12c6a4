"""Operations that mix units: element by element, over whole dimensions, or in unknown ways."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from convscope.receptive.seen import Seen, Unknown, together
from convscope.receptive.windows import per_axis
from convscope.record import Operation


def everything(operation: Operation, operands: Sequence[Seen]) -> Seen:
    axes = (together(column).all() for column in zip(*(o.axes for o in operands), strict=True))
    return Seen(tuple(axes), tuple(((None, n),) for n in operation.shape), exact=False)


def same(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """Element by element: the union of the operands, broadcast."""
    largest = max(operands, key=lambda seen: math.prod(n for dim in seen.dims for _, n in dim))
    if math.prod(operation.shape) != math.prod(n for dim in largest.dims for _, n in dim):
        raise Unknown
    axes = list(largest.axes)
    for seen in operands:
        axes = [one.union(two) for one, two in zip(axes, seen.axes, strict=True)]
    return replace(largest, axes=tuple(axes))


def dense(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """Units that each see the whole of the last dimension."""
    seen = _collapsed(operands[0], [-1])
    return replace(seen, dims=(*seen.dims[:-1], ((None, operation.shape[-1]),)))


def _collapsed(seen: Seen, dims: Iterable[int]) -> Seen:
    """Take dimensions together, of which length 1 is left."""
    axes, left = list(seen.axes), list(seen.dims)
    for dim in dims:
        for axis in (axis for axis, _ in seen.dims[dim] if axis is not None):
            axes[axis] = axes[axis].all()
        left[dim] = ((None, 1),)
    return replace(seen, axes=tuple(axes), dims=tuple(left))


def reduced(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """`mean` and its kin over some dimensions."""
    seen, wanted = operands[0], operation.arguments.get("dim")
    count = len(seen.dims)
    dims = range(count) if wanted is None else [d % count for d in per_axis(wanted, 1)]
    found = _collapsed(seen, dims)
    if len(operation.shape) == count:
        return found
    return replace(found, dims=tuple(d for place, d in enumerate(found.dims) if place not in dims))


def mixed(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """Units that each depend on all along one dimension: softmax, layer and group norm."""
    seen, given = operands[0], operation.arguments
    count = len(seen.dims)
    dims: Iterable[int]
    if operation.kind == "layer_norm":
        dims = range(count - len(given.get("normalized_shape", given.get("1", ()))), count)
    elif operation.kind in ("group_norm", "instance_norm"):
        dims = range(1, count)
    else:
        dims = [given.get("dim", 1)]
    axes = list(seen.axes)
    for axis in {axis for dim in dims for axis, _ in seen.dims[dim] if axis is not None}:
        axes[axis] = axes[axis].spread()
    return replace(seen, axes=tuple(axes))
