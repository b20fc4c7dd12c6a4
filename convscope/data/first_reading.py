"""The first reading of all images: each is decoded completely before a training trusts it."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from convscope.card import Card
from convscope.data.dataset import ImageSource
from convscope.data.depth import DecodedImage
from convscope.data.pixel_digests import SIZE, digest_image
from convscope.data.pool import decoding_pool, wait_for
from convscope.data.survey import ImageSurvey
from convscope.data.unreadable import UnreadableImage

ProgressCallback = Callable[[int, int], None]
"""Called with the number of images that are done, and their total."""

_CHUNK = 16  # images per task of a thread at most
_TASK = 0.01  # seconds that a task takes, where an image does not take longer
_FAST = 0.0004  # seconds per image, below which threads only contend for the interpreter's lock


@dataclass(frozen=True, eq=False)
class ReadImage:
    """One image as it was read: its index, pixels, and the digests of file and pixels."""

    index: int
    image: DecodedImage
    digest: bytes
    pixel_digest: NDArray[np.uint8]


class Kept(Protocol):
    """What takes images as they are read, from any thread."""

    def add(self, read: ReadImage, card: Card) -> None:
        """Scale an image, and keep it. Raises UnreadableImage as `resize_image` does."""
        ...


@dataclass
class FirstReading:
    """What is known of all images, by index.

    Attributes:
        digests: of each file; b"" for those that could not be opened.
        pixel_digests: (n, 16) of the decoded images; zeros for those.
        problems: the reason why an image cannot be read.
    """

    digests: list[bytes]
    pixel_digests: NDArray[np.uint8]
    survey: ImageSurvey = field(default_factory=ImageSurvey)
    problems: dict[int, str] = field(default_factory=dict[int, str])

    @classmethod
    def of_size(cls, n: int) -> "FirstReading":
        """Nothing is known yet of n images."""
        return cls([b""] * n, np.zeros((n, SIZE), np.uint8))

    def read(self, images: ImageSource, index: int, card: Card, kept: Kept) -> None:
        """Read one image, and have it kept, or note why it cannot be read."""
        self.digests[index] = b""  # what is known is of a content that is not there any more
        try:
            image, digest = images.read(index, card)
            self.digests[index] = digest
            pixel_digest = digest_image(image)
            self.survey.add(index, image)
            kept.add(ReadImage(index, image, digest, pixel_digest), card)
        except UnreadableImage as error:
            self.problems[index] = str(error)
            self.survey.drop(index)
        else:
            self.pixel_digests[index] = pixel_digest

    def read_all(
        self,
        images: ImageSource,
        indices: Sequence[int],
        card: Card,
        kept: Kept,
        *,
        workers: int,
        on_progress: ProgressCallback,
    ) -> None:
        """Read images in threads; in one, if they are so small that threads are no help."""

        def work(chunk: Sequence[int], limit: float = math.inf) -> list[float]:
            """Read images, until `limit` seconds have passed. Returns the seconds of each."""
            start = time.perf_counter()
            seconds: list[float] = []
            for index in chunk:
                self.read(images, index, card, kept)
                seconds.append(time.perf_counter() - start - sum(seconds))
                if sum(seconds) > limit:
                    break
            return seconds

        if not indices:
            return
        total, before = len(images), len(images) - len(indices)
        with decoding_pool(1) as pool:
            seconds = wait_for(pool.submit(work, indices[:_CHUNK], _TASK), images, indices[0])
        done, usual = len(seconds), float(np.median(seconds))
        size = max(1, min(_CHUNK, int(_TASK / usual)))
        rest = range(done, len(indices), size)
        with decoding_pool(1 if usual < _FAST else workers) as pool:
            on_progress(before + done, total)
            chunks = [(i, pool.submit(work, indices[i : i + size])) for i in rest]
            for start, chunk in chunks:
                done += len(wait_for(chunk, images, indices[start]))
                on_progress(before + done, total)
