"""Which inputs of a window with a stride took part in units alike."""

from dataclasses import dataclass

from convscope.lanes.graph import Window


@dataclass(frozen=True)
class StridePhase:
    """Inputs `first`, `first + stride` ... (`count`) along an axis, which take part alike.

    Input number n of them took part in the units `unit + n + t` for every (t, w) of `taps`, by the
    kernel's row (or column) w.
    """

    first: int
    count: int
    unit: int
    taps: tuple[tuple[int, int], ...]


def stride_phases(node: Window, axis: int, side: int) -> list[StridePhase]:
    """The inputs along an axis by their place within the stride."""
    stride, padding, dilation = node.stride[axis], node.padding[axis], node.dilation[axis]
    found: list[StridePhase] = []
    for first in range(min(stride, side)):
        shifted = first + padding
        taps = tuple(
            ((shifted - k * dilation) // stride - shifted // stride, k)
            for k in range(node.kernel[axis])
            if (shifted - k * dilation) % stride == 0
        )
        count = -(-(side - first) // stride)
        found.append(StridePhase(first, count, shifted // stride, taps))
    return found
