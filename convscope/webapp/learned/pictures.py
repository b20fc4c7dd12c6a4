"""The patches of a filter as one picture, side by side."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.features.patches.crops import crop
from convscope.webapp.learned.images import StudiedImages

_SIDE = 96  # pixels of a patch, at most

Box = tuple[tuple[int, int], tuple[int, int]]


def patch_strip(images: StudiedImages, patches: Sequence[Mapping[str, Any]]) -> bytes:
    """A PNG with a square for each patch, from left to right; clear outside of its image.

    All squares have the side of the largest patch, or 96 pixels, whichever is less.
    """
    cut: list[NDArray[np.uint8]] = []
    for patch in patches:
        (top, bottom), (left, right) = patch["box"]
        pixels, is_outside = crop(images.pixels(patch["image"]), ((top, bottom), (left, right)))
        alpha = np.where(is_outside, 0, 255).astype(np.uint8)[..., None]
        cut.append(np.concatenate([pixels, alpha], 2))
    side = max((max(one.shape[:2]) for one in cut), default=1)
    shown = min(side, _SIDE)
    strip = Image.new("RGBA", (shown * max(len(cut), 1), shown))
    for number, one in enumerate(cut):
        picture = Image.fromarray(_squared(one, side))
        if shown < side:
            picture = picture.resize((shown, shown), Image.Resampling.BOX)
        strip.paste(picture, (number * shown, 0))
    file = io.BytesIO()
    strip.save(file, "PNG")
    return file.getvalue()


def _squared(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    square = np.zeros((side, side, 4), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = pixels
    return square
