"""Real images to convolve, part of the package: nothing is downloaded."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures

from convscope.data.digits import digit_images
from convscope.data.samples import Photograph, photograph

_DIGIT = 28  # pixels of a side
_CROP = 64
_STEP = 24  # pixels of the photograph from one crop to the next
CORNER = (88, 40)  # left and top of the crop, in pixels of the photograph
_CROP_SIDE = 256  # pixels of the photograph, before scaling


@cache
def gray(name: str) -> NDArray[np.uint8]:
    """Return the grayscale image of that name: a "digit" of 28x28 or a "photograph" of 64x64."""
    if name == "digit":
        small = Pictures.fromarray(digit_images()[0][3])
        return np.asarray(small.resize((_DIGIT, _DIGIT), Pictures.Resampling.BICUBIC))
    return np.asarray(Pictures.fromarray(_taken(0, _CROP)).convert("L"))


@cache
def volume(channels: int, side: int) -> NDArray[np.uint8]:
    """Return a volume (channels, side, side) of bytes: red, green, blue of a crop of a photograph.

    The fourth channel is the red of another crop, and so on.
    """
    crops = [_taken(_STEP * crop, side) for crop in range(-(-channels // 3))]
    planes = [crops[channel // 3][:, :, channel % 3] for channel in range(channels)]
    return np.stack(planes)


def _taken(right: int, side: int) -> NDArray[np.uint8]:
    """Crop a square from the photograph, `right` pixels further right; scale to (side, side, 3)."""
    left, top = CORNER[0] + right, CORNER[1]
    square = whole_photograph().crop((left, top, left + _CROP_SIDE, top + _CROP_SIDE))
    return np.asarray(square.resize((side, side), Pictures.Resampling.BOX))


SQUARE = 128
"""Pixels of a side of `square`."""

Levels = list[list[int]]
"""Rows of bytes, 0 to 255."""


@cache
def square(name: Photograph) -> Levels:
    """Return the middle of a photograph, gray and scaled to 128x128."""
    whole = photograph(name)
    left = (whole.width - whole.height) // 2
    middle = whole.crop((left, 0, left + whole.height, whole.height))
    small = middle.resize((SQUARE, SQUARE), Pictures.Resampling.BOX).convert("L")
    return np.asarray(small).tolist()


@cache
def whole_photograph() -> Pictures.Image:
    return photograph("palace")
