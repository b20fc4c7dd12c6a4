"""A few images of a data set, by which a training decides about network, size and channels."""

from dataclasses import dataclass
from statistics import median

import numpy as np

from convscope.card import Card
from convscope.data.dataset import Dataset
from convscope.data.decode import UnreadableImage
from convscope.data.depth import is_gray, size_of

_SAMPLED = 32
_PROBE = Card(
    classes=("a", "b"), input_size=(1, 1), in_channels=3, resize_mode="stretch", reading="fast",
    mean=(0.0,) * 3, std=(1.0,) * 3,
)  # fmt: skip
"""Decodes as little of a JPEG as is possible: only its size and mode are looked at."""


@dataclass(frozen=True)
class ImageSample:
    """What a few images look like.

    Attributes:
        sizes: (height, width) of each.
        all_gray: whether none has color, by its file.
    """

    sizes: tuple[tuple[int, int], ...]
    all_gray: bool

    @property
    def typical_size(self) -> tuple[int, int]:
        """The median (height, width)."""
        height, width = (int(median(side)) for side in zip(*self.sizes, strict=True))
        return height, width

    @property
    def is_uniform(self) -> bool:
        """Whether all have one size."""
        return len(set(self.sizes)) == 1


def sample_images(dataset: Dataset) -> ImageSample:
    """Look at a few images, evenly spread; those that cannot be read are passed over."""
    indices = np.linspace(0, len(dataset) - 1, min(_SAMPLED, len(dataset))).astype(int)
    sizes: list[tuple[int, int]] = []
    all_gray = True
    for index in indices:
        try:
            image = dataset.images.image(int(index), _PROBE)
        except UnreadableImage:
            continue
        width, height = size_of(image)
        sizes.append((height, width))
        all_gray = all_gray and is_gray(image)
    if not sizes:  # then so many are unreadable that loading will refuse them
        sizes = [(1, 1)]
    return ImageSample(tuple(sizes), all_gray)
