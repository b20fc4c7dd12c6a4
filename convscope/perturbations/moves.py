"""Shifted, mirrored, turned and scaled images: do the answers stay, and do the maps move along?"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample

from convscope.forward import call_network
from convscope.inference import inference_mode
from convscope.recording.recorder import run_once

Matrix = tuple[tuple[float, float, float], tuple[float, float, float]]

_INSIDE = 0.999  # of a unit, from which it counts as seen before and after


def moves(size: tuple[int, int]) -> Mapping[str, Mapping[str, Matrix]]:
    """By kind and name, where each place of the moved image is taken from, in -1..1.

    Shifts are of whole pixels to the right and an eighth of the side at most.
    """
    _, width = size
    pixels = sorted({min(n, max(width // 8, 1)) for n in (1, 2, 4, 8)})
    return {
        "shift": {f"{n} px": ((1, 0, -2 * n / width), (0, 1, 0)) for n in pixels},
        "flip": {
            "mirrored": ((-1, 0, 0), (0, 1, 0)),
            "upside down": ((1, 0, 0), (0, -1, 0)),
        },
        "rotation": {f"{angle}°": _turned(angle) for angle in (5, 10, 20, 45, 90, 180)},
        "scale": {
            f"x {s:g}": ((1 / s, 0, 0), (0, 1 / s, 0)) for s in (0.5, 0.7, 0.85, 1.2, 1.5, 2)
        },
    }


def _turned(degrees: float) -> Matrix:
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    return (cos, -sin, 0), (sin, cos, 0)


def moved(images: Tensor, matrix: Matrix, *, outside: str = "border") -> Tensor:
    """Images or maps (n, c, h, w), interpolated; outside is the repeated border, or zeros."""
    theta = torch.tensor(matrix, dtype=images.dtype).expand(len(images), 2, 3)
    grid = affine_grid(theta, list(images.shape), align_corners=False)
    return grid_sample(images, grid, padding_mode=outside, align_corners=False)


def predictions_and_maps(net: nn.Module, images: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """The outputs of a network in eval mode, and its last maps of more than one unit a side."""
    found: list[Tensor] = []

    def keep(_number: int, result: Tensor) -> None:
        if result.ndim == 4 and min(result.shape[-2:]) > 1:
            found[:] = [result.detach().clone()]

    with inference_mode(net), torch.inference_mode(mode=False), torch.no_grad():
        outputs = call_network(net, images, classes)
        run_once(net, images.clone(), should_keep=lambda module, kind: False, on_result=keep)
    return outputs, found[0] if found else torch.zeros(len(images), 0, 1, 1)


def follows(before: Tensor, after: Tensor, matrix: Matrix) -> tuple[float, float, float]:
    """Sums for the correlation of maps moved by `matrix` with those of the moved images: squares of
    either and products, each map without its mean, over the units inside both.
    """
    if not before.shape[1]:
        return 0.0, 0.0, 0.0
    ones = torch.ones(1, 1, *before.shape[-2:])
    inside = (moved(ones, matrix, outside="zeros") > _INSIDE).double()
    count = float(inside.sum())
    if count < 2:
        return 0.0, 0.0, 0.0
    a, b = moved(before, matrix).double(), after.double()
    a, b = (x - (x * inside).sum((2, 3), keepdim=True) / count for x in (a, b))
    squares = [float((x * y * inside).sum() / count) for x, y in ((a, a), (b, b), (a, b))]
    return squares[0], squares[1], squares[2]


def correlation(sums: tuple[float, float, float]) -> float | None:
    """1 where maps move along; None where there are none to compare."""
    before, after, both = sums
    spread = math.sqrt(before * after)
    return both / spread if spread > 0 else None
