"""Where the images of a training come from, in batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class BatchSource(Protocol):
    """The resized images of a data set, in batches."""

    def batches(self, batches: Sequence[NDArray[np.int64]]) -> Iterator[Tensor]:
        """For each array of indices, yield its images: bytes (n, h, w, c)."""
        ...


class LargerImages(Protocol):
    """Training images that are larger than the network's input."""

    def images(self, batches: Sequence[NDArray[np.int64]]) -> Iterator[list[NDArray[np.uint8]]]:
        """For each array of indices, yield its images (h, w, c), of any sizes."""
        ...


@dataclass(frozen=True)
class MemoryBatchSource:
    """All images as one tensor of bytes (n, h, w, c)."""

    pixels: Tensor

    def batches(self, batches: Sequence[NDArray[np.int64]]) -> Iterator[Tensor]:
        for indices in batches:
            yield self.pixels.index_select(0, torch.from_numpy(indices))


def stacked(batches: Iterator[list[NDArray[np.uint8]]]) -> Iterator[Tensor]:
    """Batches of images of one size, as tensors (n, h, w, c); their lists are emptied."""
    for images in batches:
        batch = [torch.from_numpy(np.stack(images))]
        images.clear()  # nothing is kept twice while the batch is in use
        yield batch.pop()
