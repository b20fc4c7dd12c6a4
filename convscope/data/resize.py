"""How a picture of any size and color comes to the size and the channels that a card asks for."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.card import Card, ResizeMode

_NEARLY = 0.75  # a picture that fills this much of the network's input is better framed than scaled
_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def choose_resize_mode(sizes: Sequence[tuple[int, int]], size: tuple[int, int]) -> ResizeMode:
    """The rule for pictures of these (height, width), where the user names none.

    Pictures of one size that fit in and nearly fill the input are padded, as 1998 put MNIST's 28x28
    into 32x32; anything else is scaled to its shorter side and cropped, as ImageNet is.
    """
    height, width = size
    fills = all(
        _NEARLY * height <= tall <= height and _NEARLY * width <= wide <= width
        for tall, wide in sizes
    )
    return "pad" if fills and len(set(sizes)) == 1 else "crop"


def resize_image(picture: Image.Image, card: Card) -> NDArray[np.uint8]:
    """Bytes (height, width, channels) of an upright "L" or "RGB" picture, by the card's rules."""
    mode = "L" if card.in_channels == 1 else "RGB"
    framed = _framed(picture if picture.mode == mode else picture.convert(mode), card)
    return np.asarray(framed, dtype=np.uint8).reshape(*card.input_size, card.in_channels)


def _framed(picture: Image.Image, card: Card) -> Image.Image:
    height, width = card.input_size
    if picture.size == (width, height) and card.resize_size is None:
        return picture
    across, down = width / picture.width, height / picture.height
    match card.resize_mode:
        case "stretch":
            return _scaled(picture, card.input_size, card)
        case "crop":
            return _scaled(picture, card.input_size, card, _center(picture.size, card))
        case "pad":
            scale = min(1.0, across, down)
        case "letterbox":
            scale = min(across, down)
    if scale != 1.0:
        wide, tall = (max(1, round(side * scale)) for side in picture.size)
        picture = _scaled(picture, (min(tall, height), min(wide, width)), card)
    canvas = Image.new(picture.mode, (width, height))
    canvas.paste(picture, ((width - picture.width) // 2, (height - picture.height) // 2))
    return canvas


def _center(picture: tuple[int, int], card: Card) -> tuple[float, float, float, float]:
    """The part of a picture of this (width, height) that `crop` keeps: left, top, right, bottom.

    With `resize` it is what two steps would keep, whole pixels of the scaled picture, rounded as
    torchvision does it; it is named in the picture's own pixels, so that one step will do.
    """
    (height, width), (across, down) = card.input_size, picture
    if card.resize_size is None:
        wide, tall = min(across, width * down / height), min(down, height * across / width)
        left, top = (across - wide) / 2, (down - tall) / 2
        return left, top, left + wide, top + tall
    wide, tall = (card.resize_size * side // min(picture) for side in picture)
    left, top = round((wide - width) / 2), round((tall - height) / 2)
    right, bottom = left + width, top + height
    return left * across / wide, top * down / tall, right * across / wide, bottom * down / tall


def _scaled(
    picture: Image.Image,
    size: tuple[int, int],
    card: Card,
    box: tuple[float, float, float, float] | None = None,
) -> Image.Image:
    height, width = size
    return picture.resize((width, height), _RESAMPLING[card.interpolation], box, reducing_gap=3.0)


def resize_array(pixels: NDArray[np.uint8], card: Card) -> NDArray[np.uint8] | None:
    """`resize_image` for images (n, h, w[, 3]), all at once; None where they need scaling."""
    height, width = card.input_size
    tall, wide = pixels.shape[1:3]
    framed = (
        card.resize_mode != "stretch"
        and card.resize_size is None
        and (tall, wide) == (height, width)
    )
    if not framed and (card.resize_mode != "pad" or tall > height or wide > width):
        return None
    gray = pixels.ndim == 3
    if not gray and card.in_channels == 1:
        pixels, gray = _luma(pixels), True
    out = np.zeros((len(pixels), height, width, card.in_channels), np.uint8)
    top, left = (height - tall) // 2, (width - wide) // 2
    out[:, top : top + tall, left : left + wide] = pixels[..., None] if gray else pixels
    return out


def _luma(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """ITU-R 601 in Pillow's fixed point, so that an array and a file give the same gray."""
    red, green, blue = (pixels[..., band].astype(np.uint32) for band in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8)
