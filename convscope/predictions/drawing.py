"""Images with boxes drawn on them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

TRUTH, FOUND = (0, 158, 115), (230, 118, 0)
"""Green and orange that are told apart by color-blind people too (after Okabe and Ito)."""


class Drawn(NamedTuple):
    """A box to draw: left, top, right, bottom as shares of the image, its text and color."""

    box: NDArray[np.float64]
    text: str
    color: tuple[int, int, int]


def draw(
    pixels: NDArray[np.uint8], boxes: Sequence[Drawn], *, side: int | None = None
) -> Image.Image:
    """An RGB image of bytes (h, w[, c]) with boxes, enlarged where its longer side is below `side`.

    A box's lines lie outside of it, as far as the image goes, so that what it holds is seen.
    """
    gray = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    image = Image.fromarray(gray).convert("RGB")
    factor = 1 if side is None else max(1, side // max(image.size))
    if factor > 1:
        image = image.resize(
            (image.width * factor, image.height * factor), Image.Resampling.NEAREST
        )
    pen, width = ImageDraw.Draw(image), max(1, round(max(image.size) / 300))
    font = ImageFont.load_default(max(10, max(image.size) // 30))
    size = np.array([*image.size, *image.size])
    for box, text, color in boxes:
        left, top, right, bottom = (box * size).tolist()
        pen.rectangle(
            (left - width, top - width, right + width - 1, bottom + width - 1), None, color, width
        )
        if text:
            x, y, x2, y2 = pen.textbbox((0, 0), text, font=font)
            place = (max(0, min(left, image.width - x2)), max(0, top - width - y2 - 1))
            pen.rectangle(
                (place[0] + x, place[1] + y, place[0] + x2, place[1] + y2), (255, 255, 255)
            )
            pen.text(place, text, color, font)
    return image
