"""Which part of an image a network gets, how large it becomes, and what that takes of a JPEG."""

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from convscope.card import Card
from convscope.data.reduced import JpegScale, ReducedImage

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels; 0.5 is the middle of the first."""

_SCALES: tuple[JpegScale, ...] = (8, 4, 2)
_SPARE = 2  # times the network's resolution that a JPEG of reduced size has at least


@dataclass(frozen=True)
class Fit:
    """The box of an image that is scaled to `size` (height, width), and then centered on black if
    that is less than the network's input.
    """

    box: Box
    size: tuple[int, int]

    @property
    def factors(self) -> tuple[float, float]:
        """How many pixels of the image become one, along x and y."""
        left, top, right, bottom = self.box
        return (right - left) / self.size[1], (bottom - top) / self.size[0]

    def of_reduced(self, image: ReducedImage) -> "Fit":
        """With the box in pixels of an image that was decoded at a reduced size."""
        (x, y), scale = image.origin, image.scale
        left, top, right, bottom = self.box
        box = x + left / scale, y + top / scale, x + right / scale, y + bottom / scale
        return Fit(box, self.size)

    def of_whole_pixels(self) -> "Fit":
        """With the least box of whole pixels that contains this one; its center stays."""
        left, top, right, bottom = self.box
        return Fit(
            (float(floor(left)), float(floor(top)), float(ceil(right)), float(ceil(bottom))),
            self.size,
        )


def fit_image(image_size: tuple[int, int], card: Card) -> Fit:
    """How an image of this (width, height) is brought to the card's input size."""
    height, width = card.input_size
    image_width, image_height = image_size
    whole = (0.0, 0.0, float(image_width), float(image_height))
    scale_x, scale_y = width / image_width, height / image_height
    match card.resize_mode:
        case "stretch":
            return Fit(whole, card.input_size)
        case "crop":
            return Fit(_center_box(image_size, card), card.input_size)
        case "pad":
            scale = min(1.0, scale_x, scale_y)
        case "letterbox":
            scale = min(scale_x, scale_y)
    new_width, new_height = (max(1, round(side * scale)) for side in image_size)
    return Fit(whole, (min(new_height, height), min(new_width, width)))


@dataclass(frozen=True)
class Axis:
    """How pixels of the network's input lie in an image, along x or y: place t at begin + factor t.

    Attributes:
        image_side, input_side: the lengths in pixels.
    """

    begin: float
    factor: float
    image_side: int
    input_side: int


def fit_axes(image_size: tuple[int, int], card: Card) -> tuple[Axis, Axis]:
    """Where the card's input lies in an image of this (width, height), along x and y."""
    fit = fit_image(image_size, card)
    x, y = (
        Axis(begin - (input_side - extent) // 2 * factor, factor, image_side, input_side)
        for begin, factor, extent, image_side, input_side in zip(
            fit.box[:2], fit.factors, fit.size[::-1], image_size, card.input_size[::-1], strict=True
        )
    )
    return x, y


def _center_box(image_size: tuple[int, int], card: Card) -> Box:
    """The box of an image of this (width, height) that `crop` keeps.

    With `resize_size` it is what torchvision's Resize and CenterCrop keep, integer pixels of the
    scaled image, converted to pixels of the original, so that the image is resampled only once.
    """
    (height, width), (image_width, image_height) = card.input_size, image_size
    if card.resize_size is None:
        box_width = min(image_width, width * image_height / height)
        box_height = min(image_height, height * image_width / width)
        left, top = (image_width - box_width) / 2, (image_height - box_height) / 2
        return left, top, left + box_width, top + box_height
    scaled_width, scaled_height = (
        card.resize_size * side // min(image_size) for side in image_size
    )
    left, top = round((scaled_width - width) / 2), round((scaled_height - height) / 2)
    right, bottom = left + width, top + height
    return (
        left * image_width / scaled_width,
        top * image_height / scaled_height,
        right * image_width / scaled_width,
        bottom * image_height / scaled_height,
    )


def jpeg_scale(image_size: tuple[int, int], card: Card) -> JpegScale:
    """The scale at which a JPEG of this upright (width, height) is decoded: the largest that keeps
    twice the resolution that the network gets; 1 for a card that reads images whole.
    """
    if card.reading == "whole":
        return 1
    least = min(fit_image(image_size, card).factors) / _SPARE
    for scale in _SCALES:
        if scale <= least:
            return scale
    return 1


def in_pixels(boxes: NDArray[np.float64], size: tuple[int, int], card: Card) -> NDArray[np.float64]:
    """Where boxes (m, 4) in shares of the network's input lie in an image of this (width, height).

    The inverse of `convscope.data.fit_objects.fitted`, in pixels; what lies outside of the image
    ends at its edges.
    """
    scale, begin = shares_to_pixels(size, card)
    return (boxes * scale + begin).clip(0, np.tile(size, 2))


def shares_to_pixels(
    size: tuple[int, int], card: Card
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """By what shares of the network's input are multiplied, and what is added: (4,) each."""
    axes = fit_axes(size, card) * 2
    scale = np.array([axis.factor * axis.input_side for axis in axes])
    return scale, np.array([axis.begin for axis in axes])
