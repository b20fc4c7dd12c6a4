"""Views of an image for its evaluation: crops at several scales, as the papers test with."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from convscope.card import MAX_PIXELS, MAX_SIDE, Card
from convscope.data.crops import Crops
from convscope.data.dataset import ImageSource
from convscope.data.depth import size_of
from convscope.data.resize import resize_image

Pixels = NDArray[np.uint8]
"""(height, width, channels)."""

_CORNERS: tuple[tuple[float, float], ...] = (
    (0.0, 0.0),
    (0.0, 1.0),
    (1.0, 0.0),
    (1.0, 1.0),
    (0.5, 0.5),
)
_FIFTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


def read_scaled(images: ImageSource, index: int, card: Card, scales: Sequence[int]) -> list[Pixels]:
    """A whole image once for each scale: the length of the shorter side that it is scaled to.

    With a card that stretches or pads, an image is brought to the shape of the input, `scale` along
    its shorter side, as it would be brought to the input itself.

    Raises UnreadableImage.
    """
    largest = max(scales)
    decoded = images.image(index, _fitting(card, _of_shape(card.input_size, largest)))
    scaled: list[Pixels] = []
    for scale in scales:
        if card.resize_mode == "crop":
            width, height = size_of(decoded)
            whole = _stretching(card, _of_shape((height, width), scale))
        else:
            whole = _fitting(card, _of_shape(card.input_size, scale))
        scaled.append(resize_image(decoded, whole))
    return scaled


def _of_shape(shape: tuple[int, int], scale: int) -> tuple[int, int]:
    """A (height, width) whose shorter side is `scale`; of a strip that would exceed every limit,
    the longer side is as long as allowed.
    """
    limit = min(MAX_SIDE, MAX_PIXELS // scale)
    height, width = (min(scale * side // min(shape), limit) for side in shape)
    return height, width


@lru_cache(maxsize=256)
def _fitting(card: Card, size: tuple[int, int]) -> Card:
    return replace(card, input_size=size, resize_size=None)


@lru_cache(maxsize=256)
def _stretching(card: Card, size: tuple[int, int]) -> Card:
    return replace(card, input_size=size, resize_size=None, resize_mode="stretch")


def views_of(pixels: Pixels, card: Card, crops: Crops, *, flip: bool) -> Iterator[Pixels]:
    """The views of a scaled image, all of the card's input size but for `dense`.

    Mirrored views follow the others; `flip` adds them where `crops` has none. No pixel is copied
    but for squares that are scaled.
    """
    views = list(_unmirrored(pixels, card, crops))
    yield from views
    if flip or crops in ("ten", "144", "150"):
        yield from (view[:, ::-1] for view in views)


def num_views(crops: Crops, num_scales: int, *, flip: bool) -> int:
    """How many views of an image there are at all scales.

    >>> num_views("144", 4, flip=False), num_views("150", 3, flip=True)
    (144, 150)
    """
    at_one_scale = {"center": 1, "ten": 10, "144": 36, "150": 50, "dense": 1}[crops]
    return at_one_scale * num_scales * (2 if flip and crops in ("center", "dense") else 1)


def _unmirrored(pixels: Pixels, card: Card, crops: Crops) -> Iterator[Pixels]:
    size = card.input_size
    match crops:
        case "center":
            yield _cut(pixels, size, (0.5, 0.5))
        case "ten":
            square = _square(pixels, size, 0.5)
            yield from (_cut(square, size, place) for place in _CORNERS)
        case "144":
            for along in (0.0, 0.5, 1.0):
                square = _square(pixels, size, along)
                yield from (_cut(square, size, place) for place in _CORNERS)
                yield _scaled(square, card)
        case "150":
            yield from (_cut(pixels, size, place) for place in product(_FIFTHS, _FIFTHS))
        case "dense":
            yield pixels


def _cut(pixels: Pixels, size: tuple[int, int], place: tuple[float, float]) -> Pixels:
    """The window of a size at a place: 0 is the top or the left, 1 the bottom or the right."""
    top, left = (
        round((whole - part) * at)
        for whole, part, at in zip(pixels.shape[:2], size, place, strict=True)
    )
    return pixels[top : top + size[0], left : left + size[1]]


def _square(pixels: Pixels, size: tuple[int, int], along: float) -> Pixels:
    """The largest window of the shape of the input, a square mostly, at a place along the image."""
    height, width = pixels.shape[:2]
    scale = min(height / size[0], width / size[1])
    shape = min(height, round(size[0] * scale)), min(width, round(size[1] * scale))
    return _cut(pixels, shape, (along, along))


def _scaled(square: Pixels, card: Card) -> Pixels:
    plain = square[..., 0] if square.shape[2] == 1 else square
    return resize_image(np.ascontiguousarray(plain), _stretching(card, card.input_size))
