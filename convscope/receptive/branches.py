"""Where units of several branches meet: their union where they mix, side by side where not."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from convscope.receptive.seen import Axes, Axis, Dims, Factor, Seen, Unknown, length, lengths

Which = NDArray[np.intp]


def union(several: Iterable[Axes]) -> Axes:
    """What units see that see all of these."""
    return reduce(lambda one, two: tuple(map(Axis.union, one, two)), several)


def settled(
    axes: Axes | None, dims: Dims, branches: Sequence[Axes], which: Which, *, exact: bool = True
) -> Seen:
    """Without the branches that no unit is of, and those that see alike as one.

    `axes` is the union, where it is known; `which` may be as short as broadcasting allows.
    """
    there, places = np.unique(which, return_inverse=True)
    numbers: dict[Axes, int] = {}
    renamed = [numbers.setdefault(branches[int(old)], len(numbers)) for old in there]
    kept = tuple(numbers)
    if len(kept) == 1:
        return Seen(kept[0], dims, exact)
    whole = np.asarray(renamed, dtype=np.intp)[places.reshape(which.shape)]
    return Seen(
        union(kept) if axes is None else axes,
        dims,
        exact,
        kept,
        np.broadcast_to(whole, lengths(dims)),
    )


def mixed(seen: Seen, places: Collection[int], *, keep: bool) -> Seen:
    """Unite along the dimensions `places` what units see, each of which then is one unit.

    With `keep` there are as many units as before, all of which see that.
    """
    axes_in = {axis for place in places for axis, _ in seen.dims[place] if axis is not None}

    def change(axes: Axes) -> Axes:
        return tuple(
            (axis.spread() if keep else axis.all()) if number in axes_in else axis
            for number, axis in enumerate(axes)
        )

    dims = tuple(
        tuple((axis, 1) for axis, _ in dim) if place in places and not keep else dim
        for place, dim in enumerate(seen.dims)
    )
    owners = [place for place, dim in enumerate(seen.dims) for _ in dim]
    united = _united(seen, [number for number, place in enumerate(owners) if place in places])
    if united.which is None:
        return replace(united, axes=change(united.axes), dims=dims)
    changed = united.changed(change, dims)
    return replace(changed, which=np.broadcast_to(united.which, lengths(dims)))


def _united(seen: Seen, across: Sequence[int]) -> Seen:
    """The branches that meet along axes of `which`, which it then has no length along."""
    if seen.which is None:
        return seen
    across = [axis for axis in across if seen.which.shape[axis] > 1]
    if not across:
        return seen
    front = list(range(len(across)))
    turned = np.moveaxis(seen.which, across, front)
    left = turned.shape[len(across) :]
    numbers: dict[frozenset[int], int] = {}
    columns = turned.reshape(-1, int(np.prod(left, dtype=int))).T.tolist()
    found = [numbers.setdefault(frozenset(column), len(numbers)) for column in columns]
    branches = [
        seen.axes if len(met) == len(seen.branches) else union(seen.branches[n] for n in met)
        for met in numbers
    ]
    which = np.moveaxis(np.reshape(found, (*(1,) * len(across), *left)), front, across)
    if len(branches) == 1:
        return Seen(branches[0], seen.dims, seen.exact)
    return replace(seen, branches=tuple(branches), which=which)


def laid(seen: Seen, dims: Sequence[tuple[Factor, ...]]) -> Seen:
    """Other dimensions, in which the factors have the same order, some cut or joined."""
    which = seen.which
    if which is not None:
        which = which.reshape(lengths(tuple(dims)))
    return replace(seen, dims=tuple(dims), which=which)


def grouped(seen: Seen, place: int, groups: int) -> Seen:
    """A dimension of channels as two, groups and the channels in each; Unknown for another."""
    dim = seen.dims[place]
    each, rest = divmod(length(dim), groups)
    if rest or any(axis is not None and count > 1 for axis, count in dim):
        raise Unknown
    two = ((None, groups),), ((None, each),)
    return laid(seen, (*seen.dims[:place], *two, *seen.dims[place + 1 :]))


def joined(seen: Seen, place: int) -> Seen:
    """A dimension and the next one as one dimension of channels."""
    one = ((None, length(seen.dims[place]) * length(seen.dims[place + 1])),)
    return laid(seen, (*seen.dims[:place], one, *seen.dims[place + 2 :]))


def repeated(seen: Seen, place: int, count: int) -> Seen:
    """A dimension of one unit as `count` that see what it sees."""
    dims = (*seen.dims[:place], ((None, count),), *seen.dims[place + 1 :])
    if seen.which is None:
        return replace(seen, dims=dims)
    start = len(lengths(seen.dims[:place]))
    stop = start + len(seen.dims[place])
    shape = (*seen.which.shape[:start], 1, *seen.which.shape[stop:])
    return replace(seen, dims=dims, which=np.broadcast_to(seen.which.reshape(shape), lengths(dims)))


def broadcast(operands: Sequence[Seen], shape: Sequence[int]) -> Seen:
    """The union where operands meet element by element, broadcast to a shape."""
    dims = _frame([seen.dims for seen in operands], shape)
    axes = union(seen.axes for seen in operands)
    if not any(seen.branches for seen in operands):
        return Seen(axes, dims)
    met, branches = np.zeros((1,) * len(lengths(dims)), dtype=np.intp), list[Axes]([])
    for seen in operands:
        own, which = seen.branches or (seen.axes,), _within(seen, dims)
        if not branches:
            met, branches = which, list(own)
            continue
        pairs, places = np.unique(met * len(own) + which, return_inverse=True)
        whole = np.broadcast_shapes(met.shape, which.shape)
        met = places.reshape(whole)
        branches = [
            union([branches[int(pair) // len(own)], own[int(pair) % len(own)]]) for pair in pairs
        ]
    return settled(axes, dims, branches, met)


def _frame(several: Sequence[Dims], shape: Sequence[int]) -> Dims:
    """The dimensions of what operands of these give that meet element by element.

    Raises Unknown where one runs along the image otherwise than another.
    """
    found: list[tuple[Factor, ...]] = []
    for place, wanted in zip(range(-len(shape), 0), shape, strict=True):
        options = {dims[place] for dims in several if len(dims) >= -place}
        if any(length(dim) not in (1, wanted) for dim in options):
            raise Unknown
        options = {dim for dim in options if length(dim) == wanted}
        along = {dim for dim in options if any(axis is not None for axis, _ in dim)}
        if len(along) > 1 and wanted > 1:
            raise Unknown
        choice = along if len(along) == 1 else options
        found.append(choice.pop() if len(choice) == 1 else ((None, wanted),))
    axes = [axis for dim in found for axis, _ in dim if axis is not None]
    if len(axes) != len(set(axes)):
        raise Unknown
    return tuple(found)


def _within(seen: Seen, dims: Dims) -> Which:
    """`which` of an operand as it lies within the dimensions of a result."""
    if seen.which is None:
        return np.zeros((1,) * len(lengths(dims)), dtype=np.intp)
    which, missing, number = seen.which, len(dims) - len(seen.dims), 0
    shape = [1] * len(lengths(dims[:missing]))
    for own, wanted in zip(seen.dims, dims[missing:], strict=True):
        mine = range(number, number + len(own))
        number += len(own)
        if own == wanted:
            shape += which.shape[mine.start : mine.stop]
            continue
        if any(axis is not None for axis, _ in wanted):
            which = _flat(which, mine)
        flat = all(which.shape[axis] == 1 for axis in mine)
        shape += [1] * len(wanted) if flat else lengths((wanted,))
    return which.reshape(shape)


def _flat(which: Which, mine: Iterable[int]) -> Which:
    """Without length along axes that it does not differ along; raises Unknown where it does."""
    for axis in mine:
        first = which.take([0], axis)
        if (which != first).any():
            raise Unknown
        which = first
    return which


def side_by_side(several: Sequence[Seen], along: int) -> Seen:
    """One after the other along a dimension of channels.

    Raises Unknown where it, or another dimension of one of them, runs along the image.
    """
    along %= len(several[0].dims)
    ones = [joined(grouped(seen, along, 1), along) for seen in several]
    counts = [length(seen.dims[along]) for seen in ones]
    rest = [(*seen.dims[:along], ((None, 1),), *seen.dims[along + 1 :]) for seen in ones]
    shape = [max(length(dims[place]) for dims in rest) for place in range(len(rest[0]))]
    frame = _frame(rest, shape)
    dims = (*frame[:along], ((None, sum(counts)),), *frame[along + 1 :])
    full = {axis: count for dim in dims for axis, count in dim if axis is not None}
    branches, parts = list[Axes](), list[Which]()
    for seen, count in zip(ones, counts, strict=True):
        here = (*frame[:along], ((None, count),), *frame[along + 1 :])
        parts.append(np.broadcast_to(_within(seen, here), lengths(here)) + len(branches))
        branches += [
            tuple(axis.stretched(full.get(number, 1)) for number, axis in enumerate(axes))
            for axes in seen.branches or (seen.axes,)
        ]
    which = np.concatenate(parts, axis=len(lengths(frame[:along])))
    axes = union(
        tuple(axis.stretched(full.get(number, 1)) for number, axis in enumerate(seen.axes))
        for seen in ones
    )
    return settled(axes, dims, branches, which)


def nothing(shape: Sequence[int], like: Seen) -> Seen:
    """What units see that the image has no part in."""
    axes = tuple(axis.nothing() for axis in like.axes)
    return Seen(axes, tuple(((None, count),) for count in shape))
