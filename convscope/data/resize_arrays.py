"""Resize all images of a data set at once, where they are arrays in memory."""

import numpy as np
from numpy.typing import NDArray

from convscope.card import Card
from convscope.data.dataset import ArrayImages, ConcatImages, ImageSource, SubsetImages
from convscope.data.resize import resize_array


def resize_all(
    images: ImageSource, card: Card, out: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8] | None:
    """All images at once, resized, if they are arrays in memory that need no scaling; else None.

    They are written to `out`, zeros, if it is given and they are not a selection.
    """
    match images:
        case ArrayImages():
            return resize_array(images.pixels, card, out)
        case ConcatImages():
            return _resize_parts(images, card, out)
        case SubsetImages():
            source = resize_all(images.source, card)
            return None if source is None else source[images.indices]
        case _:
            return None


def _resize_parts(
    images: ConcatImages, card: Card, out: NDArray[np.uint8] | None
) -> NDArray[np.uint8] | None:
    """`resize_all` of each part, into one array."""
    if out is None:
        out = np.zeros((len(images), *card.input_size, card.in_channels), np.uint8)
    for part, start in zip(images.parts, images.starts, strict=False):
        place = out[start : start + len(part)]
        resized = resize_all(part, card, place)
        if resized is None:
            return None
        if resized is not place:
            place[:] = resized
    return out
