"""Resize an image, and convert its channels, as a card says."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.card import Card, ResizeMode
from convscope.data.depth import DecodedImage, is_gray, size_of, to_bytes
from convscope.data.fit import Fit, fit_image
from convscope.data.reduced import ReducedImage
from convscope.data.resample import box_by_pillow, by_pillow, by_torch, suits_torch

_NEARLY_FILLS = 0.75  # of the input's sides, from which an image is padded rather than scaled


def choose_resize_mode(sizes: Sequence[tuple[int, int]], input_size: tuple[int, int]) -> ResizeMode:
    """The default mode for images of these sizes (height, width).

    Images of one size that nearly fill the input are padded, as LeNet-5 of 1998 padded 28x28 to
    32x32; all others are scaled to their shorter side and cropped, as for ImageNet.
    """
    height, width = input_size
    nearly_fill = all(
        _NEARLY_FILLS * height <= image_height <= height
        and _NEARLY_FILLS * width <= image_width <= width
        for image_height, image_width in sizes
    )
    return "pad" if nearly_fill and len(set(sizes)) == 1 else "crop"


def resize_image(
    decoded: DecodedImage, card: Card, *, only_pillow: bool = False
) -> NDArray[np.uint8]:
    """Bytes (height, width, channels) of an upright image, as the card says.

    With `only_pillow`, PyTorch, which scales some images where it is faster, is not imported.

    Raises UnreadableImage for a deep image with values outside the card's range.
    """
    image = decoded if isinstance(decoded, np.ndarray) else to_bytes(decoded, card.value_range)
    if card.in_channels == 1 and not is_gray(image):
        image = to_bytes(image).convert("L")
    reduced = decoded if isinstance(decoded, ReducedImage) else None
    pixels = _fitted(image, reduced, card, only_pillow=only_pillow).reshape(*card.input_size, -1)
    return pixels if pixels.shape[2] == card.in_channels else pixels.repeat(card.in_channels, 2)


def _fitted(
    image: Image.Image | NDArray[np.uint8],
    reduced: ReducedImage | None,
    card: Card,
    *,
    only_pillow: bool,
) -> NDArray[np.uint8]:
    """(h, w) or (h, w, 3) of the input's size, of an image that is `reduced`, if it is."""
    height, width = card.input_size
    file_size = size_of(reduced or image)
    if file_size == (width, height) and card.resize_size is None:
        return np.asarray(image)
    fit = fit_image(file_size, card)
    if card.resize_mode != "crop" and fit.size == file_size[::-1]:
        scaled = np.asarray(image)
    elif reduced is None:
        is_wide = min(fit.factors) >= 1
        scaled = _scale(image, fit, card, is_wide=is_wide, only_pillow=only_pillow)
    else:
        part = fit.of_reduced(reduced)
        scaled = _scale(image, part, card, is_wide=False, only_pillow=only_pillow)
    if fit.size == card.input_size:
        return scaled
    canvas = np.zeros((height, width, *scaled.shape[2:]), np.uint8)
    top, left = (height - fit.size[0]) // 2, (width - fit.size[1]) // 2
    canvas[top : top + fit.size[0], left : left + fit.size[1]] = scaled
    return canvas


def _scale(
    image: Image.Image | NDArray[np.uint8],
    fit: Fit,
    card: Card,
    *,
    is_wide: bool,
    only_pillow: bool,
) -> NDArray[np.uint8]:
    """The box, scaled; where PyTorch scales, widened to whole pixels if `is_wide`.

    It is not widened where that could be seen: in an image that is enlarged, and in one of reduced
    size, each of whose pixels is many of the file's. Pillow's boxes begin within a pixel.
    """
    if card.reading == "fast" and suits_torch(fit, card.interpolation):
        fit = fit.of_whole_pixels() if is_wide else fit
        if all(side.is_integer() for side in fit.box):
            return box_by_pillow(image, fit) if only_pillow else by_torch(image, fit)
    return by_pillow(to_bytes(image), fit, card.interpolation)


def resize_array(
    pixels: NDArray[np.uint8], card: Card, out: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8] | None:
    """`resize_image` for images (n, h, w[, 3]), all at once; None if they need scaling.

    The result is written to `out`, (n, height, width, channels) of zeros, if it is given.
    """
    height, width = card.input_size
    image_height, image_width = pixels.shape[1:3]
    fits = image_height <= height and image_width <= width
    is_unchanged = (
        card.resize_mode != "stretch"
        and card.resize_size is None
        and (image_height, image_width) == (height, width)
    )
    if not is_unchanged and not (card.resize_mode == "pad" and fits):
        return None
    is_gray = pixels.ndim == 3
    if not is_gray and card.in_channels == 1:
        pixels, is_gray = _luma(pixels), True
    if out is None:
        out = np.zeros((len(pixels), height, width, card.in_channels), np.uint8)
    top, left = (height - image_height) // 2, (width - image_width) // 2
    window = out[:, top : top + image_height, left : left + image_width]
    window[:] = pixels[..., None] if is_gray else pixels
    return out


def _luma(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """ITU-R 601 luma in Pillow's fixed point, so that arrays and files give equal values."""
    red, green, blue = (pixels[..., band].astype(np.uint32) for band in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)
