"""Windows of larger images, scaled to the network's input: of random size, or of random scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from convscope.card import Interpolation
from convscope.data.augment import POSITION, WINDOW, random_bits, unit_interval

TRIES = 10
"""Windows that are tried before the whole image, or most of it, is taken."""

Boxes = NDArray[np.int64]
"""Top, left, height and width of a window in each image (n, 4)."""


class Crops(Protocol):
    """How windows are drawn, and what they are scaled to."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) to which they are scaled."""
        ...

    @property
    def interpolation(self) -> Interpolation:
        """For scaling, which averages over what becomes one pixel."""
        ...

    def boxes(
        self, sizes: NDArray[np.int64], indices: NDArray[np.int64], *, seed: int, epoch: int
    ) -> Boxes:
        """The windows of images of (height, width) (n, 2), by (seed, epoch, index) alone."""
        ...


@dataclass(frozen=True)
class ResizedCrops:
    """Windows of random area and aspect ratio.

    Szegedy et al., 2014, "Going deeper with convolutions", section 6; drawn as torchvision's
    RandomResizedCrop draws them, but from (seed, epoch, index) alone.

    Attributes:
        scale: smallest and largest area of a window, as fractions of the image's.
        ratio: smallest and largest ratio of its width to its height; drawn evenly on a log scale.
    """

    size: tuple[int, int]
    scale: tuple[float, float]
    ratio: tuple[float, float]
    interpolation: Interpolation = "bilinear"

    def boxes(
        self, sizes: NDArray[np.int64], indices: NDArray[np.int64], *, seed: int, epoch: int
    ) -> Boxes:
        """The windows of images of (height, width) (n, 2), by (seed, epoch, index) alone."""
        numbers = random_bits(seed, epoch, indices, WINDOW + 2 * TRIES)
        return draw_boxes(numbers, sizes, scale=self.scale, ratio=self.ratio)


@dataclass(frozen=True)
class ScaledCrops:
    """Windows of the input's size in an image that is scaled first, its shorter side by chance.

    So AlexNet's paper crops 227 (224) out of 256, VGG's out of 256 to 512, ResNet's out of 256 to
    480. The window's sides are rounded to whole pixels of the image as it is kept.

    Attributes:
        shorter_side: its smallest and largest length in pixels, drawn evenly; at least the larger
            side of `size`.
    """

    size: tuple[int, int]
    shorter_side: tuple[float, float]
    interpolation: Interpolation = "bilinear"

    def boxes(
        self, sizes: NDArray[np.int64], indices: NDArray[np.int64], *, seed: int, epoch: int
    ) -> Boxes:
        """The windows of images of (height, width) (n, 2), by (seed, epoch, index) alone."""
        numbers = random_bits(seed, epoch, indices, WINDOW + 1)
        low, high = self.shorter_side
        length = low + (high - low) * unit_interval(numbers[:, WINDOW])
        kept = sizes.min(1) / length
        extent = np.clip(np.rint(np.array(self.size) * kept[:, None]), 1, sizes).astype(np.int64)
        return np.concatenate([_corners(numbers, sizes, extent), extent], 1)


def cut(
    images: Sequence[NDArray[np.uint8]],
    boxes: Boxes,
    flips: NDArray[np.bool_],
    *,
    size: tuple[int, int],
    interpolation: Interpolation = "bilinear",
) -> torch.Tensor:
    """Windows (n, h, w, c) of images (height, width, c) of any sizes, some mirrored; as bytes."""
    windows = torch.empty(len(images), *size, images[0].shape[2], dtype=torch.uint8)
    planes = windows.permute(0, 3, 1, 2)
    for place, (image, flip) in enumerate(zip(images, flips.tolist(), strict=True)):
        top, left, height, width = boxes[place].tolist()
        # The batch of one is made before the permutation: else its strides are not those of
        # channels_last, and the kernel copies it to planes and back, at twice the time.
        whole = torch.from_numpy(image)[None]
        window = whole[:, top : top + height, left : left + width].permute(0, 3, 1, 2)
        if (height, width) != size:
            window = interpolate(window, size, mode=interpolation, antialias=True)
        planes[place].copy_((window.flip(3) if flip else window)[0])
    return windows


def draw_boxes(
    numbers: NDArray[np.uint64],
    sizes: NDArray[np.int64],
    *,
    scale: tuple[float, float],
    ratio: tuple[float, float],
) -> NDArray[np.int64]:
    """A window of each image of these sizes (n, 2): top, left, height, width (n, 4).

    Of ten pairs of an area and a ratio the first that fits into the image counts; if none does, it
    is the largest window in the middle whose ratio is within the range.
    """
    height, width = sizes[:, :1], sizes[:, 1:]
    unit = unit_interval(numbers[:, WINDOW:])
    area = height * width * (scale[0] + (scale[1] - scale[0]) * unit[:, 0::2])
    low, high = np.log(ratio)
    ratios = np.exp(low + (high - low) * unit[:, 1::2])
    widths, heights = np.rint(np.sqrt(area * ratios)), np.rint(np.sqrt(area / ratios))
    fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
    first = fits.argmax(1)[:, None]
    drawn = np.concatenate(
        [np.take_along_axis(heights, first, 1), np.take_along_axis(widths, first, 1)], 1
    )
    nearest = np.clip(width / height, *ratio)  # of the whole image, if it is within the range
    middle = np.concatenate([np.rint(width / nearest), np.rint(height * nearest)], 1)
    found = fits.any(1)[:, None]
    extent = np.where(found, drawn, np.clip(middle, 1, sizes)).astype(np.int64)
    return np.concatenate(
        [np.where(found, _corners(numbers, sizes, extent), (sizes - extent) // 2), extent], 1
    )


def _corners(
    numbers: NDArray[np.uint64], sizes: NDArray[np.int64], extent: NDArray[np.int64]
) -> NDArray[np.int64]:
    """A corner (row, column) of each window in its image, all positions equally likely."""
    spare = (sizes - extent).astype(np.uint64)
    return (numbers[:, POSITION : POSITION + 2] % (spare + np.uint64(1))).astype(np.int64)
