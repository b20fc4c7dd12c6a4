"""The inverse problem: which windows turn this input into that output."""

from collections.abc import Iterable
from dataclasses import dataclass

from convscope.arithmetic.coverage import uncovered
from convscope.arithmetic.sizes import output_size


@dataclass(frozen=True)
class Window:
    """A window that slides along one axis, with `padding` cells on each side of the input."""

    kernel: int
    stride: int
    padding: int


def solve_for_window(
    size: int,
    output: int,
    *,
    kernels: Iterable[int] = range(1, 12),
    strides: Iterable[int] = range(1, 5),
) -> list[Window]:
    """Find every window that turns `size` cells into `output` units along one axis.

    Padding is at most half the kernel: with more, a window could cover padding only. The simplest
    windows come first: those that read every cell, then by padding, kernel and stride.

    Raises RequestError for a size, kernel or stride below 1.

        >>> solve_for_window(27, 13)[0]
        Window(kernel=3, stride=2, padding=0)
        >>> solve_for_window(13, 27)
        []
    """
    windows = [
        Window(kernel, stride, padding)
        for kernel in kernels
        for padding in range(kernel // 2 + 1)
        if kernel <= size + 2 * padding
        for stride in strides
        if output_size(size, kernel, stride=stride, padding=padding) == output
    ]
    return sorted(windows, key=lambda window: _complexity(size, window))


def _complexity(size: int, window: Window) -> tuple[bool, int, int, int]:
    kernel, stride, padding = window.kernel, window.stride, window.padding
    unread = uncovered(size, kernel, stride=stride, padding=padding)
    return bool(unread), padding, kernel, stride
