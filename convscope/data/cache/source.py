"""Feed images from the cache, read ahead of their use by threads."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from convscope.data.batch_sources import stacked
from convscope.data.cache.store import Places
from convscope.data.pool import AHEAD, PREFETCH, decoding_pool

_PIECE = 8  # images that a thread reads at a time


@dataclass(eq=False)
class CachedBatchSource:
    """Images whose pixels are on disk; what is not there, or damaged, is loaded from its file.

    Attributes:
        places: where pixels are.
        load: decodes the image at an index.
        workers: threads that read.
    """

    places: Places
    load: Callable[[int], NDArray[np.uint8]]
    workers: int
    _is_verified: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self._is_verified = np.zeros(len(self.places.rows), np.bool_)

    def batches(self, batches: Sequence[NDArray[np.int64]]) -> Iterator[Tensor]:
        """Images of one size, as tensors (n, h, w, c)."""
        yield from stacked(self.images(batches))

    def images(self, batches: Sequence[NDArray[np.int64]]) -> Iterator[list[NDArray[np.uint8]]]:
        """The images of each batch, of any sizes."""
        with decoding_pool(self.workers) as pool:
            coming = self._pieces(batches)
            ahead: deque[tuple[Future[list[NDArray[np.uint8]]], int]] = deque()
            limit = sum(map(len, batches[:PREFETCH]))
            upcoming, num_images, num_bytes = next(coming, None), 0, 0
            for indices in batches:
                images: list[NDArray[np.uint8]] = []
                while len(images) < len(indices):
                    while upcoming is not None and (
                        not ahead or (num_images < limit and num_bytes + upcoming[1] <= AHEAD)
                    ):
                        piece, size = upcoming
                        ahead.append((pool.submit(self._read_all, piece), size))
                        num_images, num_bytes = num_images + len(piece), num_bytes + size
                        upcoming = next(coming, None)
                    future, size = ahead.popleft()
                    read = future.result()
                    num_images, num_bytes = num_images - len(read), num_bytes - size
                    images += read
                yield images
                del images

    def _pieces(self, batches: Sequence[NDArray[np.int64]]) -> Iterator[tuple[list[int], int]]:
        """A few indices of one batch at a time, and the bytes of their images."""
        sizes = self.places.num_bytes()
        usual = int(sizes.max(initial=0))  # of an image that is not there
        for indices in batches:
            for start in range(0, len(indices), _PIECE):
                piece = indices[start : start + _PIECE]
                yield piece.tolist(), int(np.where(sizes[piece], sizes[piece], usual).sum())

    def _read_all(self, indices: list[int]) -> list[NDArray[np.uint8]]:
        return [self._read(index) for index in indices]

    def _read(self, index: int) -> NDArray[np.uint8]:
        """One image (h, w, c). Its checksum is compared the first time that it is read."""
        number, row = int(self.places.rows[index, 0]), int(self.places.rows[index, 1])
        if number < 0:
            return self.load(index)
        segment = self.places.segments[number]
        pixels = segment.tables.pixels[row]
        image = np.empty(pixels["shape"].tolist(), np.uint8)
        is_there = segment.read_into(image.reshape(-1), int(pixels["offset"]))
        if is_there and (self._is_verified[index] or crc32(image.data.cast("B")) == pixels["crc"]):
            self._is_verified[index] = True
            return image
        self.places.rows[index] = -1
        segment.remove()  # the next training writes its images anew
        return self.load(index)
