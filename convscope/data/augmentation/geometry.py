"""Rotation, translation, zoom and shear, composed with flip and crop into one resampling.

A map is a 3x3 matrix on positions (x, y, 1) in pixels, measured from the middle of an image, x to
the right and y down. What lies outside of the source is black.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from convscope.data.augmentation.draws import ROTATION, SHEAR, SHIFT, ZOOM, Draws
from convscope.data.augmentation.planes import CHUNK, from_planes, to_planes

Maps = NDArray[np.float64]
"""One map per image: (n, 3, 3)."""

_REDUCED = 1.5  # pixels of a window that become one, from which on they are averaged first


@dataclass(frozen=True)
class Affine:
    """How far images are rotated, moved, zoomed and sheared; each uniformly distributed.

    Attributes:
        rotation: largest angle in degrees, in both directions.
        translation: largest distance in both directions, as a fraction of height and width.
        zoom: smallest and largest factor; above 1 enlarges.
        shear: largest angle in degrees by which vertical lines lean, in both directions.
    """

    rotation: float = 0.0
    translation: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    shear: float = 0.0

    @property
    def is_off(self) -> bool:
        """Whether every image stays as it is."""
        return self == Affine()

    def maps(self, draws: Draws, size: tuple[int, int]) -> Maps:
        """Where each image's pixels go, for images of (height, width)."""
        turn, far = np.radians(self.rotation), self.translation
        lean = np.tan(np.radians(draws.between(SHEAR, -self.shear, self.shear)))
        return affine_maps(
            angle=draws.between(ROTATION, -turn, turn),
            zoom=draws.between(ZOOM, *self.zoom),
            lean_x=lean,
            right=draws.between(SHIFT + 1, -far, far) * size[1],
            down=draws.between(SHIFT, -far, far) * size[0],
        )


def affine_maps(
    *,
    angle: NDArray[np.float64],
    zoom: NDArray[np.float64] | float = 1.0,
    lean_x: NDArray[np.float64] | float = 0.0,
    right: NDArray[np.float64] | float = 0.0,
    down: NDArray[np.float64] | float = 0.0,
) -> Maps:
    """Shear by x - lean_x·y, zoom, a clockwise turn by `angle` in radians, and a shift in pixels.

    The order and the signs are those of torchvision's `affine`.
    """
    cosine, sine = np.cos(angle), np.sin(angle)
    maps = np.zeros((len(angle), 3, 3))
    maps[:, 0, 0], maps[:, 0, 1] = zoom * cosine, zoom * (-cosine * lean_x - sine)
    maps[:, 1, 0], maps[:, 1, 1] = zoom * sine, zoom * (-sine * lean_x + cosine)
    maps[:, 0, 2], maps[:, 1, 2], maps[:, 2, 2] = right, down, 1.0
    return maps


def flips(across: NDArray[np.bool_], upside_down: NDArray[np.bool_]) -> Maps:
    """The maps that mirror images left to right, upside down, or both."""
    maps = np.zeros((len(across), 3, 3))
    maps[:, 0, 0], maps[:, 1, 1] = np.where(across, -1, 1), np.where(upside_down, -1, 1)
    maps[:, 2, 2] = 1
    return maps


def windows(boxes: NDArray[np.float64], sizes: NDArray[np.int64], output: tuple[int, int]) -> Maps:
    """From positions in an output of (height, width) to those of windows in images of `sizes`.

    `boxes` (n, 4) are top, left, height and width, in pixels; they may lie outside of the image.
    """
    maps = np.zeros((len(boxes), 3, 3))
    maps[:, 0, 0], maps[:, 1, 1] = boxes[:, 3] / output[1], boxes[:, 2] / output[0]
    maps[:, 0, 2] = boxes[:, 1] + (boxes[:, 3] - sizes[:, 1]) / 2
    maps[:, 1, 2] = boxes[:, 0] + (boxes[:, 2] - sizes[:, 0]) / 2
    maps[:, 2, 2] = 1
    return maps


def warp(images: Tensor, sources: Maps, size: tuple[int, int]) -> Tensor:
    """Resample images bilinearly: bytes (n, h, w, c) to bytes (n, height, width, c).

    `sources` say where in its image each position of the output comes from. An image's result
    depends on nothing but its own pixels and its own map.
    """
    n, _, _, channels = images.shape
    warped = torch.empty(n, *size, channels, dtype=torch.uint8)
    step = max(1, CHUNK // (size[0] * size[1]))
    for start in range(0, n, step):
        piece = slice(start, start + step)
        grid = _grid(sources[piece], images.shape[1:3], size)
        planes = to_planes(images[piece])
        sampled = grid_sample(planes, grid, padding_mode="zeros", align_corners=False)
        from_planes(sampled, warped[piece])
    return warped


def _grid(sources: Maps, extent: tuple[int, ...], size: tuple[int, int]) -> Tensor:
    """Where `grid_sample` looks (n, height, width, 2): -1 and 1 are the edges of an image."""
    to_edge = np.array([2 / extent[1], 2 / extent[0]])
    maps = torch.from_numpy(sources[:, :2] * to_edge[:, None])[:, :, :, None, None]
    x = torch.arange(size[1], dtype=torch.float64) + (0.5 - size[1] / 2)
    y = torch.arange(size[0], dtype=torch.float64) + (0.5 - size[0] / 2)
    rows = (maps[:, :, 0] * x).to(torch.float32)
    columns = (maps[:, :, 1] * y[:, None] + maps[:, :, 2]).to(torch.float32)
    return (rows + columns).permute(0, 2, 3, 1)


def warp_window(
    image: Tensor, source: Maps, box: NDArray[np.float64], size: tuple[int, int]
) -> Tensor:
    """A window (height, width, c) of an image (h, w, c) behind a map of the output, both of one.

    Where several of the image's pixels become one, the image is first reduced, by averages.
    """
    height, width, _ = image.shape
    scales = np.maximum(box[2:] / size, 1.0)
    if scales.max() > _REDUCED:
        reduced = np.maximum(np.rint([height, width] / scales), 1)
        planes = image[None].permute(0, 3, 1, 2)
        new = (int(reduced[0]), int(reduced[1]))
        image = interpolate(planes, new, mode="bilinear", antialias=True)[0].permute(1, 2, 0)
        box = box * np.tile(reduced / [height, width], 2)
    sizes = np.array([image.shape[:2]])
    return warp(image[None], windows(box[None], sizes, size) @ source, size)[0]
