"""The receptive fields of units along one axis of the image, as arrays of pixels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.int32]
"""A number of a pixel for every unit, with length 1 along dimensions in which all are equal."""

Change = Callable[[Pixels], Pixels]

Run = tuple[int, int]
"""A dimension, and the pixels from a unit to the next one along it."""

FAR = 2**28
"""In place of a pixel that would be first or last of none, ignoring borders."""


@dataclass(frozen=True, eq=False, slots=True)
class AxisField:
    """The pixels on which the units of a result depend, along one axis of the image.

    The arrays have an axis for every dimension of the result. `first` and `end` are neutral in a
    minimum and a maximum where a unit depends on no pixel, and then along every axis of the image.

    Attributes:
        pixels: the length of the image.
        first: the first pixel of each unit; `pixels` if it has none.
        end: the pixel after the last of each unit; 0 if it has none.
        start, stop: the same for an image without borders, negative if padding extends beyond
            them; None where windows slid over units that are not equally far apart. FAR and -FAR
            for a unit without any pixel.
        run: the dimension along which `start` and `stop` rise evenly, where it is known.
    """

    pixels: int
    first: Pixels
    end: Pixels
    start: Pixels | None
    stop: Pixels | None
    run: Run | None = None

    @classmethod
    def image(cls, side: int, dim: int, ndim: int) -> "AxisField":
        """Of the image itself: unit i along a dimension is pixel i."""
        shape = [1] * ndim
        shape[dim] = side
        pixels = np.arange(side + 1, dtype=np.int32)
        first, end = pixels[:-1].reshape(shape), pixels[1:].reshape(shape)
        return cls(side, first, end, first, end, (dim, 1))

    @classmethod
    def empty(cls, pixels: int, ndim: int) -> "AxisField":
        """Of units that depend on no pixel."""
        first, end, start, stop = (
            np.full((1,) * ndim, n, np.int32) for n in (pixels, 0, FAR, -FAR)
        )
        return cls(pixels, first, end, start, stop)

    @property
    def is_empty(self) -> bool:
        """Whether no unit depends on any pixel, with or without borders."""
        is_outside = self.start is not None and self.start.min() >= FAR // 2
        return is_outside and not self.end.any()

    def moved(self, move: Change, run: Run | None = None) -> "AxisField":
        """The units in other places."""
        return self.changed(move, move, run)

    def changed(self, low: Change, high: Change, run: Run | None = None) -> "AxisField":
        """One function of what comes first, and another of the ends."""
        start = None if self.start is None else low(self.start)
        stop = None if self.stop is None else high(self.stop)
        return AxisField(self.pixels, low(self.first), high(self.end), start, stop, run)

    def mixed(self, dims: Sequence[int]) -> "AxisField":
        """Units that each depend on all units along some dimensions; each then has length 1."""
        run = self.run if self.run is not None and self.run[0] not in dims else None
        return self.changed(
            lambda low: _reduced(np.minimum, low, dims),
            lambda high: _reduced(np.maximum, high, dims),
            run,
        )

    def union(self, other: "AxisField") -> "AxisField":
        """Units that depend on what those of both depend on, element by element."""
        start = stop = None
        if self.start is not None and other.start is not None:
            start = np.minimum(self.start, other.start)
        if self.stop is not None and other.stop is not None:
            stop = np.maximum(self.stop, other.stop)
        first, end = np.minimum(self.first, other.first), np.maximum(self.end, other.end)
        return AxisField(self.pixels, first, end, start, stop, common_run((self, other)))

    def jump(self, dim: int, length: int) -> Pixels | int | None:
        """Pixels from a unit to the next along a dimension, ignoring borders.

        None where they are not equally far apart.
        """
        if self.run is not None and self.run[0] == dim:
            return self.run[1]
        jumps = list[Pixels]()
        for numbers in (self.start, self.stop):
            if numbers is None:
                return None
            if numbers.shape[dim] == 1 or length == 1:
                jumps.append(np.zeros((1,) * numbers.ndim, np.int32))
                continue
            steps = np.diff(numbers, axis=dim)
            jumps.append(steps.take([0], dim))
            if (steps != jumps[-1]).any():
                return None
        one, other = jumps
        if (one != other).any():
            return None
        each = np.unique(one)
        return int(each[0]) if each.size == 1 else np.broadcast_arrays(one, other)[0]


def common_run(several: Sequence[AxisField]) -> Run | None:
    """The run of all of these, except for those without any pixel."""
    runs = {axis.run for axis in several if axis.run is not None or not axis.is_empty}
    return runs.pop() if len(runs) == 1 else None


def _reduced(choose: np.ufunc, numbers: Pixels, dims: Sequence[int]) -> Pixels:
    along = tuple(dim for dim in dims if numbers.shape[dim] != 1)
    return choose.reduce(numbers, axis=along, keepdims=True) if along else numbers


def squeezed(numbers: Pixels) -> Pixels:
    """With length 1 along every dimension in which all are equal."""
    for dim, side in enumerate(numbers.shape):
        if side > 1:
            ahead = (slice(None),) * dim
            one, last = numbers[(*ahead, slice(1))], numbers[(*ahead, slice(-1, None))]
            if (one == last).all() and (numbers == one).all():
                numbers = one
    return np.ascontiguousarray(numbers)


def whole(numbers: Pixels, dim: int, length: int) -> Pixels:
    """With all units along a dimension."""
    if numbers.shape[dim] == length:
        return numbers
    return np.broadcast_to(numbers, (*numbers.shape[:dim], length, *numbers.shape[dim + 1 :]))


def taken(numbers: Pixels, dim: int, indices: Sequence[int] | NDArray[np.intp]) -> Pixels:
    """The units at these indices of a dimension."""
    return numbers if numbers.shape[dim] == 1 else numbers.take(indices, dim)


def repeated(numbers: Pixels, dim: int, count: int) -> Pixels:
    """Each unit `count` times in a row."""
    return numbers if numbers.shape[dim] == 1 else numbers.repeat(count, dim)
