"""From an image file to the network's input, without PyTorch.

By the rules of `convscope.data`; only images are scaled by Pillow always, where PyTorch, which is
faster for some, may differ by 1 or 2 of 255.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.card import Card
from convscope.data.decode import decode_image
from convscope.data.resize import resize_image


def fitted_pixels(image: Path | bytes, card: Card) -> NDArray[np.uint8]:
    """Bytes (height, width, c) of the input's size, for a file or its content.

    Raises UnreadableImage for whatever is wrong with it.
    """
    return resize_image(decode_image(image, card), card, only_pillow=True)


def network_input(image: Path | bytes, card: Card) -> NDArray[np.float32]:
    """The normalized input, float32 (1, c, height, width); see `fitted_pixels`."""
    return normalize(fitted_pixels(image, card)[None], card)


def normalize(pixels: NDArray[np.uint8], card: Card) -> NDArray[np.float32]:
    """Bytes (n, h, w, c) to float32 (n, c, h, w): byte · scale + shift, as in training."""
    mean, std = np.array(card.mean), np.array(card.std)
    scale, shift = (1 / (255 * std)).astype(np.float32), (-mean / std).astype(np.float32)
    values = pixels.transpose(0, 3, 1, 2).astype(np.float32, order="C")
    values *= scale[:, None, None]
    values += shift[:, None, None]
    return values
