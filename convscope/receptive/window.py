"""A window that slides along one dimension."""

from functools import cache

import numpy as np

from convscope.arithmetic import effective_kernel
from convscope.receptive.axis_field import AxisField, Pixels, Run, squeezed, taken, whole


class Window:
    """A window that slides along a dimension, `count` times."""

    def __init__(
        self, length: int, kernel: int, stride: int, before: int, dilation: int, count: int
    ) -> None:
        self.length, self.kernel, self.stride = length, kernel, stride
        self.before, self.dilation, self.count = before, dilation, count

    def slide(self, axis: AxisField, dim: int) -> AxisField:
        """The fields behind the window."""
        if self.kernel == self.stride == 1 and not self.before and self.count == self.length:
            return axis
        start, stop, run = self._without_borders(axis, dim)
        first = self.reduce(axis.first, dim, np.minimum, axis.pixels)
        end = self.reduce(axis.end, dim, np.maximum, 0)
        return AxisField(axis.pixels, first, end, start, stop, run)

    def reduce(self, numbers: Pixels, dim: int, choose: np.ufunc, empty: int) -> Pixels:
        """The smallest or largest in each window; padding is `empty`."""
        if numbers.shape[dim] == 1 and _holds_units(*self._key):
            return numbers
        ahead = (slice(None),) * dim
        numbers = whole(numbers, dim, self.length)
        span = effective_kernel(self.kernel, dilation=self.dilation)
        needed = (self.count - 1) * self.stride + span
        inside = min(self.length, needed - self.before)
        if self.before or inside < needed:
            padded = np.full((*numbers.shape[:dim], needed, *numbers.shape[dim + 1 :]), empty)
            padded = padded.astype(np.int32)
            padded[*ahead, slice(self.before, self.before + inside)] = numbers[
                *ahead, slice(inside)
            ]
            numbers = padded
        taps = 1
        while taps < self.kernel:  # doubling the number of taps takes log2(kernel) passes
            more = min(taps, self.kernel - taps)
            by = more * self.dilation
            numbers = choose(numbers[*ahead, slice(-by)], numbers[*ahead, slice(by, None)])
            taps += more
        last = (self.count - 1) * self.stride + 1
        numbers = numbers[*ahead, slice(0, last, self.stride)]
        is_plain = numbers.size == numbers.shape[dim]
        return np.ascontiguousarray(numbers) if is_plain else squeezed(numbers)

    @property
    def _key(self) -> tuple[int, ...]:
        return (self.length, self.kernel, self.stride, self.before, self.dilation, self.count)

    def _without_borders(
        self, axis: AxisField, dim: int
    ) -> tuple[Pixels | None, Pixels | None, Run | None]:
        jump = axis.jump(dim, self.length)
        if axis.start is None or axis.stop is None or jump is None:
            return None, None, None
        if isinstance(jump, int) and not jump:
            return taken(axis.start, dim, [0]), taken(axis.stop, dim, [0]), axis.run
        reach = (self.kernel - 1) * self.dilation * jump
        step = jump * self.stride
        positions = np.arange(self.count, dtype=np.int32).reshape(
            [self.count if n == dim else 1 for n in range(axis.start.ndim)]
        )
        offsets = positions * step - self.before * jump
        low, high = np.minimum(reach, 0), np.maximum(reach, 0)
        start = taken(axis.start, dim, [0]) + (offsets + low)
        stop = taken(axis.stop, dim, [0]) + (offsets + high)
        return (
            start.astype(np.int32, copy=False),
            stop.astype(np.int32, copy=False),
            (dim, step) if isinstance(step, int) else None,
        )


@cache
def _holds_units(
    length: int, kernel: int, stride: int, before: int, dilation: int, count: int
) -> bool:
    """Whether no window is of padding alone."""
    taps = np.arange(kernel) * dilation + np.arange(count)[:, None] * stride - before
    return bool(((taps >= 0) & (taps < length)).any(1).all())
