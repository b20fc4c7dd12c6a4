"""The random numbers of each image in an epoch, and which of them decide what."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.data.augment import random_bits, unit_interval

VERTICAL_FLIP, ROTATION, SHIFT, ZOOM, SHEAR = 32, 33, 34, 36, 37
BRIGHTNESS, CONTRAST, SATURATION, HUE, PCA = 40, 41, 42, 43, 44
ERASES, ERASED, ERASED_BOX = 52, 53, 55
OWN = 80
POLICY, POLICY_NUMBERS = 96, 3
"""Places of an image's numbers, after those of crops; a resumed training relies on them.

SHIFT, ERASED and the area and ratio of ERASED_BOX are pairs; PCA has two per channel; POLICY has
three for each operation: which, how strong, in which direction.
"""


@dataclass(frozen=True)
class Draws:
    """Numbers of the images at `indices`: functions of (seed, epoch, index) and their place."""

    seed: int
    epoch: int
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)

    def bits(self, place: int, count: int = 1) -> NDArray[np.uint64]:
        """`count` 64-bit numbers of each image (n, count), from `place` on."""
        return random_bits(self.seed, self.epoch, self.indices, count, first=place)

    def unit(self, place: int, count: int = 1) -> NDArray[np.float64]:
        """`count` numbers of each image (n, count), uniform in [0, 1)."""
        return unit_interval(self.bits(place, count))

    def between(self, place: int, low: float, high: float) -> NDArray[np.float64]:
        """A number of each image (n,), uniform from `low` to `high`."""
        return low + (high - low) * self.unit(place)[:, 0]

    def happens(self, place: int, probability: float) -> NDArray[np.bool_]:
        """Whether something of this probability happens to each image (n,)."""
        return self.unit(place)[:, 0] >= 1 - probability

    def normal(self, place: int, count: int) -> NDArray[np.float64]:
        """`count` normally distributed numbers (n, count), each from two: Box & Muller, 1958."""
        unit = self.unit(place, 2 * count)
        radius = np.sqrt(-2 * np.log1p(-unit[:, 0::2]))
        return radius * np.cos(2 * np.pi * unit[:, 1::2])
