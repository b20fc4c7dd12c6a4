"""RandAugment and TrivialAugment: a few operations for each image, of fourteen, by chance.

Cubuk et al., 2019, "RandAugment"; Müller & Hutter, 2021, "TrivialAugment", its wide space. The
operations and the scale of their magnitudes, 0 to 30, are those of torchvision. Geometric ones
become part of the one resampling of `geometry`, so they precede colors.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.data.augmentation import operations
from convscope.data.augmentation.color import recolor
from convscope.data.augmentation.draws import POLICY, POLICY_NUMBERS, Draws
from convscope.data.augmentation.geometry import Maps, affine_maps

PolicyName = Literal["rand-augment", "trivial-augment"]

Operation = Literal[
    "identity", "shear-x", "shear-y", "translate-x", "translate-y", "rotate", "brightness",
    "color", "contrast", "sharpness", "posterize", "solarize", "autocontrast", "equalize",
]  # fmt: skip

OPERATIONS: tuple[Operation, ...] = get_args(Operation)
LARGEST_MAGNITUDE = 30
_GEOMETRIC = OPERATIONS[1:6]
_SIGNED = OPERATIONS[1:10]
_TRIVIAL_SHIFT = 32.0  # pixels at the largest magnitude, whatever the image's size
_RAND_SHIFT = 150 / 331  # of height or width


@dataclass(frozen=True)
class Choice:
    """What was drawn for one image: an operation and how strong it is, in its own unit.

    Fractions for shears and factors, pixels for shifts, degrees for turns, bits, a level in 0..255.
    """

    operation: Operation
    strength: float = 0.0


@dataclass(frozen=True)
class Policy:
    """Which operations are drawn.

    Attributes:
        magnitude: of every operation of RandAugment, 0 to 30; TrivialAugment draws its own.
        num_ops: operations per image of RandAugment; TrivialAugment has one.
    """

    name: PolicyName
    magnitude: int = 9
    num_ops: int = 2

    def choices(self, draws: Draws, size: tuple[int, int]) -> list[list[Choice]]:
        """For each image of (height, width), its operations in their order."""
        wide = self.name == "trivial-augment"
        count = 1 if wide else self.num_ops
        bits = draws.bits(POLICY, POLICY_NUMBERS * count).reshape(len(draws), count, -1)
        which = (bits[:, :, 0] % np.uint64(len(OPERATIONS))).astype(int)
        drawn = (bits[:, :, 1] % np.uint64(LARGEST_MAGNITUDE + 1)).astype(int)
        levels = drawn if wide else np.full_like(drawn, self.magnitude)
        signs = np.where(bits[:, :, 2] >> np.uint64(63), -1.0, 1.0)
        return [
            [
                _choice(OPERATIONS[index], level, sign, size, wide=wide)
                for index, level, sign in zip(*row, strict=True)
            ]
            for row in zip(which.tolist(), levels.tolist(), signs.tolist(), strict=True)
        ]


def _choice(
    operation: Operation, level: int, sign: float, size: tuple[int, int], *, wide: bool
) -> Choice:
    """An operation at a magnitude of 0 to 30, in its own unit."""
    share = level / LARGEST_MAGNITUDE
    match operation:
        case "identity" | "autocontrast" | "equalize":
            return Choice(operation)
        case "shear-x" | "shear-y":
            strength = share * (0.99 if wide else 0.3)
        case "translate-x" | "translate-y":
            extent = size[1] if operation == "translate-x" else size[0]
            strength = float(int(share * (_TRIVIAL_SHIFT if wide else _RAND_SHIFT * extent)))
        case "rotate":
            strength = share * (135.0 if wide else 30.0)
        case "posterize":
            strength = float(8 - round(level / (5 if wide else 7.5)))
        case "solarize":
            strength = 255 * (1 - share)
        case _:
            strength = share * (0.99 if wide else 0.9)
    return Choice(operation, sign * strength if operation in _SIGNED else strength)


def geometric_maps(choices: list[list[Choice]], size: tuple[int, int]) -> Maps:
    """Where each image's pixels go by its geometric operations, of images of (height, width)."""
    maps = np.tile(np.eye(3), (len(choices), 1, 1))
    for index, chosen in enumerate(choices):
        for each in chosen:
            if each.operation in _GEOMETRIC:
                maps[index] = _map(each, size) @ maps[index]
    return maps


def _map(choice: Choice, size: tuple[int, int]) -> NDArray[np.float64]:
    strength, height, width = choice.strength, *size
    match choice.operation:
        case "rotate":  # F.rotate turns counter-clockwise
            return affine_maps(angle=np.radians([-strength]))[0]
        case "translate-x":
            return affine_maps(angle=np.zeros(1), right=strength)[0]
        case "translate-y":
            return affine_maps(angle=np.zeros(1), down=strength)[0]
        case "shear-x":  # about the upper left corner, half an image away from the middle
            return np.array([[1, -strength, -strength * height / 2], [0, 1, 0], [0, 0, 1]])
        case _:
            return np.array([[1, 0, 0], [-strength, 1, -strength * width / 2], [0, 0, 1]])


def apply_colors(images: Tensor, choices: list[list[Choice]]) -> Tensor:
    """The images, bytes (n, h, w, c), after their color operations, in their order."""
    changed = images.clone()
    for index, chosen in enumerate(choices):
        for each in chosen:
            if each.operation not in (*_GEOMETRIC, "identity"):
                changed[index] = _colored(changed[index], each)
    return changed


def _colored(image: Tensor, choice: Choice) -> Tensor:
    strength, factor = choice.strength, np.array([1 + choice.strength])
    match choice.operation:
        case "brightness":
            return recolor(image[None], brightness=factor)[0]
        case "contrast":
            return recolor(image[None], contrast=factor)[0]
        case "color":
            return recolor(image[None], saturation=factor)[0]
        case _:
            changed = _OPERATIONS[choice.operation](image.numpy(), strength)
            return torch.from_numpy(changed)


_OPERATIONS: Mapping[Operation, Callable[[NDArray[np.uint8], float], NDArray[np.uint8]]] = {
    "sharpness": lambda image, strength: operations.sharpness(image, 1 + strength),
    "posterize": lambda image, strength: operations.posterize(image, int(strength)),
    "solarize": operations.solarize,
    "autocontrast": lambda image, _: operations.autocontrast(image),
    "equalize": lambda image, _: operations.equalize(image),
}
