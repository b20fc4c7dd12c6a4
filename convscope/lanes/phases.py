"""Which inputs of a window with a stride took part in units alike."""

from dataclasses import dataclass

from convscope.lanes.graph import Window


@dataclass(frozen=True)
class Phase:
    """Inputs `first`, `first + stride` ... (`count`) along an axis, which take part alike.

    Input number n of them took part in the units `unit + n + t` for every (t, w) of `taps`, by the
    kernel's row (or column) w.
    """

    first: int
    count: int
    unit: int
    taps: tuple[tuple[int, int], ...]


def phases(node: Window, axis: int, side: int) -> list[Phase]:
    """The inputs along an axis by their place within the stride."""
    stride, padding, dilation = node.stride[axis], node.padding[axis], node.dilation[axis]
    found: list[Phase] = []
    for first in range(min(stride, side)):
        shifted = first + padding
        taps = tuple(
            ((shifted - k * dilation) // stride - shifted // stride, k)
            for k in range(node.kernel[axis])
            if (shifted - k * dilation) % stride == 0
        )
        count = -(-(side - first) // stride)
        found.append(Phase(first, count, shifted // stride, taps))
    return found
