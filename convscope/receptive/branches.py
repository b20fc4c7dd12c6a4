"""Where units of several branches meet: their union where they mix, side by side where not."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import reduce

import numpy as np

from convscope.receptive.field_map import (
    Axes,
    AxisField,
    BranchIndex,
    Dims,
    Factor,
    FieldMap,
    UnknownDependency,
    factor_shape,
    length,
)


def union(several: Iterable[Axes]) -> Axes:
    """The fields of units that depend on all of these."""
    return reduce(lambda left, right: tuple(map(AxisField.union, left, right)), several)


def resolve(
    axes: Axes | None,
    dims: Dims,
    branches: Sequence[Axes],
    branch_index: BranchIndex,
    *,
    exact: bool = True,
) -> FieldMap:
    """Drop the branches without units, and make one branch of those with equal fields.

    `axes` is the union, where it is known; `branch_index` may be as short as broadcasting allows.
    """
    used, positions = np.unique(branch_index, return_inverse=True)
    numbers: dict[Axes, int] = {}
    renumbered = [numbers.setdefault(branches[int(old)], len(numbers)) for old in used]
    kept = tuple(numbers)
    if len(kept) == 1:
        return FieldMap(kept[0], dims, exact)
    index = np.asarray(renumbered, dtype=np.intp)[positions.reshape(branch_index.shape)]
    return FieldMap(
        union(kept) if axes is None else axes,
        dims,
        exact,
        kept,
        np.broadcast_to(index, factor_shape(dims)),
    )


def mix(fields: FieldMap, along: Collection[int], *, keep: bool) -> FieldMap:
    """Unite the fields along some dimensions, each of which then has length 1.

    With `keep` there are as many units as before, all of which have the united field.
    """
    axes_in = {axis for dim in along for axis, _ in fields.dims[dim] if axis is not None}

    def change(axes: Axes) -> Axes:
        return tuple(
            (axis.spread() if keep else axis.all()) if number in axes_in else axis
            for number, axis in enumerate(axes)
        )

    dims = tuple(
        tuple((axis, 1) for axis, _ in factors) if dim in along and not keep else factors
        for dim, factors in enumerate(fields.dims)
    )
    owners = [dim for dim, factors in enumerate(fields.dims) for _ in factors]
    united = _mix_branches(fields, [factor for factor, dim in enumerate(owners) if dim in along])
    if united.branch_index is None:
        return replace(united, axes=change(united.axes), dims=dims)
    changed = united.map_axes(change, dims)
    index = np.broadcast_to(united.branch_index, factor_shape(dims))
    return replace(changed, branch_index=index)


def _mix_branches(fields: FieldMap, factors: Sequence[int]) -> FieldMap:
    """Unite the branches that meet along factors, where `branch_index` then has length 1."""
    index = fields.branch_index
    if index is None:
        return fields
    factors = [factor for factor in factors if index.shape[factor] > 1]
    if not factors:
        return fields
    front = list(range(len(factors)))
    turned = np.moveaxis(index, factors, front)
    rest = turned.shape[len(factors) :]
    numbers: dict[frozenset[int], int] = {}
    columns = turned.reshape(-1, int(np.prod(rest, dtype=int))).T.tolist()
    sets = [numbers.setdefault(frozenset(column), len(numbers)) for column in columns]
    branches = [
        fields.axes if len(met) == len(fields.branches) else union(fields.branches[n] for n in met)
        for met in numbers
    ]
    if len(branches) == 1:
        return FieldMap(branches[0], fields.dims, fields.exact)
    index = np.moveaxis(np.reshape(sets, (*(1,) * len(factors), *rest)), front, factors)
    return replace(fields, branches=tuple(branches), branch_index=index)


def relayout(fields: FieldMap, dims: Sequence[tuple[Factor, ...]]) -> FieldMap:
    """Other dimensions of the same factors in the same order, some of them split or merged."""
    index = fields.branch_index
    if index is not None:
        index = index.reshape(factor_shape(tuple(dims)))
    return replace(fields, dims=tuple(dims), branch_index=index)


def split_channels(fields: FieldMap, dim: int, groups: int) -> FieldMap:
    """A dimension of channels as two: the groups, and the channels in each.

    Raises UnknownDependency for a dimension that runs along the image.
    """
    factors = fields.dims[dim]
    each, rest = divmod(length(factors), groups)
    if rest or any(axis is not None and count > 1 for axis, count in factors):
        raise UnknownDependency
    two = ((None, groups),), ((None, each),)
    return relayout(fields, (*fields.dims[:dim], *two, *fields.dims[dim + 1 :]))


def merge_channels(fields: FieldMap, dim: int) -> FieldMap:
    """A dimension and the next one as one dimension of channels."""
    merged = ((None, length(fields.dims[dim]) * length(fields.dims[dim + 1])),)
    return relayout(fields, (*fields.dims[:dim], merged, *fields.dims[dim + 2 :]))


def repeat_unit(fields: FieldMap, dim: int, count: int) -> FieldMap:
    """A dimension of length 1 as `count` units with the same field."""
    dims = (*fields.dims[:dim], ((None, count),), *fields.dims[dim + 1 :])
    index = fields.branch_index
    if index is None:
        return replace(fields, dims=dims)
    start = len(factor_shape(fields.dims[:dim]))
    stop = start + len(fields.dims[dim])
    index = index.reshape((*index.shape[:start], 1, *index.shape[stop:]))
    return replace(fields, dims=dims, branch_index=np.broadcast_to(index, factor_shape(dims)))


def broadcast(operands: Sequence[FieldMap], shape: Sequence[int]) -> FieldMap:
    """The union where operands meet element by element, broadcast to a shape."""
    dims = _frame([fields.dims for fields in operands], shape)
    axes = union(fields.axes for fields in operands)
    if not any(fields.branches for fields in operands):
        return FieldMap(axes, dims)
    met, branches = np.zeros((1,) * len(factor_shape(dims)), dtype=np.intp), list[Axes]([])
    for fields in operands:
        others, index = fields.branches or (fields.axes,), _index_within(fields, dims)
        if not branches:
            met, branches = index, list(others)
            continue
        pairs, positions = np.unique(met * len(others) + index, return_inverse=True)
        met = positions.reshape(np.broadcast_shapes(met.shape, index.shape))
        branches = [
            union([branches[int(pair) // len(others)], others[int(pair) % len(others)]])
            for pair in pairs
        ]
    return resolve(axes, dims, branches, met)


def _frame(several: Sequence[Dims], shape: Sequence[int]) -> Dims:
    """The dimensions of the result where operands of these dimensions meet element by element.

    Raises UnknownDependency where operands run along the image in different ways.
    """
    frame: list[tuple[Factor, ...]] = []
    for dim, side in zip(range(-len(shape), 0), shape, strict=True):
        options = {dims[dim] for dims in several if len(dims) >= -dim}
        if any(length(factors) not in (1, side) for factors in options):
            raise UnknownDependency
        options = {factors for factors in options if length(factors) == side}
        along = {factors for factors in options if any(axis is not None for axis, _ in factors)}
        if len(along) > 1 and side > 1:
            raise UnknownDependency
        choice = along if len(along) == 1 else options
        frame.append(choice.pop() if len(choice) == 1 else ((None, side),))
    axes = [axis for factors in frame for axis, _ in factors if axis is not None]
    if len(axes) != len(set(axes)):
        raise UnknownDependency
    return tuple(frame)


def _index_within(fields: FieldMap, dims: Dims) -> BranchIndex:
    """`branch_index` of an operand as it lies within the dimensions of a result."""
    index = fields.branch_index
    if index is None:
        return np.zeros((1,) * len(factor_shape(dims)), dtype=np.intp)
    missing, number = len(dims) - len(fields.dims), 0
    shape = [1] * len(factor_shape(dims[:missing]))
    for factors, wider in zip(fields.dims, dims[missing:], strict=True):
        numbers = range(number, number + len(factors))
        number += len(factors)
        if factors == wider:
            shape += index.shape[numbers.start : numbers.stop]
            continue
        if any(axis is not None for axis, _ in wider):
            index = _flatten_constant(index, numbers)
        is_flat = all(index.shape[axis] == 1 for axis in numbers)
        shape += [1] * len(wider) if is_flat else factor_shape((wider,))
    return index.reshape(shape)


def _flatten_constant(index: BranchIndex, axes: Iterable[int]) -> BranchIndex:
    """Length 1 along axes where the index is constant; raises UnknownDependency where it is not."""
    for axis in axes:
        first = index.take([0], axis)
        if (index != first).any():
            raise UnknownDependency
        index = first
    return index


def concatenate(several: Sequence[FieldMap], along: int) -> FieldMap:
    """One after the other along a dimension of channels or an axis of the image.

    Raises UnknownDependency where the dimensions of the parts do not agree.
    """
    along %= len(several[0].dims)
    if any(axis is not None and n > 1 for part in several for axis, n in part.dims[along]):
        return _concatenate_axis(several, along)
    parts = [merge_channels(split_channels(fields, along, 1), along) for fields in several]
    counts = [length(fields.dims[along]) for fields in parts]
    rest = [(*fields.dims[:along], ((None, 1),), *fields.dims[along + 1 :]) for fields in parts]
    shape = [max(length(dims[dim]) for dims in rest) for dim in range(len(rest[0]))]
    frame = _frame(rest, shape)
    dims = (*frame[:along], ((None, sum(counts)),), *frame[along + 1 :])
    sides = {axis: count for dim in dims for axis, count in dim if axis is not None}
    branches, indices = list[Axes](), list[BranchIndex]()
    for fields, count in zip(parts, counts, strict=True):
        inner = (*frame[:along], ((None, count),), *frame[along + 1 :])
        index = np.broadcast_to(_index_within(fields, inner), factor_shape(inner))
        indices.append(index + len(branches))
        branches += [_expanded(axes, sides) for axes in fields.branches or (fields.axes,)]
    index = np.concatenate(indices, axis=len(factor_shape(frame[:along])))
    return resolve(union(_expanded(fields.axes, sides) for fields in parts), dims, branches, index)


def _concatenate_axis(several: Sequence[FieldMap], along: int) -> FieldMap:
    """One after the other along an axis of the image, where all else is equal."""
    dependent = [part for part in several if not all(axis.is_empty for axis in part.axes)]
    first, axis = dependent[0], dependent[0].image_axis(along)

    def others(part: FieldMap) -> tuple[Dims, Axes]:
        dims = (*part.dims[:along], *part.dims[along + 1 :])
        return dims, (*part.axes[:axis], *part.axes[axis + 1 :])

    for part in dependent:
        is_alike = part.image_axis(along) == axis and others(part) == others(first)
        if part.branches or not is_alike:
            raise UnknownDependency
    supports = [
        part.axes[axis].support.take(range(length(part.dims[along])))  # which constants lack
        for part in several
    ]
    joined = AxisField(None, supports[0].cat(supports[1:]))
    dims = (*first.dims[:along], ((axis, len(joined.support)),), *first.dims[along + 1 :])
    return FieldMap((*first.axes[:axis], joined, *first.axes[axis + 1 :]), dims)


def _expanded(axes: Axes, sides: dict[int, int]) -> Axes:
    return tuple(axis.expanded(sides.get(number, 1)) for number, axis in enumerate(axes))


def no_pixels(shape: Sequence[int], like: FieldMap) -> FieldMap:
    """The fields of units that do not depend on the image."""
    axes = tuple(axis.empty() for axis in like.axes)
    return FieldMap(axes, tuple(((None, count),) for count in shape))
