"""Where decoded images are kept, and what is said about it."""

from dataclasses import dataclass

import numpy as np

from convscope.card import Card
from convscope.data.cache.modes import CacheMode
from convscope.data.cache.store import are_stored
from convscope.data.dataset import Dataset

_ASPECT = 1.5  # of most cameras, by which the size of whole images is estimated
_WORTH_SAYING = 64_000_000  # bytes in memory from which they are told unasked


@dataclass(frozen=True)
class Caching:
    """Where decoded images may be kept.

    Attributes:
        fraction: of the free memory that they may take.
        disk_bytes: that all of them, of all data sets, may take on disk; None: half of what the
            disk has for them.
    """

    mode: CacheMode = "ram"
    fraction: float = 0.5
    disk_bytes: float | None = None


def estimated_bytes(dataset: Dataset, card: Card, larger_side: int | None) -> float:
    """The bytes of all images once they are decoded: training images with a shorter side of
    `larger_side`, if there is one, in the shape of most photographs; others as they are fed.
    """
    height, width = card.input_size
    fed = height * width * card.in_channels
    if larger_side is None:
        return len(dataset) * fed
    num_whole = int(np.count_nonzero(dataset.split == "train"))
    whole = larger_side * larger_side * _ASPECT * card.in_channels
    return num_whole * whole + (len(dataset) - num_whole) * fed


def hindrance(dataset: Dataset) -> str:
    """Why images are not kept on disk, as a sentence; "" if they can be."""
    if are_stored(dataset.images):
        return ""
    return f"The images of {dataset.name} are not files of their own, and are not kept on disk."


def describe_memory(num_images: int, num_bytes: int, mode: CacheMode) -> str:
    """What is said of images that are kept in memory; "" where they are few and no one asked."""
    if mode == "auto" and num_bytes < _WORTH_SAYING:
        return ""
    return (
        f"Decoded images are kept in memory: {num_images:,}, {amount(num_bytes)}, "
        f"{num_bytes // max(num_images, 1):,} bytes each."
    )


def amount(num_bytes: float) -> str:
    """Bytes in words.

    >>> amount(15_700_000_000), amount(2_340_000)
    ('15.7 GB', '2.3 MB')
    """
    return f"{num_bytes / 1e9:,.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:,.1f} MB"
