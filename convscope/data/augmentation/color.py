"""Brightness, contrast, saturation, hue and AlexNet's color shifts as one linear map of a pixel.

Each is linear in red, green and blue, so an image's five are one matrix and one offset, applied in
one pass that rounds and clamps once. Without clamping in between, their order does not matter.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.data.augmentation.draws import BRIGHTNESS, CONTRAST, HUE, PCA, SATURATION, Draws
from convscope.data.augmentation.planes import CHUNK, from_planes, to_planes

LUMA = np.array([0.299, 0.587, 0.114])
"""Of red, green and blue: ITU-R 601."""

_YIQ = np.array([LUMA, [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])
_RGB = np.linalg.inv(_YIQ)


@dataclass(frozen=True)
class PrincipalColors:
    """The principal components of the colors of the training images, each as a row (c, c).

    A row is an eigenvector times its eigenvalue, of the covariance of pixels scaled to 0..1.
    """

    rows: NDArray[np.float64]


def principal_colors(batches: Iterable[Tensor]) -> PrincipalColors:
    """The principal components of the pixels of batches of bytes (..., c).

    Krizhevsky et al., 2012, section 4.1. Sums are of integers, exact in float64, so that the order
    of the images does not matter; the largest entry of each eigenvector is made positive.
    """
    count, sums, products = 0, np.zeros(1), np.zeros((1, 1))
    for batch in batches:
        pixels = batch.numpy().reshape(-1, batch.shape[-1]).astype(np.float64)
        count, sums = count + len(pixels), sums + pixels.sum(0)
        products = products + pixels.T @ pixels
    mean = sums / max(1, count)
    covariance = (products / max(1, count) - mean[:, None] * mean) / 255**2
    values, vectors = np.linalg.eigh(covariance)
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(0), np.arange(len(values))])
    return PrincipalColors((vectors * values).T)


@dataclass(frozen=True)
class ColorJitter:
    """How far colors are changed; factors are uniform in [1 - x, 1 + x], as torchvision's.

    Attributes:
        brightness: of the factor of all pixels.
        contrast: of the factor of the distance to the image's mean luma.
        saturation: of the factor of the distance to the pixel's luma.
        hue: largest turn about the gray axis in both directions, as a fraction of a full one.
        pca: standard deviation of each coefficient of `principal`: 0.1 in the AlexNet paper.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    pca: float = 0.0
    principal: PrincipalColors | None = None

    @property
    def is_off(self) -> bool:
        """Whether every image stays as it is."""
        return not (self.brightness or self.contrast or self.saturation or self.hue or self.pca)

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """The images, bytes (n, h, w, c), in other colors."""
        shift = None
        if self.pca and self.principal is not None:
            weights = self.pca * draws.normal(PCA, images.shape[3])
            shift = 255 * (weights[:, :, None] * self.principal.rows).sum(1)
        return recolor(
            images,
            brightness=_factors(draws, BRIGHTNESS, self.brightness),
            contrast=_factors(draws, CONTRAST, self.contrast),
            saturation=_factors(draws, SATURATION, self.saturation),
            hue=draws.between(HUE, -self.hue, self.hue) if self.hue else None,
            shift=shift,
        )


def _factors(draws: Draws, place: int, spread: float) -> NDArray[np.float64] | None:
    return draws.between(place, max(0.0, 1 - spread), 1 + spread) if spread else None


def recolor(
    images: Tensor,
    *,
    brightness: NDArray[np.float64] | None = None,
    contrast: NDArray[np.float64] | None = None,
    saturation: NDArray[np.float64] | None = None,
    hue: NDArray[np.float64] | None = None,
    shift: NDArray[np.float64] | None = None,
) -> Tensor:
    """Images, bytes (n, h, w, c), in other colors by a number (n,) each; None changes nothing.

    `hue` is a fraction of a full turn, `shift` (n, c) is added to each pixel at last, in 0..255.
    Grayscale images have neither saturation nor hue.
    """
    n, _, _, channels = images.shape
    factor, offset = np.ones(n), np.zeros((n, channels))
    if contrast is not None:
        factor = factor * contrast
        offset += ((1 - contrast) * mean_luma(images))[:, None]
    if brightness is not None:
        factor = factor * brightness
        offset *= brightness[:, None]
    if shift is not None:
        offset += shift
    if channels == 1 or (saturation is None and hue is None and shift is None):
        return _scaled(images, factor, offset)
    chroma = np.ones(n) if saturation is None else saturation
    turn = np.zeros(n) if hue is None else 2 * np.pi * hue
    middle = np.zeros((n, 3, 3))
    middle[:, 0, 0] = 1
    middle[:, 1, 1] = middle[:, 2, 2] = chroma * np.cos(turn)
    middle[:, 1, 2], middle[:, 2, 1] = -chroma * np.sin(turn), chroma * np.sin(turn)
    return _mixed(images, factor[:, None, None] * (_RGB @ middle @ _YIQ), offset)


def mean_luma(images: Tensor) -> NDArray[np.float64]:
    """The mean luma of each image (n,), from sums of integers, which no order changes."""
    n, height, width, channels = images.shape
    sums = np.empty((n, channels))
    for index, image in enumerate(images):  # of a column's bytes, exact in float32
        columns = image.reshape(height, -1).to(torch.float32).sum(0)
        sums[index] = columns.reshape(width, channels).sum(0, dtype=torch.float64).numpy()
    return (sums @ LUMA if channels == 3 else sums[:, 0]) / (height * width)


def _scaled(images: Tensor, factor: NDArray[np.float64], offset: NDArray[np.float64]) -> Tensor:
    """Each image times a number, plus a number."""
    n, height, width, _ = images.shape
    scale = torch.from_numpy(factor.astype(np.float32))[:, None, None, None]
    shift = torch.from_numpy(offset[:, 0].astype(np.float32))[:, None, None, None]
    changed = torch.empty_like(images)
    step = max(1, CHUNK // (height * width))
    for start in range(0, n, step):
        piece = slice(start, start + step)
        colors = images[piece].to(torch.float32).mul_(scale[piece]).add_(shift[piece])
        changed[piece] = colors.clamp_(0, 255).round_()
    return changed


def _mixed(images: Tensor, matrix: NDArray[np.float64], offset: NDArray[np.float64]) -> Tensor:
    """Each pixel times its image's matrix (3, 3), plus its offset (3,).

    Image by image, while it lies in the processor's cache; so its bits do not depend on the batch.
    """
    weights = torch.from_numpy(matrix.astype(np.float32))
    shift = torch.from_numpy(offset.astype(np.float32))[:, :, None]
    changed = torch.empty_like(images)
    for index, image in enumerate(images):
        planes = to_planes(image[None])[0].reshape(3, -1)
        mixed = torch.mm(weights[index], planes).add_(shift[index])
        from_planes(mixed.reshape(1, 3, *image.shape[:2]), changed[index : index + 1])
    return changed
