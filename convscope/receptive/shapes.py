"""Operations that compute nothing: they reshape, reorder, cut, pad and put side by side."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from convscope.receptive.branches import (
    broadcast,
    grouped,
    joined,
    laid,
    nothing,
    settled,
    side_by_side,
)
from convscope.receptive.seen import Axes, Axis, Factor, Seen, Unknown, length, lengths
from convscope.receptive.windows import each_axis
from convscope.recording import Operation, Source

_ALL = slice(None)


def reshaped(operation: Operation, operands: Sequence[Seen]) -> Seen:
    return shared_out(operands[0], operation.shape)


def shared_out(seen: Seen, shape: Sequence[int]) -> Seen:
    """Share the factors of the old dimensions out to the new ones, in order."""
    if tuple(map(length, seen.dims)) == tuple(shape):
        return seen
    factors: list[Factor] = []
    for axis, count in (factor for dim in seen.dims for factor in dim if factor[1] != 1):
        if factors and axis is None and factors[-1][0] is None:
            count *= factors.pop()[1]  # noqa: PLW2901 -- channels by channels are channels
        factors.append((axis, count))
    if math.prod(count for _, count in factors) != math.prod(shape):
        raise Unknown
    dims: list[tuple[Factor, ...]] = []
    for wanted in shape:
        dim: list[Factor] = []
        left = wanted
        while left > 1:
            axis, count = factors.pop(0)
            common = math.gcd(left, count)
            if common != count:  # only channels may be cut in pieces
                if axis is not None or common == 1:
                    raise Unknown
                factors.insert(0, (axis, count // common))
            dim.append((axis, common))
            left //= common
        dims.append(tuple(dim) or ((None, 1),))
    return laid(seen, dims)


def permuted(operation: Operation, operands: Sequence[Seen]) -> Seen:
    seen, given = operands[0], operation.arguments
    order = list(range(len(seen.dims)))
    if operation.kind == "transpose":
        one, two = int(given["dim0"]), int(given["dim1"])
        order[one], order[two] = order[two], order[one]
    else:
        order = [int(place) % len(order) for place in given["dims"]]
    return _in_order(seen, order)


def _in_order(seen: Seen, order: Sequence[int]) -> Seen:
    dims = tuple(seen.dims[place] for place in order)
    if seen.which is None:
        return Seen(seen.axes, dims, seen.exact)
    starts = np.cumsum([0, *map(len, seen.dims)]).tolist()
    axes = [n for place in order for n in range(starts[place], starts[place + 1])]
    return Seen(seen.axes, dims, seen.exact, seen.branches, seen.which.transpose(axes))


def shuffled(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """Channels of groups in turn: the first of each group, then the second of each."""
    groups = operation.arguments.get("groups", operation.arguments.get("1"))
    apart = grouped(operands[0], 1, int(groups))
    order = [0, 2, 1, *range(3, len(apart.dims))]
    return joined(_in_order(apart, order), 1)


def cat(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """Side by side along channels; along an axis of the image only the whole is known."""
    given = operation.given
    several = _each(operation, operands, given["tensors"])
    dim = int(given.get("dim", given.get("axis", 0)))
    if operation.kind == "stack":
        dim %= len(operation.shape)
        shape = (*operation.shape[:dim], 1, *operation.shape[dim + 1 :])
        several = [shared_out(seen, shape) for seen in several]
    return side_by_side(several, dim)


def _each(operation: Operation, operands: Sequence[Seen], sources: Sequence[Any]) -> list[Seen]:
    """What each of several tensors sees; nothing where the image has no part in it."""
    known = dict(zip(operation.operands, operands, strict=True))
    found: list[Seen] = []
    for source in sources:
        is_known = isinstance(source, Source) and source.role == "result" and source.name in known
        shape = source.shape if isinstance(source, Source) else ()
        found.append(known[source.name] if is_known else nothing(shape, operands[0]))
    return found


def pieces(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """One piece of `chunk`, `split`, `tensor_split` or `unbind`."""
    seen, given = operands[0], operation.arguments
    position = "1" if operation.kind == "unbind" else "2"
    along = int(given.get("dim", given.get(position, 0))) % len(seen.dims)
    whole, piece = length(seen.dims[along]), operation.piece
    if operation.kind == "unbind":
        start, count = piece, 1
    else:
        start, count = _start(operation, whole), operation.shape[along]
    return shared_out(cut(seen, {along: range(start, start + count)}), operation.shape)


def _start(operation: Operation, whole: int) -> int:
    """Where a piece begins."""
    piece, given = operation.piece, operation.arguments
    how: Any = next(given[word] for word in _HOW if word in given)
    if operation.kind == "chunk":
        return piece * -(-whole // how)
    if operation.kind == "split":
        return piece * how if isinstance(how, int) else sum(how[:piece])
    if isinstance(how, int):
        each, longer = divmod(whole, how)
        return piece * each + min(piece, longer)
    return how[piece - 1] if piece else 0


_HOW = (
    *("chunks", "split_size", "split_size_or_sections", "sections", "indices"),
    *("indices_or_sections", "tensor_indices_or_sections", "1"),
)


def cut(seen: Seen, chosen: Mapping[int, Sequence[int]]) -> Seen:
    """Only these indices of some dimensions; along the image they must be evenly apart."""
    taken = dict[int, range]()
    for place, indices in chosen.items():
        if indices == range(length(seen.dims[place])):
            continue
        if _is_of_channels(seen.dims[place]):
            seen = _channels(seen, place, indices)
        elif isinstance(indices, range):
            axis = seen.along(place)
            taken[axis] = indices
            dims = (*seen.dims[:place], ((axis, len(indices)),), *seen.dims[place + 1 :])
            seen = laid(seen, dims)
        else:
            raise Unknown

    def change(axes: Axes) -> Axes:
        return tuple(axis.take(taken[n]) if n in taken else axis for n, axis in enumerate(axes))

    return seen.changed(change, seen.dims) if taken else seen


def _is_of_channels(dim: tuple[Factor, ...]) -> bool:
    return all(axis is None or (count == 1 and len(dim) > 1) for axis, count in dim)


def _channels(seen: Seen, place: int, indices: Sequence[int]) -> Seen:
    seen = joined(grouped(seen, place, 1), place)
    dims = (*seen.dims[:place], ((None, len(indices)),), *seen.dims[place + 1 :])
    if seen.which is None:
        return Seen(seen.axes, dims, seen.exact)
    which = seen.which.take(list(indices), len(lengths(seen.dims[:place])))
    return settled(None, dims, seen.branches, which, exact=seen.exact)


def indexed(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """`x[:, :, ::2, ::2]` and what else slices, whole numbers and a list of them say."""
    seen, chosen = operands[0], dict[int, Sequence[int]]()
    for place, choice in enumerate(_choices(operation.given["index"], len(seen.dims))):
        every = range(length(seen.dims[place]))
        if type(choice) is list:
            chosen[place] = [every[index] for index in cast("list[int]", choice)]
        else:
            chosen[place] = every[choice if isinstance(choice, slice) else _only(choice)]
    return shared_out(cut(seen, chosen), operation.shape)


def _only(index: int) -> slice:
    return slice(index, index + 1 or None)


def _choices(given: Any, count: int) -> list[Any]:
    """The index of every dimension: a slice, a number, one list of numbers at most.

    Raises Unknown for masks and for what else there is. New axes are left out.
    """
    index: list[Any] = [*given] if type(given) is tuple else [given]
    index = [choice for choice in index if choice is not None]
    lists: list[Any] = [choice for choice in index if type(choice) is list]
    plain = [choice for choice in index if type(choice) in (int, slice)]
    dots = [place for place, choice in enumerate(index) if choice is Ellipsis]
    if len(plain) + len(lists) + len(dots) < len(index) or len(lists) > 1 or len(dots) > 1:
        raise Unknown
    if lists and (any(type(k) is not int for k in lists[0]) or int in map(type, plain)):
        raise Unknown
    place = dots[0] if dots else len(index)
    return [*index[:place], *[_ALL] * (count - len(index) + len(dots)), *index[place + len(dots) :]]


def written(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """`x[:, :4] = y`: channels in a row that see what others do."""
    given = operation.given
    seen, value = _each(operation, operands, [given["input"], given["value"]])
    choices = _choices(given["index"], len(operation.shape))
    places = [place for place, choice in enumerate(choices) if choice != _ALL]
    if not places:
        return broadcast([value], operation.shape)
    place = places[0]
    every = range(operation.shape[place])
    choice = choices[place]
    if len(places) > 1 or type(choice) is list:
        raise Unknown
    inside = every[choice if isinstance(choice, slice) else _only(choice)]
    if inside.step != 1:
        raise Unknown
    there = (*operation.shape[:place], len(inside), *operation.shape[place + 1 :])
    if not isinstance(choice, slice):
        value = broadcast([value], (*there[:place], *there[place + 1 :]))
        value = shared_out(value, there)
    around = (every[: inside.start], every[inside.stop :])
    before, after = ([cut(seen, {place: kept})] if kept else [] for kept in around)
    return side_by_side([*before, broadcast([value], there), *after], place)


def padded(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """Padding of any dimensions by a constant."""
    seen, given = operands[0], operation.arguments
    if given.get("mode", "constant") != "constant":
        raise Unknown
    around = given["pad"]
    for n, (before, after) in enumerate(zip(around[::2], around[1::2], strict=True), start=1):
        place = len(seen.dims) - n
        if not (before or after):
            continue
        whole = length(seen.dims[place])
        if not _is_of_channels(seen.dims[place]):
            seen = cut(seen, {place: range(-before, whole + after)})
            continue
        inner = cut(seen, {place: range(max(0, -before), whole + min(0, after))})
        ends = [_empty(seen, place, count) for count in (before, after)]
        parts = (ends[0], inner, ends[1])
        seen = side_by_side([part for part in parts if length(part.dims[place])], place)
    return seen


def _empty(seen: Seen, place: int, count: int) -> Seen:
    """Channels of zeros."""
    shape = [1] * len(seen.dims)
    shape[place] = max(0, count)
    return nothing(shape, seen)


def enlarged(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """Nearest upsampling by whole factors."""
    seen = operands[0]
    if not operation.arguments.get("mode", "nearest").startswith("nearest"):
        raise Unknown

    def repeating(output: int) -> Callable[[Axis], Axis]:
        def change(axis: Axis) -> Axis:
            factor, rest = divmod(output, len(axis.support))
            if rest:
                raise Unknown
            return Axis(None, axis.support.repeat(factor))

        return change

    return each_axis(operation, seen, [repeating(side) for side in operation.shape[2:]])
