"""Random views of a picture: shifted, scaled and turned a little in every step.

What excites a unit in one position alone is noise to people; what does so in all of these positions
is a pattern (Olah et al. 2017).
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from convscope.errors import RequestError


@dataclass(frozen=True)
class Views:
    """How far the picture is moved.

    Attributes:
        jitter: the largest shift along either axis, as a share of the side; 12 pixels of 224.
        scale: by which share it is enlarged or reduced at most.
        rotation: by how many degrees it is turned at most.
    """

    jitter: float = 12 / 224
    scale: float = 0.1
    rotation: float = 5.0

    def __post_init__(self) -> None:
        limits = {"jitter": (self.jitter, 0.5), "scale": (self.scale, 0.5)}
        limits["rotation"] = (self.rotation, 180.0)
        for name, (value, largest) in limits.items():
            if not 0 <= value <= largest:
                raise RequestError(f"`{name}` must be from 0 to {largest:g}, not {value:g}.")

    def __call__(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """One view of pictures (n, c, h, w), the same for all; mid-gray comes in from outside.

        Shifts are whole pixels, as nothing is blurred by them alone.
        """
        height, width = pixels.shape[2:]
        drawn = 2 * torch.rand(4, generator=generator) - 1
        down, across, size, turn = (float(number) for number in drawn)
        shift = [round(by * self.jitter * side) for by, side in ((across, width), (down, height))]
        if self.scale == self.rotation == 0:
            return _shifted(pixels, shift[1], shift[0])
        zoom, angle = 1 + self.scale * size, math.radians(self.rotation * turn)
        cosine, sine = math.cos(angle) / zoom, math.sin(angle) / zoom
        ratio = height / width
        matrix = [
            [cosine, -sine * ratio, 2 * shift[0] / width],
            [sine / ratio, cosine, 2 * shift[1] / height],
        ]
        theta = pixels.new_tensor([matrix]).expand(len(pixels), 2, 3)
        grid = F.affine_grid(theta, list(pixels.shape), align_corners=False)
        return 0.5 + F.grid_sample(pixels - 0.5, grid, align_corners=False)


def _shifted(pixels: Tensor, down: int, across: int) -> Tensor:
    if down == across == 0:
        return pixels
    height, width = pixels.shape[2:]
    padded = F.pad(pixels - 0.5, [abs(across)] * 2 + [abs(down)] * 2)
    top, left = abs(down) + down, abs(across) + across
    return 0.5 + padded[..., top : top + height, left : left + width]
