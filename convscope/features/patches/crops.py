"""Cut patches out of images, with what lies outside of the image marked."""

import numpy as np
from numpy.typing import NDArray

from convscope.features.unit_fields import Box

_SHOWN = 8  # of a side of the image: the part of it up to which the outside is shown


def shown_box(box: Box, sides: tuple[int, int]) -> Box:
    """A box as it is shown: cut where it extends beyond the image by more than an eighth of it."""
    (top, bottom), (left, right) = (
        (max(start, -(side // _SHOWN)), min(stop, side + side // _SHOWN))
        for (start, stop), side in zip(box, sides, strict=True)
    )
    return (top, bottom), (left, right)


def crop(pixels: NDArray[np.uint8], box: Box) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A patch of an image (h, w, c) as (rows, columns, 3), and where it lies outside of the image.

    A box that extends far beyond the image is cut, see `shown_box`.
    """
    (top, bottom), (left, right) = shown_box(box, pixels.shape[:2])
    height, width = max(bottom - top, 1), max(right - left, 1)
    patch = np.zeros((height, width, 3), np.uint8)
    is_outside = np.ones((height, width), np.bool_)
    rows = slice(max(top, 0), min(bottom, pixels.shape[0]))
    columns = slice(max(left, 0), min(right, pixels.shape[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        inside = (
            slice(rows.start - top, rows.stop - top),
            slice(columns.start - left, columns.stop - left),
        )
        patch[inside] = pixels[rows, columns]  # gray is repeated in all three channels
        is_outside[inside] = False
    return patch, is_outside
