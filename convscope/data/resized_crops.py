"""Random resized crops: a window of random area and aspect ratio, scaled to the network's input.

Szegedy et al., 2014, "Going deeper with convolutions", section 6; drawn as torchvision's
RandomResizedCrop draws them, but from (seed, epoch, index) alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from convscope.card import Interpolation
from convscope.data.augment import FLIP, POSITION, WINDOW, random_bits

TRIES = 10
"""Windows that are tried before the whole image, or most of it, is taken."""


@dataclass(frozen=True)
class ResizedCrops:
    """How windows are drawn and scaled.

    Attributes:
        size: (height, width) to which they are scaled.
        scale: smallest and largest area of a window, as fractions of the image's.
        ratio: smallest and largest ratio of its width to its height; drawn evenly on a log scale.
        flips: whether half of the windows are mirrored.
        interpolation: for scaling, which averages over what becomes one pixel.
    """

    size: tuple[int, int]
    scale: tuple[float, float]
    ratio: tuple[float, float]
    flips: bool
    interpolation: Interpolation = "bilinear"

    def __call__(
        self, images: Sequence[NDArray[np.uint8]], indices: NDArray[np.int64], *, seed: int,
        epoch: int,
    ) -> torch.Tensor:  # fmt: skip
        """Windows (n, h, w, c) of images (height, width, c) of any sizes, all as bytes."""
        numbers = random_bits(seed, epoch, indices, WINDOW + 2 * TRIES)
        sizes = np.array([image.shape[:2] for image in images], np.int64).reshape(-1, 2)
        boxes = draw_boxes(numbers, sizes, scale=self.scale, ratio=self.ratio)
        flips = (numbers[:, FLIP] >> np.uint64(63)).astype(bool) & self.flips
        windows = torch.empty(len(images), *self.size, images[0].shape[2], dtype=torch.uint8)
        planes = windows.permute(0, 3, 1, 2)
        for place, (image, flip) in enumerate(zip(images, flips.tolist(), strict=True)):
            top, left, height, width = boxes[place].tolist()
            # The batch of one is made before the permutation: else its strides are not those of
            # channels_last, and the kernel copies it to planes and back, at twice the time.
            whole = torch.from_numpy(image)[None]
            cut = whole[:, top : top + height, left : left + width].permute(0, 3, 1, 2)
            scaled = interpolate(cut, self.size, mode=self.interpolation, antialias=True)
            planes[place].copy_((scaled.flip(3) if flip else scaled)[0])
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
    unit = (numbers[:, WINDOW:] >> np.uint64(11)) * 2.0**-53
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
    spare = (sizes - extent).astype(np.uint64)
    corner = (numbers[:, POSITION : POSITION + 2] % (spare + np.uint64(1))).astype(np.int64)
    return np.concatenate([np.where(found, corner, (sizes - extent) // 2), extent], 1)
