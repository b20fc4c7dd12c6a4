"""What the units of a result see of the image."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from convscope.geometry import Field, Support

Factor = tuple[int | None, int]
"""A part of a dimension of a result: which axis of the image it runs along, if any, and its
length."""

Dims = tuple[tuple[Factor, ...], ...]


@dataclass(frozen=True)
class Axis:
    """What units see along one axis of the image.

    Attributes:
        field: size, jump and start, borders not considered; None where units differ in more than
            their place, as behind adaptive windows.
        support: the pixels that each unit really sees.
    """

    field: Field | None
    support: Support

    @property
    def size(self) -> int:
        """Pixels of a unit's field; of the largest, where units differ."""
        if self.field is not None:
            return self.field.size
        ends = zip(self.support.firsts, self.support.ends, strict=True)
        return max(0, *(end - first for first, end in ends))

    def window(
        self, kernel: int, *, stride: int, before: int, after: int, dilation: int, output: int
    ) -> "Axis":
        field = self.field and self.field.through(
            kernel, stride=stride, before=before, dilation=dilation
        )
        support = self.support.window(
            kernel, stride=stride, before=before, after=after, dilation=dilation, output=output
        )
        return Axis(field, support)

    def all(self) -> "Axis":
        """One unit that sees what any unit here sees."""
        return Axis(self.field and self.field.through(len(self.support)), self.support.all())

    def spread(self) -> "Axis":
        """As many units as here, each of which sees what any unit here sees."""
        return self.all().stretched(len(self.support))

    def stretched(self, length: int) -> "Axis":
        """As many units, where one stands for all of them."""
        if len(self.support) == length:
            return self
        if len(self.support) > 1:
            raise Unknown
        field = self.field and replace(self.field, jump=0)
        return Axis(field, self.support.take([0] * length))

    def take(self, indices: range) -> "Axis":
        """The units of these indices, evenly apart."""
        field = self.field and Field(
            size=self.field.size,
            jump=self.field.jump * indices.step,
            start=self.field.start + self.field.jump * indices.start,
        )
        return Axis(field, self.support.take(indices))

    def nothing(self) -> "Axis":
        """One unit that sees nothing."""
        return Axis(None, self.support.take([-1]))

    @property
    def is_nothing(self) -> bool:
        """Whether no unit sees anything, and there is no field either."""
        return self.field is None and max(self.support.ends, default=0) == 0

    def union(self, other: "Axis") -> "Axis":
        """What units see where two meet; a single one meets every unit of the other."""
        if other.is_nothing and len(other.support) <= len(self.support):
            return self
        if self.is_nothing and len(self.support) <= len(other.support):
            return other
        return Axis(self._field_with(other), self.support.union(other.support))

    def _field_with(self, other: "Axis") -> Field | None:
        """A field of one size for all units, where there is one."""
        one, two = self.field, other.field
        if one is None or two is None:
            return None
        count = max(len(self.support), len(other.support))
        one = one if len(self.support) == count > 1 else replace(one, jump=0)
        two = two if len(other.support) == count > 1 else replace(two, jump=0)
        if one.jump == two.jump:
            return one.union(two)
        still, moving = (one, two) if one.jump == 0 else (two, one)
        first, end = moving.start, moving.box(count - 1)[1]
        covered = still.start <= first and end <= still.start + still.size
        return still if still.jump == 0 and covered else None


Axes = tuple[Axis, ...]


@dataclass(frozen=True, eq=False)
class Seen:
    """What the units of one operation's result see of the image.

    Channels need not see alike: behind a concatenation they are of several branches.

    Attributes:
        axes: one per axis of the image: vertical, horizontal. Where channels differ it is the union
            over them all, which is what a layer that mixes them sees.
        dims: one per dimension of the result, the batch among them: the factors that an index along
            it counts through, the last one fastest.
        exact: False where an operation is not known and its units are taken to see everything that
            any of its operands sees.
        branches: where channels differ, what those of each kind see.
        which: of which branch each unit is, with an axis for every factor of `dims` in order, of
            length 1 for those that run along the image; None where there are no branches.
    """

    axes: Axes
    dims: Dims
    exact: bool = True
    branches: tuple[Axes, ...] = ()
    which: NDArray[np.intp] | None = None

    @property
    def size(self) -> tuple[int, ...]:
        """(height, width) of a unit's receptive field, also where it reaches over the border.

        Of the largest, where channels differ.
        """
        sizes = (tuple(axis.size for axis in axes) for axes in self.branches or (self.axes,))
        return max(sizes, key=math.prod)

    def box(self, at: Sequence[int]) -> tuple[tuple[int, int] | None, ...]:
        """The pixels (first, end) along each axis that the unit `at`, (c, y, x) or (k,), sees."""
        places = zip(self.axes_at(at), self.units(at), strict=True)
        return tuple(axis.support[unit] for axis, unit in places)

    def axes_at(self, at: Sequence[int]) -> Axes:
        """What the channel sees that the unit `at` is of."""
        if self.which is None:
            return self.axes
        whole = self.which.shape
        index = tuple(i if n > 1 else 0 for i, n in zip(self._counted(at), whole, strict=True))
        return self.branches[int(self.which[index])]

    def units(self, at: Sequence[int]) -> tuple[int, ...]:
        """The unit along each axis of the image that `at`, (c, y, x) or (k,), is."""
        units = [0] * len(self.axes)
        factors = (factor for dim in self.dims for factor in dim)
        for (axis, _), index in zip(factors, self._counted(at), strict=True):
            if axis is not None:
                units[axis] = index
        return tuple(units)

    def _counted(self, at: Sequence[int]) -> list[int]:
        """The index along each factor. The batch may be left out of `at`."""
        counted: list[int] = []
        whole = (*(0,) * (len(self.dims) - len(at)), *at)
        for index, dim in zip(reversed(whole), reversed(self.dims), strict=True):
            left = index
            for _, length in reversed(dim):
                counted.append(left % length)
                left //= length
        return counted[::-1]

    def along(self, dim: int) -> int:
        """The axis of the image that one dimension runs along; raises Unknown where none does."""
        (axis, _), *others = self.dims[dim]
        if others or axis is None:
            raise Unknown
        return axis

    def changed(self, change: Callable[[Axes], Axes], dims: Sequence[tuple[Factor, ...]]) -> "Seen":
        """Every branch changed alike; `dims` may differ in lengths along the image alone."""
        branches = tuple(change(axes) for axes in self.branches)
        return replace(self, axes=change(self.axes), dims=tuple(dims), branches=branches)

    def united(self) -> "Seen":
        """The union in the place of the branches, which is too large for some of the units."""
        exact = self.exact and not self.branches
        return replace(self, branches=(), which=None, exact=exact)


class Unknown(Exception):
    """An operation does what convscope cannot follow."""


def length(dim: Iterable[Factor]) -> int:
    return math.prod(count for _, count in dim)


def lengths(dims: Dims) -> tuple[int, ...]:
    """The shape of `which`."""
    return tuple(1 if axis is not None else count for dim in dims for axis, count in dim)


def together(axes: Iterable[Axis]) -> Axis:
    """The union of axes of any lengths, each seen whole unless all are as long."""
    several = list(axes)
    if len({len(axis.support) for axis in several}) > 1:
        several = [axis.all() for axis in several]
    found = several[0]
    for axis in several[1:]:
        found = found.union(axis)
    return found
