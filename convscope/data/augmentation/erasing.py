"""Random erasing: a rectangle of some images becomes the mean color of the training images.

Zhong et al., 2017, "Random erasing data augmentation"; areas and ratios as torchvision's
RandomErasing draws them, which fills normalized images with 0, their mean.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from convscope.data.augmentation.draws import ERASED, ERASED_BOX, ERASES, Draws

AREA, RATIO = (0.02, 0.33), (0.3, 3.3)
_TRIES = 10


@dataclass(frozen=True)
class Erasing:
    """How often a rectangle is erased, and what is there then.

    Attributes:
        probability: of an image's having one.
        fill: a byte for each channel.
    """

    probability: float
    fill: tuple[int, ...]

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """The images, bytes (n, h, w, c), with rectangles erased."""
        images = images.clone()
        fill = torch.tensor(self.fill, dtype=torch.uint8)
        erases = draws.happens(ERASES, self.probability)
        for index, (top, left, height, width) in enumerate(erased_boxes(draws, images.shape[1:3])):
            if erases[index]:
                images[index, top : top + height, left : left + width] = fill
        return images


def erased_boxes(draws: Draws, size: tuple[int, ...]) -> list[list[int]]:
    """Top, left, height and width of each image's rectangle; empty if none of ten fits."""
    numbers = draws.unit(ERASED_BOX, 2 * _TRIES)
    area = size[0] * size[1] * (AREA[0] + (AREA[1] - AREA[0]) * numbers[:, 0::2])
    low, high = np.log(RATIO)
    ratio = np.exp(low + (high - low) * numbers[:, 1::2])
    heights, widths = np.rint(np.sqrt(area * ratio)), np.rint(np.sqrt(area / ratio))
    fits = (heights < size[0]) & (widths < size[1])
    first = fits.argmax(1)[:, None]
    extent = np.concatenate(
        [np.take_along_axis(heights, first, 1), np.take_along_axis(widths, first, 1)], 1
    )
    extent = np.where(fits.any(1)[:, None], extent, 0).astype(np.int64)
    spare = (np.array(size) - extent).astype(np.uint64)
    corner = (draws.bits(ERASED, 2) % (spare + np.uint64(1))).astype(np.int64)
    return np.concatenate([corner, extent], 1).tolist()
