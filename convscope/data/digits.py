"""scikit-learn's digits: 1,797 handwritten digits of 8 x 8 pixels, part of its wheel."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from convscope.data.dataset import ArrayImages, Dataset

FloatArray = NDArray[np.float64]


def read_digits() -> Dataset:
    """Read the digits: grayscale 8 x 8, without a split.

    A value v in 0..16 becomes the byte round(v · 255 / 16), halves rounded to even.
    """
    # its import takes a second
    from sklearn.datasets import (  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]
        load_digits,
    )

    rows, labels = cast("tuple[FloatArray, FloatArray]", load_digits(return_X_y=True))
    pixels = np.rint(rows.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    return Dataset(
        name="digits",
        classes=tuple("0123456789"),
        images=ArrayImages(pixels, "digits/"),
        labels=labels.astype(np.int64),
        split=np.full(len(labels), "", dtype="<U5"),
    )
