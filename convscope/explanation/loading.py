"""From an image file to the pixels and the input of a network."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.card import Card
from convscope.data.decode import UnreadableImage, decode_image
from convscope.data.depth import size_of
from convscope.data.images import ImageLike, open_image
from convscope.data.normalize import normalize
from convscope.data.resize import resize_image
from convscope.errors import RequestError


def read_pixels(image: Path | bytes, card: Card) -> NDArray[np.uint8]:
    """Decode an image file, or its content, and resize it as the card says: (h, w, c).

    Raises RequestError for a file that is not an image.
    """
    try:
        return resize_image(decode_image(image, card), card)
    except UnreadableImage as error:
        named = image if isinstance(image, Path) else "The file"
        reason = str(error).rstrip(".")
        remedy = "" if ";" in reason else " Give an image file."
        raise RequestError(f"{named} {reason}.{remedy}") from error


def preprocess(pixels: NDArray[np.uint8], card: Card) -> Tensor:
    """Normalize pixels (h, w, c) to the network's input, (1, c, h, w)."""
    return normalize(torch.tensor(pixels)[None], card, channels_last=False)


def size_in_pixels(image: ImageLike, card: Card) -> tuple[int, int] | None:
    """Width and height of an image; None for a tensor, which is what the network is fed."""
    if isinstance(image, Tensor):
        return None
    try:
        return size_of(open_image(image, card))
    except UnreadableImage:
        return None
