"""Resize an image, and convert its channels, as a card says."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.card import Card, ResizeMode
from convscope.data.depth import DecodedImage, to_bytes

_NEARLY_FILLS = 0.75  # of the input's sides, from which an image is padded rather than scaled
_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


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


def resize_image(decoded: DecodedImage, card: Card) -> NDArray[np.uint8]:
    """Bytes (height, width, channels) of an upright image, as the card says.

    Raises UnreadableImage for a deep image with values outside the card's range.
    """
    image = to_bytes(decoded, card.value_range)
    mode = "L" if card.in_channels == 1 else "RGB"
    resized = _resize(image if image.mode == mode else image.convert(mode), card)
    return np.asarray(resized, dtype=np.uint8).reshape(*card.input_size, card.in_channels)


def _resize(image: Image.Image, card: Card) -> Image.Image:
    height, width = card.input_size
    if image.size == (width, height) and card.resize_size is None:
        return image
    scale_x, scale_y = width / image.width, height / image.height
    match card.resize_mode:
        case "stretch":
            return _scale(image, card.input_size, card)
        case "crop":
            return _scale(image, card.input_size, card, _center_box(image.size, card))
        case "pad":
            scale = min(1.0, scale_x, scale_y)
        case "letterbox":
            scale = min(scale_x, scale_y)
    if scale != 1.0:
        new_width, new_height = (max(1, round(side * scale)) for side in image.size)
        image = _scale(image, (min(new_height, height), min(new_width, width)), card)
    canvas = Image.new(image.mode, (width, height))
    canvas.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return canvas


def _center_box(image_size: tuple[int, int], card: Card) -> tuple[float, float, float, float]:
    """The box of an image of this (width, height) that `crop` keeps: left, top, right, bottom.

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


def _scale(
    image: Image.Image,
    size: tuple[int, int],
    card: Card,
    box: tuple[float, float, float, float] | None = None,
) -> Image.Image:
    height, width = size
    return image.resize((width, height), _RESAMPLING[card.interpolation], box, reducing_gap=3.0)


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
