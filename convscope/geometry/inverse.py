"""The question turned round: which window makes this output from that input."""

from collections.abc import Iterable
from dataclasses import dataclass

from convscope.geometry.coverage import uncovered
from convscope.geometry.sizes import output_size


@dataclass(frozen=True)
class Window:
    """What slides along one axis: `padding` cells lie on each side of the input."""

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
    """Find every window that makes `output` units from `size` cells along one axis.

    Padding goes up to half the kernel: with more, a window could lie wholly in it. The simplest
    come first: those that leave no cell unread, and then by padding, by kernel, by stride.

    Raises RequestError for a size, kernel or stride below 1.

        >>> fitting(27, 13)[0]
        Window(kernel=3, stride=2, padding=0)
        >>> fitting(13, 27)
        []
    """
    found = [
        Window(kernel, stride, padding)
        for kernel in kernels
        for padding in range(kernel // 2 + 1)
        if kernel <= size + 2 * padding
        for stride in strides
        if output_size(size, kernel, stride=stride, padding=padding) == output
    ]
    return sorted(found, key=lambda window: _effort(size, window))


def _effort(size: int, window: Window) -> tuple[bool, int, int, int]:
    kernel, stride, padding = window.kernel, window.stride, window.padding
    unread = uncovered(size, kernel, stride=stride, padding=padding)
    return bool(unread), padding, kernel, stride
