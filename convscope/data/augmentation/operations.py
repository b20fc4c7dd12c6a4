"""The color operations of automatic augmentation, each on one image of bytes (h, w, c).

Sharpness, posterize, solarize, autocontrast and equalize, as Pillow defines them.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import conv2d

Image = NDArray[np.uint8]

_LEVELS = np.arange(256)
_SMALLEST = 3  # a side from which on an image has pixels that are not on its edge


def sharpness(image: Image, factor: float) -> Image:
    """Blend an image with its blurred self; a factor of 1 changes nothing, 0 gives the blurred."""
    if min(image.shape[:2]) < _SMALLEST:
        return image
    kernel = torch.full((1, 1, 3, 3), 1 / 13)
    kernel[0, 0, 1, 1] = 5 / 13
    pixels = torch.from_numpy(image).permute(2, 0, 1)[:, None].to(torch.float32)
    blurred = conv2d(pixels, kernel).round_()
    inner = pixels[:, :, 1:-1, 1:-1]
    inner += (blurred - inner) * (1 - factor)
    return pixels.clamp_(0, 255).round_()[:, 0].permute(1, 2, 0).to(torch.uint8).numpy()


def posterize(image: Image, bits: int) -> Image:
    """Keep the highest `bits` of each byte."""
    return image & np.uint8(256 - (1 << (8 - bits)))


def solarize(image: Image, threshold: float) -> Image:
    """Invert the values that are not below a threshold in 0..255."""
    return np.where(image >= threshold, 255 - image, image)


def autocontrast(image: Image) -> Image:
    """Stretch each channel until its smallest value is 0 and its largest 255."""
    return _by_tables(image, _stretched)


def equalize(image: Image) -> Image:
    """Make each channel's histogram as even as a table of values can."""
    return _by_tables(image, _equalized)


def _by_tables(image: Image, table_of: Callable[[NDArray[np.int64]], Image]) -> Image:
    """An image through a table of 256 values for each of its channels."""
    changed = np.empty_like(image)
    for channel in range(image.shape[2]):
        values = image[:, :, channel]
        counts = np.bincount(values.ravel(), minlength=256)
        changed[:, :, channel] = table_of(counts)[values]
    return changed


def _stretched(counts: NDArray[np.int64]) -> Image:
    present = counts.nonzero()[0]
    low, high = int(present[0]), int(present[-1])
    if low == high:
        return _LEVELS.astype(np.uint8)
    return ((_LEVELS - low) * (255 / (high - low))).clip(0, 255).astype(np.uint8)


def _equalized(counts: NDArray[np.int64]) -> Image:
    last = counts[counts.nonzero()[0][-1]]
    step = int(counts.sum() - last) // 255
    if step == 0:
        return _LEVELS.astype(np.uint8)
    below = np.concatenate([[0], counts.cumsum()[:-1]])
    return ((below + step // 2) // step).clip(0, 255).astype(np.uint8)
