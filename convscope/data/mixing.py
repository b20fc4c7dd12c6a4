"""Mixup and CutMix: images of a batch are mixed in pairs, and their labels with them.

Both draw one lambda for a batch, and pair its images by a random permutation of them, as the code
that the papers print. What is drawn depends on (seed, epoch, number of the batch in its epoch)
alone, so a restart changes nothing.

Mixup: Zhang, Cissé, Dauphin & Lopez-Paz, 2018, "mixup: Beyond empirical risk minimization".
CutMix: Yun, Han, Oh, Chun, Choe & Yoo, 2019, "CutMix: Regularization strategy to train strong
classifiers with localizable features".
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

_STREAM = 0x6D6978  # numbers of their own: the order of an epoch is drawn from (seed, epoch)


@dataclass(frozen=True)
class Box:
    """Rows `top` to `bottom` and columns `left` to `right` of an image, the last ones excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def area(self) -> int:
        return (self.bottom - self.top) * (self.right - self.left)


@dataclass(frozen=True, eq=False)
class Mix:
    """How the images of one batch are mixed: image i with image `partners[i]`.

    Attributes:
        share: lambda, the share of an image's own label, 0..1; of its partner's it is the rest.
        partners: (n,) a permutation of 0..n - 1.
        box: what is pasted from the partner by CutMix; None for mixup.
        kept: how many of the mixed images are wanted, the first; None for all.
    """

    share: float
    partners: NDArray[np.int64]
    box: Box | None = None
    kept: int | None = None

    def part(self, wanted: slice) -> tuple[NDArray[np.int64], "Mix"]:
        """Which images of the batch are needed to mix some of them, by position, and how."""
        positions = np.arange(len(self.partners))[wanted]
        n = len(positions)
        needed = np.concatenate([positions, self.partners[positions]])
        return needed, replace(self, partners=np.roll(np.arange(2 * n), n), kept=n)

    @cached_property
    def _partners(self) -> Tensor:
        return torch.from_numpy(self.partners)

    def images(self, images: Tensor) -> Tensor:
        """Mix images (n, c, h, w) of floating-point numbers in place, and return them.

        Images are normalized before: bytes would have to be rounded. As the shares add up to 1,
        normalizing the mixture would give the same.
        """
        partners = self._partners.to(images.device)
        if self.box is None:
            others = images[partners]
            return images.mul_(self.share).add_(others, alpha=1 - self.share)[: self.kept]
        rows = slice(self.box.top, self.box.bottom)
        columns = slice(self.box.left, self.box.right)
        images[:, :, rows, columns] = images[:, :, rows, columns][partners]
        return images[: self.kept]

    def targets(self, targets: Tensor, num_classes: int) -> Tensor:
        """The mixed targets (n, classes), each class with its share, for class indices (n,).

        Targets that have shares already (n, classes) are mixed likewise.
        """
        shares = F.one_hot(targets, num_classes).float() if targets.ndim == 1 else targets
        partners = self._partners.to(shares.device)
        mixed = self.share * shares + (1 - self.share) * shares[partners]
        return mixed[: self.kept]


@dataclass(frozen=True)
class Mixing:
    """How batches are mixed: by mixup, by CutMix, or by one of them, each half of the time.

    Attributes:
        mixup: alpha of Beta(alpha, alpha), from which mixup's lambda is drawn; 0 for no mixup.
        cutmix: likewise; the box has a share of 1 - lambda of the image's area before it is cut
            off at the borders, and lambda becomes what is left of the image.
        seed: of what is drawn.
        size: (height, width) of the images.
    """

    mixup: float
    cutmix: float
    seed: int
    size: tuple[int, int]

    def draw(self, epoch: int, batch: int, n: int) -> Mix:
        """How the n images of batch number `batch` of `epoch`, both counted from 0, are mixed.

        Raises ValueError if both are off.
        """
        random = np.random.default_rng([self.seed, epoch, batch, _STREAM])
        kinds = [kind for kind in ("mixup", "cutmix") if getattr(self, kind)]
        if not kinds:
            raise ValueError("neither mixup nor cutmix is on")
        kind = kinds[int(random.integers(len(kinds)))]
        alpha = self.mixup if kind == "mixup" else self.cutmix
        share = float(random.beta(alpha, alpha))
        partners = random.permutation(n)
        if kind == "mixup":
            return Mix(share, partners)
        height, width = self.size
        row, column = int(random.integers(height)), int(random.integers(width))
        box = cutmix_box(share, self.size, (row, column))
        return Mix(1 - box.area / (height * width), partners, box)


def cutmix_box(share: float, size: tuple[int, int], center: tuple[int, int]) -> Box:
    """The box that CutMix pastes around `center` (row, column), cut off at the image's borders.

    Its sides are √(1 - λ) of the image's, rounded down to even numbers, where λ is `share`: as in
    the paper's code, and in torchvision and timm.
    """
    spans = [
        (max(0, middle - half), min(side, middle + half))
        for side, middle in zip(size, center, strict=True)
        for half in [int(side * math.sqrt(1 - share)) // 2]
    ]
    return Box(*spans[0], *spans[1])
