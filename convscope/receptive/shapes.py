"""Operations that compute nothing: they reshape, reorder, cut, pad and put side by side."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from convscope.receptive.seen import Axis, Factor, Seen, Unknown, together
from convscope.record import Operation


def reshaped(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """Share the factors of the old dimensions out to the new ones, in order."""
    factors = [factor for dim in operands[0].dims for factor in dim if factor[1] != 1]
    dims: list[tuple[Factor, ...]] = []
    for wanted in operation.shape:
        dim: list[Factor] = []
        left = wanted
        while left > 1:
            axis, length = factors.pop(0)
            common = math.gcd(left, length)
            if common != length:  # only channels may be cut in pieces
                if axis is not None or common == 1:
                    raise Unknown
                factors.insert(0, (axis, length // common))
            dim.append((axis, common))
            left //= common
        dims.append(tuple(dim) or ((None, 1),))
    return replace(operands[0], dims=tuple(dims))


def permuted(operation: Operation, operands: Sequence[Seen]) -> Seen:
    dims, given = operands[0].dims, operation.arguments
    order = list(range(len(dims)))
    if operation.kind == "transpose":
        one, two = int(given["dim0"]), int(given["dim1"])
        order[one], order[two] = order[two], order[one]
    else:
        order = [int(place) for place in given["dims"]]
    return replace(operands[0], dims=tuple(dims[place] for place in order))


def cat(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """Side by side along channels; along an axis of the image only the whole is known."""
    along = int(operation.arguments.get("dim", 0)) % len(operation.shape)
    if any(axis is not None for seen in operands for axis, _ in seen.dims[along]):
        raise Unknown
    axes = tuple(map(together, zip(*(seen.axes for seen in operands), strict=True)))
    dims = list(operands[0].dims)
    dims[along] = ((None, operation.shape[along]),)
    return Seen(axes, tuple(dims))


def pieces(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """`chunk` and `split` along channels."""
    seen, given = operands[0], operation.arguments
    along = int(given.get("dim", 0)) % len(seen.dims)
    if any(axis is not None for axis, _ in seen.dims[along]):
        raise Unknown
    dims = list(seen.dims)
    dims[along] = ((None, operation.shape[along]),)
    return replace(seen, dims=tuple(dims))


def indexed(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """`x[:, :, ::2, ::2]` and what else slices and whole numbers say."""
    seen = operands[0]
    axes, dims = list(seen.axes), list[tuple[Factor, ...]]()
    for dim, choice in zip(seen.dims, _choices(operation, len(seen.dims)), strict=True):
        every = range(math.prod(length for _, length in dim))
        chosen = every[choice] if isinstance(choice, slice) else every[choice : choice + 1 or None]
        axis = None
        if any(axis is not None for axis, _ in dim):
            axis = seen.along(len(dims))
            axes[axis] = axes[axis].take(chosen)
        dims.append(((axis, len(chosen)),))
    return reshaped(operation, [replace(seen, axes=tuple(axes), dims=tuple(dims))])


def _choices(operation: Operation, count: int) -> list[int | slice]:
    """The index of every dimension. Raises Unknown for masks, lists and new axes."""
    given: Any = operation.arguments["index"]
    index: list[Any] = [*given] if isinstance(given, tuple) else [given]
    if any(not isinstance(choice, int | slice) and choice is not Ellipsis for choice in index):
        raise Unknown
    place = index.index(Ellipsis) if Ellipsis in index else len(index)
    missing = [slice(None)] * (count - sum(choice is not Ellipsis for choice in index))
    return [*index[:place], *missing, *index[place + 1 :]]


def padded(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """Padding of any dimensions by a constant."""
    seen, given = operands[0], operation.arguments
    if given.get("mode", "constant") != "constant":
        raise Unknown
    axes, dims, around = list(seen.axes), list(seen.dims), given["pad"]
    for place, (before, after) in enumerate(zip(around[::2], around[1::2], strict=True), start=1):
        if not (before or after):
            continue
        if all(axis is None for axis, _ in dims[-place]):
            dims[-place] = ((None, operation.shape[-place]),)
        else:
            axis = seen.along(-place)
            length = len(axes[axis].support)
            axes[axis] = axes[axis].take(range(-before, length + after))
            dims[-place] = ((axis, length + before + after),)
    return replace(seen, axes=tuple(axes), dims=tuple(dims))


def enlarged(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """Nearest upsampling by whole factors."""
    seen = operands[0]
    if operation.arguments.get("mode", "nearest") != "nearest":
        raise Unknown
    axes, dims = list(seen.axes), list(seen.dims)
    for place in range(2, len(dims)):
        axis = seen.along(place)
        factor, rest = divmod(operation.shape[place], len(axes[axis].support))
        if rest:
            raise Unknown
        axes[axis] = Axis(None, axes[axis].support.repeat(factor))
        dims[place] = ((axis, operation.shape[place]),)
    return replace(seen, axes=tuple(axes), dims=tuple(dims))
