"""What the units of a result see of the image."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from convscope.geometry import Field, Support

Factor = tuple[int | None, int]
"""A part of a dimension of a result: which axis of the image it runs along, if any, and its
length."""


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
        whole = self.all()
        field = whole.field and replace(whole.field, jump=0)
        return Axis(field, whole.support.take([0] * len(self.support)))

    def take(self, indices: range) -> "Axis":
        """The units of these indices, evenly apart."""
        field = self.field and Field(
            size=self.field.size,
            jump=self.field.jump * indices.step,
            start=self.field.start + self.field.jump * indices.start,
        )
        return Axis(field, self.support.take(indices))

    def union(self, other: "Axis") -> "Axis":
        field = None
        if self.field and other.field and self.field.jump == other.field.jump:
            field = self.field.union(other.field)
        return Axis(field, self.support.union(other.support))


@dataclass(frozen=True)
class Seen:
    """What the units of one operation's result see of the image.

    Where channels differ, behind a concatenation of branches, say, it is the union over them all,
    which is what the next layer sees.

    Attributes:
        axes: one per axis of the image: vertical, horizontal.
        dims: one per dimension of the result, the batch among them: the factors that an index along
            it counts through, the last one fastest.
        exact: False where an operation is not known and its units are taken to see everything that
            any of its operands sees.
    """

    axes: tuple[Axis, ...]
    dims: tuple[tuple[Factor, ...], ...]
    exact: bool = True

    @property
    def size(self) -> tuple[int, ...]:
        """(height, width) of a unit's receptive field, also where it reaches over the border."""
        return tuple(axis.size for axis in self.axes)

    def box(self, at: Sequence[int]) -> tuple[tuple[int, int] | None, ...]:
        """The pixels (first, end) along each axis that the unit `at`, (c, y, x) or (k,), sees."""
        units = self.units(at)
        return tuple(axis.support[unit] for axis, unit in zip(self.axes, units, strict=True))

    def units(self, at: Sequence[int]) -> tuple[int, ...]:
        """The unit along each axis of the image that `at`, (c, y, x) or (k,), is."""
        units = [0] * len(self.axes)
        for index, dim in zip(at, self.dims[1:], strict=True):
            for axis, length in reversed(dim):
                if axis is not None:
                    units[axis] = index % length
                index //= length  # noqa: PLW2901 -- what is left for the slower factors
        return tuple(units)

    def along(self, dim: int) -> int:
        """The axis of the image that one dimension runs along; raises Unknown where none does."""
        (axis, _), *others = self.dims[dim]
        if others or axis is None:
            raise Unknown
        return axis


class Unknown(Exception):
    """An operation does what convscope cannot follow."""


def together(axes: Iterable[Axis]) -> Axis:
    """The union of axes of any lengths, each seen whole unless all are as long."""
    several = list(axes)
    if len({len(axis.support) for axis in several}) > 1:
        several = [axis.all() for axis in several]
    found = several[0]
    for axis in several[1:]:
        found = found.union(axis)
    return found
