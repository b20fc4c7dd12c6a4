"""The receptive fields of all units of one result."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from convscope.receptive.axis_field import AxisField, Change, Pixels, Run

Box = tuple[tuple[int, int] | None, ...]
"""The pixels (first, end) along each axis of the image; None where there is none."""


class UnknownDependency(Exception):
    """The units of an operation depend on their operands in a way that convscope cannot follow."""


@dataclass(frozen=True, eq=False)
class FieldMap:
    """The receptive fields of all units of one operation's result.

    The field of a unit is the smallest box that holds every pixel on which the unit depends. A unit
    depends on everything that its formula reads, also where a weight happens to be 0.

    Attributes:
        axes: one per axis of the image: vertical, horizontal.
        shape: of the result, the batch included.
        exact: False where the boxes may be larger than that, behind an operation that is unknown.
    """

    axes: tuple[AxisField, ...]
    shape: tuple[int, ...]
    exact: bool = True

    @classmethod
    def image(cls, shape: Sequence[int]) -> "FieldMap":
        """Of an image of shape (1, c, h, w)."""
        sides = enumerate(shape[2:], start=2)
        return cls(
            tuple(AxisField.image(side, dim, len(shape)) for dim, side in sides), tuple(shape)
        )

    def without_pixels(self, shape: Sequence[int]) -> "FieldMap":
        """Of a tensor that does not depend on the same image."""
        empty = (AxisField.empty(axis.pixels, len(shape)) for axis in self.axes)
        return FieldMap(tuple(empty), tuple(shape))

    @property
    def size(self) -> tuple[int, ...]:
        """(height, width) of a unit's receptive field, also where it reaches over the border.

        Of the largest, where units differ.
        """
        several = [_lengths(axis) for axis in self.axes]
        if math.prod(np.broadcast_shapes(*(sizes.shape for sizes in several))) > _MANY:
            return tuple(int(sizes.max()) for sizes in several)
        areas = reduce(np.multiply, several)
        at = np.unravel_index(int(areas.argmax()), areas.shape)
        return tuple(int(np.broadcast_to(sizes, areas.shape)[at]) for sizes in several)

    def box(self, at: Sequence[int]) -> Box:
        """The pixels that the unit `at`, (c, y, x) or (k,), sees. The batch may be left out."""
        found = [(_at(axis.first, at), _at(axis.end, at)) for axis in self.axes]
        if all(first < end for first, end in found):
            return tuple(found)
        outside = self.box_without_borders(at)
        clipped = [
            (max(span[0], 0), min(span[1], axis.pixels)) if span else (0, 0)
            for span, axis in zip(outside or (None,) * len(found), self.axes, strict=True)
        ]
        if all(first < end for first, end in clipped):  # a window between pixels
            return (None,) * len(found)
        return tuple((first, end) if first < end else None for first, end in clipped)

    def box_without_borders(self, at: Sequence[int]) -> Box | None:
        """The same for an image without borders; None along an axis where that is unknown.

        None for a unit that depends on no pixel of an image of any size.
        """
        spans = list[tuple[int, int] | None]()
        for axis in self.axes:
            if axis.start is None or axis.stop is None:
                spans.append(None)
                continue
            spans.append((_at(axis.start, at), _at(axis.stop, at)))
        return None if any(span and span[0] > span[1] for span in spans) else tuple(spans)

    def map(
        self, change: Callable[[AxisField], AxisField], shape: Iterable[int] | None = None
    ) -> "FieldMap":
        """The same change along every axis of the image."""
        shape = self.shape if shape is None else tuple(shape)
        return FieldMap(tuple(map(change, self.axes)), shape, self.exact)

    def moved(
        self,
        move: Change,
        shape: Iterable[int] | None = None,
        run: Callable[[Run], Run | None] = lambda run: run,
    ) -> "FieldMap":
        """The units in other places."""
        return self.map(lambda axis: axis.moved(move, axis.run and run(axis.run)), shape)

    def mixed(self, dims: Iterable[int], *, keep: bool = False) -> "FieldMap":
        """Unite the fields along some dimensions, each of which then has length 1.

        With `keep` there are as many units as before, all of which have the united field.
        """
        along = [dim % len(self.shape) for dim in dims]
        shape = [1 if n in along and not keep else side for n, side in enumerate(self.shape)]
        return self.map(lambda axis: axis.mixed(along), shape)

    def without(self, dims: Iterable[int]) -> "FieldMap":
        """Drop dimensions of length 1."""
        dropped = sorted(dim % len(self.shape) for dim in dims)
        left = [n for n in range(len(self.shape)) if n not in dropped]

        def drop(numbers: Pixels) -> Pixels:
            return numbers.squeeze(tuple(dropped))

        return self.moved(
            drop,
            (self.shape[n] for n in left),
            lambda run: (left.index(run[0]), run[1]) if run[0] in left else None,
        )

    def aligned(self, ndim: int) -> "FieldMap":
        """With as many dimensions as a result in which it is broadcast."""
        more = ndim - len(self.shape)
        if not more:
            return self
        return self.moved(
            lambda numbers: numbers.reshape((1,) * more + numbers.shape),
            (1,) * more + self.shape,
            lambda run: (run[0] + more, run[1]),
        )

    def in_shape(self, shape: Sequence[int]) -> "FieldMap":
        """Broadcast to a shape; raises UnknownDependency where that is not possible."""
        fields = self.aligned(len(shape))
        if any(own not in (1, side) for own, side in zip(fields.shape, shape, strict=True)):
            raise UnknownDependency
        if fields.shape == tuple(shape):
            return fields

        def run_of(run: Run) -> Run | None:
            return run if fields.shape[run[0]] == shape[run[0]] else None

        return fields.moved(lambda numbers: numbers, shape, run_of)


def broadcast(several: Iterable[FieldMap], shape: Sequence[int]) -> FieldMap:
    """The union where operands meet element by element, broadcast to a shape."""
    aligned = [fields.in_shape(shape) for fields in several]
    axes = zip(*(fields.axes for fields in aligned), strict=True)
    return FieldMap(tuple(reduce(AxisField.union, axis) for axis in axes), tuple(shape))


def _at(numbers: Pixels, at: Sequence[int]) -> int:
    padded = (*(0,) * (numbers.ndim - len(at)), *at)
    indices = zip(numbers.shape, padded, strict=True)
    return int(numbers[tuple(0 if side == 1 else index for side, index in indices)])


def _lengths(axis: AxisField) -> Pixels:
    """Pixels of each unit, of one of those along which they do not differ."""
    if axis.start is None or axis.stop is None:
        lengths = axis.end - axis.first
    elif axis.run is None:
        lengths = axis.stop - axis.start
    else:
        one = (slice(None),) * axis.run[0] + (slice(1),)
        lengths = axis.stop[one] - axis.start[one]
    return np.maximum(lengths, 0)


_MANY = 2_000_000
"""Units of different fields, beyond which the largest is sought along each axis by itself."""
