"""Images that are decoded again each time that they are fed."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from convscope.card import Card
from convscope.data.batch_sources import stacked
from convscope.data.dataset import ImageSource
from convscope.data.depth import DecodedImage
from convscope.data.larger import read_whole
from convscope.data.pool import AHEAD, PREFETCH, decoding_pool, wait_for
from convscope.data.resize import resize_image
from convscope.data.unreadable import UnreadableImage
from convscope.errors import WorkError

_T = TypeVar("_T")


def load_ahead(
    load: Callable[[int], _T],
    batches: Sequence[NDArray[np.int64]],
    source: ImageSource,
    *,
    workers: int,
    ahead: int,
) -> Iterator[list[_T]]:
    """What `load` makes of each image, in batches; threads are `ahead` images ahead of them."""
    coming = (int(index) for indices in batches for index in indices)
    with decoding_pool(workers) as pool:
        waiting = deque(pool.submit(load, index) for index in islice(coming, ahead))
        for indices in batches:
            loaded: list[_T] = []
            for index in indices:
                loaded.append(wait_for(waiting.popleft(), source, int(index)))
                waiting.extend(pool.submit(load, index) for index in islice(coming, 1))
            yield loaded
            del loaded


@dataclass(frozen=True)
class StreamingBatchSource:
    """Images that are decoded again for each batch, a few batches ahead.

    Attributes:
        side: to which the shorter side of whole images is scaled; None: images are as the card
            says.
        digests: of files, as they were when the data were checked; None or b"": not compared.
    """

    source: ImageSource
    card: Card
    workers: int
    side: int | None = None
    digests: Sequence[bytes] | None = None

    def batches(self, batches: Sequence[NDArray[np.int64]]) -> Iterator[Tensor]:
        yield from stacked(self.images(batches))

    def images(self, batches: Sequence[NDArray[np.int64]]) -> Iterator[list[NDArray[np.uint8]]]:
        """The images of each batch, of any sizes."""
        ahead = self.look_ahead(batches)
        return load_ahead(self.load, batches, self.source, workers=self.workers, ahead=ahead)

    def look_ahead(self, batches: Sequence[NDArray[np.int64]]) -> int:
        """Images that are decoded ahead of those in use: a few batches, as far as 32 MiB reach.

        Whole images are taken for 3:2, as those of most cameras.
        """
        height, width = self.card.input_size
        size = height * width if self.side is None else self.side * self.side * 3 // 2
        fitting = AHEAD // (size * self.card.in_channels)
        return max(self.workers, min(fitting, sum(map(len, batches[:PREFETCH]))))

    def load(self, index: int) -> NDArray[np.uint8]:
        """One image (h, w, c). Raises WorkError if it has become unreadable, or another one."""
        try:
            image = self._decoded(index)
            if self.side is not None:
                return read_whole(self.source, index, self.card, self.side, image)
            return resize_image(image, self.card)
        except UnreadableImage as error:  # it could be read when the data were checked
            raise WorkError(
                f"{self.source.key(index)} could be read before training, but now {error}. "
                "Restore it, then resume; data must not change during a training."
            ) from error

    def _decoded(self, index: int) -> DecodedImage:
        before = self.digests[index] if self.digests else b""
        if not before:
            return self.source.image(index, self.card)
        image, digest = self.source.read(index, self.card)
        if digest != before:
            raise WorkError(
                f"{self.source.key(index)} has changed since this training checked its data. "
                "Restore it, then resume; data must not change during a training."
            )
        return image
