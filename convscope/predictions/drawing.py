"""Images with boxes drawn on them."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from convscope.atomic import write_atomically
from convscope.card import Card
from convscope.data.depth import to_bytes
from convscope.data.images import ImageLike, name_image, open_image
from convscope.predictions.result import Prediction

TRUTH, FOUND = (0, 158, 115), (230, 118, 0)
"""Green and orange that are told apart by color-blind people too (after Okabe and Ito)."""

COLORS = (
    FOUND, (86, 180, 233), (240, 228, 66), (0, 114, 178), (204, 121, 167), TRUTH, (213, 94, 0),
)  # fmt: skip
"""Of classes, in turn: Okabe and Ito's."""

_LIGHT = 0.18  # the luminance from which on black is read better than white
_SIDE = 320  # pixels of the longer side, below which an image is enlarged


class Drawn(NamedTuple):
    """A box to draw: left, top, right, bottom as shares of the image, its text and color."""

    box: NDArray[np.float64]
    text: str
    color: tuple[int, int, int]


def draw(
    pixels: NDArray[np.uint8], boxes: Sequence[Drawn], *, side: int | None = None
) -> Image.Image:
    """An RGB image of bytes (h, w[, c]) with boxes, enlarged if its longer side is below `side`."""
    gray = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    image = Image.fromarray(gray).convert("RGB")
    factor = 1 if side is None else max(1, side // max(image.size))
    if factor > 1:
        image = image.resize(
            (image.width * factor, image.height * factor), Image.Resampling.NEAREST
        )
    draw_on(image, boxes)
    return image


def draw_on(image: Image.Image, boxes: Sequence[Drawn]) -> None:
    """Draw boxes on an RGB image.

    A box's lines lie outside of it, as far as the image goes, so that what it holds is seen.
    """
    pen, width = ImageDraw.Draw(image), max(2, round(max(image.size) / 300))
    font = ImageFont.load_default(max(13, max(image.size) // 36))
    size = np.array([*image.size, *image.size])
    for box, _, color in boxes:
        left, top, right, bottom = np.rint(box * size).tolist()
        corners = (left - width, top - width, right + width - 1, bottom + width - 1)
        pen.rectangle(corners, None, color, width)
    for box, text, color in boxes:  # on top of all lines
        if text:
            _label(pen, font, image.size, (box * size).tolist(), text, color, width)


def _label(
    pen: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    size: tuple[int, int],
    box: Sequence[float],
    text: str,
    color: tuple[int, int, int],
    width: int,
) -> None:
    """Write a text above the box, or within it where there is no room above."""
    x, y, x2, y2 = pen.textbbox((0, 0), text, font=font)
    high, wide = y2 - y + 2 * width + 2, x2 - x + 2 * width + 2
    left = max(0, min(box[0] - width, size[0] - wide))
    top = box[1] - high if box[1] >= high else min(box[1], size[1] - high)
    pen.rectangle((left, top, left + wide - 1, top + high - 1), color)
    ink = (0, 0, 0) if _luminance(color) > _LIGHT else (255, 255, 255)
    pen.text((left - x + width + 1, top - y + width + 1), text, ink, font)


def _luminance(color: tuple[int, int, int]) -> float:
    """How light a color is, 0 to 1, as WCAG has it."""
    linear = [(part / 255) ** 2.2 for part in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def draw_predictions(
    predictions: Sequence[Prediction], images: Sequence[ImageLike], card: Card, folder: Path
) -> None:
    """Write each image that has a prediction, with its boxes, as a PNG file in `folder`.

    Files are named as the images, in the folders that these have below the one common to all.
    Images of less than 320 pixels are enlarged. Raises WorkError where a file cannot be written.
    """
    shown = replace(card, reading="whole", in_channels=3, mean=(0.0,) * 3, std=(1.0,) * 3)
    waiting = deque(predictions)
    names = png_names([prediction.path for prediction in predictions])
    for index, image in enumerate(images):
        if not waiting or waiting[0].path != name_image(image, index):
            continue  # it could not be read
        prediction = waiting.popleft()
        pixels = np.asarray(to_bytes(open_image(image, shown), card.value_range))
        path = folder.expanduser() / next(names)
        content = BytesIO()
        draw(pixels, boxes_to_draw(prediction, card.classes), side=_SIDE).save(content, "PNG")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content.getvalue())


def boxes_to_draw(prediction: Prediction, classes: Sequence[str]) -> list[Drawn]:
    """The objects of an image, as shares of it, each class in a color of its own."""
    width, height = prediction.size or (1, 1)
    return [
        Drawn(
            np.array(one.box) / (width, height, width, height),
            f"{one.label} {one.score:.2f}",
            COLORS[classes.index(one.label) % len(COLORS)],
        )
        for one in reversed(prediction.objects or ())  # the best one on top
    ]


def png_names(paths: Sequence[str]) -> Iterator[str]:
    """A name for each path, relative to the folder common to all, with .png; no two are equal.

    >>> list(png_names(["a/1.jpg", "b/1.jpg", "b/1.tif"]))
    ['a/1.png', 'b/1.png', 'b/1.tif.png']
    """
    parents = {str(PurePath(path).parent) for path in paths}
    common = os.path.commonpath(parents) if len(parents) > 1 and not _mixed(parents) else None
    used: set[str] = set()
    for path in paths:
        pure = PurePath(path)
        base = PurePath(pure.name) if common is None else pure.relative_to(common)
        name = base.with_suffix(".png").as_posix() if base.suffix else f"{base.as_posix()}.png"
        name = f"{base.as_posix()}.png" if name in used else name
        number = 1
        while name in used:
            number += 1
            name = base.with_suffix(f".{number}.png").as_posix()
        used.add(name)
        yield name


def _mixed(parents: Iterable[str]) -> bool:
    """Whether there are absolute paths and others, which have no folder in common."""
    return len({PurePath(parent).is_absolute() for parent in parents}) > 1
