"""Example images for a network that came without any."""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.card import Card
from convscope.data.resize import resize_image


def sample_images(card: Card) -> list[tuple[str, NDArray[np.uint8]]]:
    """Titles and pixels of images from scikit-learn, resized as the card says.

    Three handwritten digits for a network that reads grayscale, two photographs for one that reads
    color.
    """
    from sklearn import datasets  # noqa: PLC0415 # pyright: ignore[reportMissingTypeStubs]

    if card.in_channels == 1:
        digits = cast("Any", datasets.load_digits())
        indices = [int(np.flatnonzero(digits.target == digit)[0]) for digit in (4, 3, 8)]
        return [
            (f"a {digits.target[n]}", resize_image(_grayscale(digits.images[n]), card))
            for n in indices
        ]
    return [
        (title, resize_image(Image.fromarray(datasets.load_sample_image(name)), card))
        for title, name in (("a flower", "flower.jpg"), ("a palace", "china.jpg"))
    ]


def _grayscale(levels: NDArray[np.float64]) -> Image.Image:
    return Image.fromarray(np.uint8(np.round(levels * (255 / 16))))
