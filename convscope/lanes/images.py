"""What a batch's images are for the engine: bytes in memory, which must all be there."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, uint8

from convscope.errors import RequestError
from convscope.lanes.graph import Shape


class Images(NamedTuple):
    """Images among the bytes of `pixels`, pixel by pixel, a byte for each channel.

    Image i begins at byte `first[i]`, and the pixel to the right of another lies `steps[i]` bytes
    further; before it where the image is mirrored. Both are int64, (n,).
    """

    pixels: Tensor
    first: NDArray[np.int64]
    steps: NDArray[np.int64]

    def addresses(self, shape: Shape, *, row: int) -> NDArray[np.int64]:
        """Of the first pixels. Every byte of every image has been found to lie within `pixels`.

        `row` is the bytes from one row of an image to the next. Raises RequestError.
        """
        _refuse_unless(
            self.pixels.dtype == uint8 and self.pixels.is_contiguous() and not self.pixels.is_cuda,
            "Images must be contiguous bytes in the processor's memory.",
        )
        for numbers in (self.first, self.steps):
            _refuse_unless(
                is_plain(numbers, np.int64, (len(self.first),)) and len(numbers) > 0,
                "The offsets of images must be contiguous 64-bit integers, one for each.",
            )
        channels, height, width = shape
        across = self.steps * (width - 1)
        low = self.first + np.minimum(across, 0)
        high = self.first + np.maximum(across, 0) + row * (height - 1) + channels
        _refuse_unless(
            low.min() >= 0 and high.max() <= self.pixels.numel(),
            "An image extends beyond its memory.",
        )
        return self.pixels.data_ptr() + self.first


def is_plain(numbers: NDArray[np.generic], kind: type, shape: tuple[int, ...]) -> bool:
    """Whether code can read an array as it lies."""
    return numbers.dtype == kind and numbers.flags.c_contiguous and numbers.shape == shape


def _refuse_unless(holds: bool, words: str) -> None:  # noqa: FBT001 -- the question itself
    if not holds:
        raise RequestError(words)
