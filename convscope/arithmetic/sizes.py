"""The number of windows along one axis, and their padding."""

from typing import Literal

from convscope.errors import RequestError

Padding = int | tuple[int, int] | Literal["same", "valid"]
"""Cells added along one axis: a number for both sides, (before, after), "same", or "valid" (0)."""


def effective_kernel(kernel: int, *, dilation: int = 1) -> int:
    """Return the size of a dilated kernel, from its first tap to its last: D·(F - 1) + 1.

    F is the kernel size, D the dilation: the distance between two taps.

        >>> effective_kernel(3), effective_kernel(3, dilation=2)
        (3, 5)
    """
    return dilation * (kernel - 1) + 1


def padding_pair(
    size: int, kernel: int, *, stride: int = 1, padding: Padding = 0, dilation: int = 1
) -> tuple[int, int]:
    """Return how many cells of padding are before and after an input of `size` cells.

    "same" adds the fewest cells that give ceil(size / stride) windows, the odd one after the input,
    like TensorFlow, and like torch where torch allows it (stride 1).

    Raises RequestError for a size, kernel, stride or dilation below 1, and for a padding that is
    negative or unknown.

        >>> padding_pair(7, 3, padding="same"), padding_pair(8, 3, stride=2, padding="same")
        ((1, 1), (0, 1))
    """
    numbers = {"size": size, "kernel": kernel, "stride": stride, "dilation": dilation}
    for name, number in numbers.items():
        if number < 1:
            raise RequestError(f"The {name} is {number}; it must be 1 or more.")
    if padding == "valid":
        return 0, 0
    if padding == "same":
        windows = -(-size // stride)
        missing = max(
            0, (windows - 1) * stride + effective_kernel(kernel, dilation=dilation) - size
        )
        return missing // 2, missing - missing // 2
    if isinstance(padding, str):
        raise RequestError(f"Unknown padding {padding!r}: give a number, 'same' or 'valid'.")
    before, after = (padding, padding) if isinstance(padding, int) else padding
    if min(before, after) < 0:
        raise RequestError(f"The padding is {min(before, after)}; it must be 0 or more.")
    return before, after


def output_size(
    size: int,
    kernel: int,
    *,
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int:
    """Count the windows along one axis: floor((N - (D·(F - 1) + 1) + P + P') / S) + 1.

    N is the size of the input, F of the kernel, D the dilation, P and P' the padding before and
    after, S the stride. With `ceil_mode`, as in torch's pooling, the quotient is rounded up, and a
    last window that would start in the padding after the input, or beyond, is left out.

    Raises RequestError as `padding_pair` does, and if no window fits.

        >>> output_size(227, 11, stride=4), output_size(32, 5, padding="same")
        (55, 32)
        >>> output_size(112, 3, stride=2), output_size(112, 3, stride=2, ceil_mode=True)
        (55, 56)
    """
    before, after = padding_pair(size, kernel, stride=stride, padding=padding, dilation=dilation)
    padded, span = size + before + after, effective_kernel(kernel, dilation=dilation)
    windows = (padded - span + (stride - 1 if ceil_mode else 0)) // stride + 1
    if windows < 1:
        dilated = f" with dilation {dilation} spans {span} cells and" if dilation > 1 else ""
        around = f" with padding {before} + {after}" if before or after else ""
        raise RequestError(
            f"A kernel of {kernel}{dilated} does not fit an input of {size}{around}. Pad by "
            f"{-(-(span - size) // 2)} on each side, or take a kernel of "
            f"{(padded - 1) // dilation + 1} or less."
        )
    if ceil_mode and (windows - 1) * stride >= size + before:
        windows -= 1
    return windows


def same_padding(kernel: int, *, dilation: int = 1) -> tuple[int, int]:
    """Return the padding that keeps the size at stride 1: (F - 1)/2 on each side.

    F is the kernel size; if it is even, F - 1 is odd, and the odd cell goes after. With dilation D
    it is D·(F - 1) cells in total.

    Raises RequestError for a kernel or dilation below 1.

        >>> same_padding(5), same_padding(4), same_padding(3, dilation=2)
        ((2, 2), (1, 2), (2, 2))
    """
    return padding_pair(1, kernel, padding="same", dilation=dilation)
