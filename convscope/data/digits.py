"""1,797 handwritten digits of 8 x 8 pixels, part of the package: nothing is downloaded.

Source and license: `bundled/SOURCES.md`.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.data.dataset import ArrayImages, Dataset

_FILE = Path(__file__).parent / "bundled" / "digits.npz"


def read_digits() -> Dataset:
    """Read the digits: grayscale 8 x 8, without a split."""
    pixels, labels = digit_images()
    return Dataset(
        name="digits",
        classes=tuple("0123456789"),
        images=ArrayImages(pixels, "digits/"),
        labels=labels,
        split=np.full(len(labels), "", dtype="<U5"),
    )


def digit_images() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the pixels (1797, 8, 8) and the labels (1797,).

    A count v in 0..16 becomes the byte round(v · 255 / 16), halves rounded to even.
    """
    with np.load(_FILE, allow_pickle=False) as file:
        pixels = np.rint(file["counts"] * (255 / 16)).astype(np.uint8)
        return pixels, file["labels"].astype(np.int64)
