"""Example images for a network that came without any, and for the lessons.

Sources and licenses: `bundled/SOURCES.md`.
"""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.card import Card
from convscope.data.digits import digit_images
from convscope.data.resize import resize_image

Photograph = Literal["flower", "palace"]


def photograph(name: Photograph) -> Image.Image:
    """Read a photograph of the package: RGB, 640 pixels wide and 427 high."""
    with Image.open(Path(__file__).parent / "bundled" / f"{name}.jpg") as file:
        return file.convert("RGB")


def sample_images(card: Card) -> list[tuple[str, NDArray[np.uint8]]]:
    """Titles and pixels of images of the package, resized as the card says.

    Three handwritten digits for a network that reads grayscale, two photographs for one that reads
    color.
    """
    if card.in_channels == 1:
        pixels, labels = digit_images()
        indices = [int(np.flatnonzero(labels == digit)[0]) for digit in (4, 3, 8)]
        return [(f"a {labels[n]}", resize_image(Image.fromarray(pixels[n]), card)) for n in indices]
    names: tuple[Photograph, ...] = ("flower", "palace")
    return [(f"a {name}", resize_image(photograph(name), card)) for name in names]
