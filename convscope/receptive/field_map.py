"""The receptive fields of all units of one result."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from convscope.geometry import Field, Support

Factor = tuple[int | None, int]
"""A part of a dimension of a result: the axis of the image that it runs along, if any, and its
length."""

Dims = tuple[tuple[Factor, ...], ...]

BranchIndex = NDArray[np.intp]


class UnknownDependency(Exception):
    """The units of an operation depend on their operands in a way that convscope cannot follow."""


@dataclass(frozen=True)
class AxisField:
    """The receptive fields of units along one axis of the image.

    Attributes:
        field: size, jump and start, ignoring borders; None where units differ in more than their
            position, as behind adaptive windows.
        support: the pixels inside the image that each unit depends on.
    """

    field: Field | None
    support: Support

    @property
    def size(self) -> int:
        """Pixels of a unit's field; of the largest, where units differ."""
        if self.field is not None:
            return self.field.size
        ends = zip(self.support.starts, self.support.stops, strict=True)
        return max(0, *(end - first for first, end in ends))

    def window(
        self, kernel: int, *, stride: int, before: int, after: int, dilation: int, output: int
    ) -> "AxisField":
        """Behind a window that slides along the axis."""
        field = self.field and self.field.compose(
            kernel, stride=stride, padding_before=before, dilation=dilation
        )
        support = self.support.window(
            kernel,
            stride=stride,
            padding_before=before,
            padding_after=after,
            dilation=dilation,
            output=output,
        )
        return AxisField(field, support)

    def all(self) -> "AxisField":
        """One unit that depends on whatever any unit here depends on."""
        return AxisField(self.field and self.field.compose(len(self.support)), self.support.all())

    def spread(self) -> "AxisField":
        """As many units as here, each of which depends on whatever any of them depends on."""
        return self.all().expanded(len(self.support))

    def expanded(self, length: int) -> "AxisField":
        """A single unit as `length` equal ones."""
        if len(self.support) == length:
            return self
        if len(self.support) > 1:
            raise UnknownDependency
        field = self.field and replace(self.field, jump=0)
        return AxisField(field, self.support.take([0] * length))

    def take(self, indices: Sequence[int]) -> "AxisField":
        """The units at these indices; one outside depends on nothing.

        Only a range with a step above 0 keeps a field of one size and jump.
        """
        support = self.support.take(indices)
        if self.field is None or not isinstance(indices, range) or indices.step < 1:
            return AxisField(None, support)
        field = Field(
            size=self.field.size,
            jump=self.field.jump * indices.step,
            start=self.field.start + self.field.jump * indices.start,
        )
        return AxisField(field, support)

    def empty(self) -> "AxisField":
        """One unit that depends on no pixel."""
        return AxisField(None, self.support.take([-1]))

    @property
    def is_empty(self) -> bool:
        """Whether no unit depends on any pixel, and there is no field either."""
        return self.field is None and max(self.support.stops, default=0) == 0

    def union(self, other: "AxisField") -> "AxisField":
        """Where two operands meet; a single unit meets every unit of the other."""
        if other.is_empty and len(other.support) <= len(self.support):
            return self
        if self.is_empty and len(self.support) <= len(other.support):
            return other
        return AxisField(self._field_with(other), self.support.union(other.support))

    def _field_with(self, other: "AxisField") -> Field | None:
        """A field of one size for all units, where there is one."""
        mine, theirs = self.field, other.field
        if mine is None or theirs is None:
            return None
        count = max(len(self.support), len(other.support))
        mine = mine if len(self.support) == count > 1 else replace(mine, jump=0)
        theirs = theirs if len(other.support) == count > 1 else replace(theirs, jump=0)
        if mine.jump == theirs.jump:
            return mine.union(theirs)
        still, moving = (mine, theirs) if mine.jump == 0 else (theirs, mine)
        first, end = moving.start, moving.box(count - 1)[1]
        covered = still.start <= first and end <= still.start + still.size
        return still if still.jump == 0 and covered else None


Axes = tuple[AxisField, ...]


@dataclass(frozen=True, eq=False)
class FieldMap:
    """The receptive fields of all units of one operation's result.

    Channels may differ: behind a concatenation they come from several branches.

    Attributes:
        axes: one per axis of the image: vertical, horizontal. Where channels differ, the union over
            all of them, which is what a layer that mixes them depends on.
        dims: one per dimension of the result, the batch included: the factors that an index along
            it counts through, the last one fastest.
        exact: False where an operation is unknown, so that its units are assumed to depend on
            everything that any of its operands depends on.
        branches: where channels differ, the fields of each branch.
        branch_index: the branch of each unit, with an axis for every factor of `dims` in order, of
            length 1 for those that run along the image; None where there are no branches.
    """

    axes: Axes
    dims: Dims
    exact: bool = True
    branches: tuple[Axes, ...] = ()
    branch_index: BranchIndex | None = None

    @property
    def size(self) -> tuple[int, ...]:
        """(height, width) of a unit's receptive field, also where it reaches over the border.

        Of the largest, where channels differ.
        """
        sizes = (tuple(axis.size for axis in axes) for axes in self.branches or (self.axes,))
        return max(sizes, key=math.prod)

    def box(self, at: Sequence[int]) -> tuple[tuple[int, int] | None, ...]:
        """The pixels (first, end) along each axis that the unit `at`, (c, y, x) or (k,), sees."""
        pairs = zip(self.axes_at(at), self.units(at), strict=True)
        return tuple(axis.support[unit] for axis, unit in pairs)

    def axes_at(self, at: Sequence[int]) -> Axes:
        """The fields of the channel of the unit `at`."""
        if self.branch_index is None:
            return self.axes
        sides = self.branch_index.shape
        indices = zip(self._factor_indices(at), sides, strict=True)
        return self.branches[int(self.branch_index[tuple(i if n > 1 else 0 for i, n in indices)])]

    def units(self, at: Sequence[int]) -> tuple[int, ...]:
        """The index along each axis of the image of the unit `at`, (c, y, x) or (k,)."""
        units = [0] * len(self.axes)
        factors = (factor for dim in self.dims for factor in dim)
        for (axis, _), index in zip(factors, self._factor_indices(at), strict=True):
            if axis is not None:
                units[axis] = index
        return tuple(units)

    def _factor_indices(self, at: Sequence[int]) -> list[int]:
        """The index along each factor. The batch may be left out of `at`."""
        indices: list[int] = []
        padded = (*(0,) * (len(self.dims) - len(at)), *at)
        for index, dim in zip(reversed(padded), reversed(self.dims), strict=True):
            left = index
            for _, length in reversed(dim):
                indices.append(left % length)
                left //= length
        return indices[::-1]

    def image_axis(self, dim: int) -> int:
        """The axis of the image that a dimension runs along; raises UnknownDependency if none."""
        (axis, _), *others = self.dims[dim]
        if others or axis is None:
            raise UnknownDependency
        return axis

    def map_axes(
        self, change: Callable[[Axes], Axes], dims: Sequence[tuple[Factor, ...]]
    ) -> "FieldMap":
        """The same change of every branch; `dims` may differ in lengths along the image only."""
        branches = tuple(change(axes) for axes in self.branches)
        return replace(self, axes=change(self.axes), dims=tuple(dims), branches=branches)

    def merged(self) -> "FieldMap":
        """The union instead of the branches, which is too large for some of the units."""
        exact = self.exact and not self.branches
        return replace(self, branches=(), branch_index=None, exact=exact)


def length(dim: Iterable[Factor]) -> int:
    """How many units a dimension has."""
    return math.prod(count for _, count in dim)


def factor_shape(dims: Dims) -> tuple[int, ...]:
    """The shape of `branch_index`."""
    return tuple(1 if axis is not None else count for dim in dims for axis, count in dim)


def union_or_all(axes: Iterable[AxisField]) -> AxisField:
    """The union of axes of any lengths; all units of each together, where lengths differ."""
    several = list(axes)
    if len({len(axis.support) for axis in several}) > 1:
        several = [axis.all() for axis in several]
    union = several[0]
    for axis in several[1:]:
        union = union.union(axis)
    return union
