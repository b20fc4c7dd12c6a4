"""Decode a JPEG as a card says: at a reduced size where that is enough, and quickly.

What these functions leave is decoded by Pillow at its own size.
"""

from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from convscope.card import Card
from convscope.data.fit import jpeg_scale
from convscope.data.orientation import SIDEWAYS, orientation_of
from convscope.data.reduced import JpegScale
from convscope.data.turbo import decode_frame, is_used, read_frame


def decode_plain(data: bytes, card: Card, *, max_pixels: int) -> NDArray[np.uint8] | None:
    """The pixels of a JPEG without metadata that is decoded at its own size; None for others."""
    frame = read_frame(data) if card.reading == "fast" and is_used() else None
    if frame is None or not frame.is_plain or jpeg_scale(frame.size, card) > 1:
        return None
    width, height = frame.size
    return decode_frame(data, frame) if width * height <= max_pixels else None


def decode_stored(image: Image.Image, data: bytes, card: Card | None) -> NDArray[np.uint8] | None:
    """The pixels of a JPEG as it is stored, perhaps on its side; None for others."""
    if card is None or card.reading == "whole" or image.format != "JPEG" or not is_used():
        return None
    frame = read_frame(data)
    is_same = frame is not None and (frame.size, frame.mode) == (image.size, image.mode)
    return decode_frame(data, frame) if frame and is_same else None


def reduce_jpeg(image: Image.Image, card: Card) -> JpegScale:
    """Have libjpeg decode a JPEG that was opened at the scale that the card allows."""
    if image.format not in ("JPEG", "MPO"):
        return 1
    width, height = image.size
    is_turned = orientation_of(image) in SIDEWAYS
    scale = jpeg_scale((height, width) if is_turned else (width, height), card)
    if scale == 1:
        return 1
    wanted = width // scale, height // scale
    return scale if cast("JpegImageFile", image).draft(None, wanted) else 1
