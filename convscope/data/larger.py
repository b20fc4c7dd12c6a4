"""Training images that are larger than the network's input, for windows to be cut from them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from convscope.card import MAX_PIXELS, MAX_SIDE, Card
from convscope.data.batch_sources import stacked
from convscope.data.dataset import ImageSource
from convscope.data.depth import DecodedImage, size_of
from convscope.data.first_reading import ReadImage
from convscope.data.reduced import ReducedImage
from convscope.data.resize import resize_image

_SPARE = 8 / 7  # of ImageNet's 256 for 224


def larger_side(card: Card) -> int:
    """The shorter side at which training images are kept: 256 for an input of 224."""
    return card.resize_size or spare_side(card.input_size)


def spare_side(input_size: tuple[int, int]) -> int:
    """The shorter side of images that windows of this size are cut from."""
    return round(_SPARE * max(input_size))


def whole_image(decoded: DecodedImage, card: Card, side: int) -> NDArray[np.uint8]:
    """Bytes (h, w, c) of all of an image, scaled down until its shorter side is `side`.

    Smaller images are not enlarged. Raises UnreadableImage as `resize_image` does.
    """
    width, height = size_of(decoded)
    scale = min(
        1.0,
        side / min(width, height),
        MAX_SIDE / max(width, height),
        (MAX_PIXELS / (width * height)) ** 0.5,
    )
    size = max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))
    return np.require(resize_image(decoded, _stretched(card, size)), requirements="W")


def read_whole(
    images: ImageSource, index: int, card: Card, side: int, decoded: DecodedImage
) -> NDArray[np.uint8]:
    """`whole_image` of an image that was decoded as the card says, and is again, at its own size,
    if that left too few pixels: of a panorama, for an input of another shape.
    """
    if isinstance(decoded, ReducedImage) and min(decoded.image.size) < side:
        decoded = images.image(index, replace(card, reading="whole"))
    return whole_image(decoded, card, side)


@lru_cache(maxsize=64)
def _stretched(card: Card, size: tuple[int, int]) -> Card:
    return replace(card, input_size=size, resize_mode="stretch", resize_size=None)


@dataclass(frozen=True)
class KeptBatchSource:
    """Some images in memory, each (h, w, c) by its index; others are loaded when asked for."""

    kept: Mapping[int, NDArray[np.uint8]]
    load: Callable[[int], NDArray[np.uint8]]

    def batches(self, batches: Sequence[NDArray[np.int64]]) -> Iterator[Tensor]:
        yield from stacked(self.images(batches))

    def images(self, batches: Sequence[NDArray[np.int64]]) -> Iterator[list[NDArray[np.uint8]]]:
        """The images of each batch, of any sizes."""
        for indices in batches:
            yield [
                self.load(index) if index not in self.kept else self.kept[index]
                for index in indices.tolist()
            ]


@dataclass
class ResizedImages:
    """All images in one array, as they are fed; none where that does not fit."""

    shape: tuple[int, int, int, int]
    fits: bool
    pixels: NDArray[np.uint8] = field(init=False)

    @property
    def num_bytes(self) -> int:
        """Of what is kept."""
        return self.pixels.nbytes

    def __post_init__(self) -> None:
        self.pixels = np.zeros(self.shape if self.fits else 0, np.uint8)

    def add(self, read: ReadImage, card: Card) -> None:
        """Resize an image, and keep it if all fit. Raises UnreadableImage as `resize_image`."""
        pixels = resize_image(read.image, card)
        if self.fits:
            self.pixels[read.index] = pixels


@dataclass
class KeptImages:
    """What is kept of all images, as long as it fits: training images whole, others as fed.

    Attributes:
        images: where they come from.
        is_larger: (n,) whether an image is kept whole.
        budget: bytes that may be kept. Beyond them nothing is.
        num_bytes: of all that was to be kept.
    """

    images: ImageSource
    is_larger: NDArray[np.bool_]
    side: int
    budget: float
    fed: dict[int, NDArray[np.uint8]] = field(default_factory=dict[int, NDArray[np.uint8]])
    whole: dict[int, NDArray[np.uint8]] = field(default_factory=dict[int, NDArray[np.uint8]])
    fits: bool = True
    num_bytes: int = 0
    _lock: Lock = field(default_factory=Lock)

    def add(self, read: ReadImage, card: Card) -> None:
        """Keep an image; again, if it was there. Raises UnreadableImage as `resize_image` does."""
        index, image = read.index, read.image
        if self.is_larger[index]:
            kept, pixels = self.whole, read_whole(self.images, index, card, self.side, image)
        else:
            kept, pixels = self.fed, resize_image(image, card)
        with self._lock:
            before = kept.get(index)
            self.num_bytes += pixels.nbytes - (0 if before is None else before.nbytes)
            self.fits = self.fits and self.num_bytes <= self.budget
            if self.fits:
                kept[index] = pixels
            else:
                self.fed.clear()
                self.whole.clear()
