"""One reading of all images, from which the checks work: figures and a thumbnail of each.

Every image is decoded once, JPEGs at a reduced size where 256 pixels of the shorter side are left.
What is kept of an image takes 3.2 kB, whatever its size.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.checks.signatures import SIDE
from convscope.checks.similar import SimilarPair
from convscope.checks.threads import map_in_order
from convscope.data.dataset import Dataset
from convscope.data.depth import DecodedImage, DeepImage, note_of, size_of, to_bytes
from convscope.data.duplicates import copies_by_digest
from convscope.data.pixel_digests import SIZE, digest_image
from convscope.data.thumbnails import READ_FAST
from convscope.data.unreadable import UnreadableImage

ProgressCallback = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

_DETAIL = 256  # pixels at most of the longer side of the image whose sharpness is measured
_COARSE = 24  # pixels of the shorter side, below which sharpness is not measured
_CHUNK = 32  # images per task of a thread


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was measured of every image; figures of unreadable ones are 0.

    Attributes:
        dataset: the images, with the splits that the source has.
        problems: why an image cannot be read, by index.
        notes: predicates on images, by index: "is an animation, ...".
        digests: (n, 16) of the decoded pixels, see `data.pixel_digests`; zeros for unreadable ones.
        thumbnails: (n, SIDE, SIDE, 3) bytes, stretched to a square.
        sizes: (n, 2) width and height in pixels.
        kinds: (n,) "gray", "color" or "gray as color" (three equal channels), by pixels.
        is_deep: (n,) whether of more than 8 bits per channel.
        brightness: (n,) mean of gray values, 0..255.
        darkest: (n,) the gray value that 5% of the pixels do not exceed.
        brightest: (n,) the gray value that 95% of the pixels do not exceed.
        contrast: (n,) standard deviation of gray values.
        sharpness: (n,) variance of the Laplacian (4 neighbors) of at most 256 pixels a side, over
            the variance of the gray values; 0 for images of one value, or of
            less than 24 pixels a side.
        similar: pairs of copies with other pixels, once they have been searched for.
    """

    dataset: Dataset
    problems: dict[int, str]
    notes: dict[int, str]
    digests: NDArray[np.uint8]
    thumbnails: NDArray[np.uint8]
    sizes: NDArray[np.int32]
    kinds: NDArray[np.str_]
    is_deep: NDArray[np.bool_]
    brightness: NDArray[np.float32]
    darkest: NDArray[np.float32]
    brightest: NDArray[np.float32]
    contrast: NDArray[np.float32]
    sharpness: NDArray[np.float32]
    similar: list[SimilarPair] = field(default_factory=list[SimilarPair])

    @classmethod
    def empty(cls, dataset: Dataset) -> "Inspection":
        """With room for the figures of every image."""
        count = len(dataset)
        brightness, darkest, brightest, contrast, sharpness = np.zeros((5, count), np.float32)
        return cls(
            dataset,
            {},
            {},
            np.zeros((count, SIZE), np.uint8),
            np.zeros((count, SIDE, SIDE, 3), np.uint8),
            np.zeros((count, 2), np.int32),
            np.zeros(count, "<U13"),
            np.zeros(count, bool),
            brightness,
            darkest,
            brightest,
            contrast,
            sharpness,
        )

    @cached_property
    def readable(self) -> NDArray[np.bool_]:
        """(n,) whether each image could be read."""
        readable = np.ones(len(self.dataset), bool)
        readable[list(self.problems)] = False
        return readable

    @cached_property
    def copies(self) -> list[list[int]]:
        """Indices of images with equal pixels, ascending, for each such image."""
        return copies_by_digest(self.digests)

    @cached_property
    def leaders(self) -> NDArray[np.int64]:
        """(n,) the first image with the pixels of each image: itself, for most."""
        leaders = np.arange(len(self.dataset))
        for indices in self.copies:
            leaders[indices] = indices[0]
        return leaders

    def key(self, index: int) -> str:
        return self.dataset.images.key(index)

    def label(self, index: int) -> str:
        return self.dataset.label_text(index)

    def split(self, index: int) -> str:
        return str(self.dataset.split[index])

    def add(self, index: int, image: DecodedImage) -> None:
        """Measure a decoded image. Safe to call from several threads, for different images."""
        self.digests[index] = digest_image(image)
        self.sizes[index] = size_of(image)
        self.is_deep[index] = isinstance(image, DeepImage)
        if note := note_of(image):
            self.notes[index] = note
        pixels = to_bytes(image)
        small = pixels.resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=3)
        self.thumbnails[index] = np.asarray(small.convert("RGB"))
        self.kinds[index] = _kind(pixels)
        self._measure(index, pixels.convert("L"))

    def _measure(self, index: int, gray: Image.Image) -> None:
        counts = np.array(gray.histogram(), np.float64)
        share = np.cumsum(counts) / counts.sum()
        levels = np.arange(256)
        mean = float(counts @ levels / counts.sum())
        spread = float(np.sqrt(counts @ (levels - mean) ** 2 / counts.sum()))
        self.brightness[index], self.contrast[index] = mean, spread
        self.darkest[index], self.brightest[index] = np.searchsorted(share, (0.05, 0.95))
        if max(gray.size) > _DETAIL:
            gray.thumbnail((_DETAIL, _DETAIL), Image.Resampling.BILINEAR)
        values = np.asarray(gray, np.int16)
        if spread > 0 and min(values.shape) >= _COARSE:
            middle = values[1:-1, 1:-1]
            around = values[:-2, 1:-1] + values[2:, 1:-1] + values[1:-1, :-2] + values[1:-1, 2:]
            variance = float(np.var(values, dtype=np.float32))
            laplacian = float(np.var(around - 4 * middle, dtype=np.float32))
            self.sharpness[index] = laplacian / max(variance, 1e-6)


def inspect(dataset: Dataset, on_progress: ProgressCallback) -> Inspection:
    """Decode every image once, and measure it."""
    inspection, count = Inspection.empty(dataset), len(dataset)

    def work(start: int) -> int:
        indices = range(start, min(start + _CHUNK, count))
        for index in indices:
            try:
                inspection.add(index, dataset.images.image(index, READ_FAST))
            except UnreadableImage as error:
                inspection.problems[index] = str(error)
        return len(indices)

    done = 0
    for part in map_in_order(work, range(0, count, _CHUNK)):
        done += part
        on_progress("Reading images", done, count)
    return inspection


def _kind(image: Image.Image) -> str:
    if image.mode == "L":
        return "gray"
    pixels = np.asarray(image)
    for part in (pixels[0], pixels):  # a row decides for most photographs
        if not (part == part[..., :1]).all():
            return "color"
    return "gray as color"
