"""The picture that is optimized: coefficients in a Fourier basis with decorrelated colors."""

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor

SPREAD = 0.01
"""Standard deviation of the coefficients at the start."""

_DAMPING = 4.0  # by which Olah et al. divide, so that fewer pixels saturate
_COLORS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
"""From decorrelated colors to red, green, blue: the square root of their covariance in ImageNet,
from the code of Olah et al., who divide it by the length of its longest column."""


def start_coefficients(shape: Sequence[int], seeds: Sequence[int]) -> Tensor:
    """Random coefficients (n, c, h, w // 2 + 1, 2) for pictures (c, h, w), one for each seed.

    What a picture starts from depends on its seed alone, not on the others.
    """
    channels, height, width = shape
    size = (channels, height, width // 2 + 1, 2)
    drawn = [torch.randn(size, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return SPREAD * torch.stack(drawn)


def to_plane(coefficients: Tensor, size: tuple[int, int]) -> Tensor:
    """The values (n, c, h, w) around 0 that coefficients stand for, before the color.

    A coefficient of frequency f, in cycles per pixel, counts 1 / max(f, 1 / max(h, w)), as in
    natural images; the transformation is orthonormal.
    """
    height, width = size
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    frequency = np.maximum(np.hypot(down, across), 1 / max(height, width))
    scale = torch.as_tensor(1 / frequency, dtype=coefficients.dtype, device=coefficients.device)
    spectrum = torch.view_as_complex(coefficients * scale[..., None])
    return cast("Tensor", torch.fft.irfft2(spectrum, s=size, norm="ortho")) / _DAMPING


def to_pixels(plane: Tensor, rms_contrast: float | None = None) -> Tensor:
    """Pixels (n, c, h, w) for values around 0; three channels are decorrelated colors.

    By default the sigmoid, so that each pixel lies in 0..1. With `rms_contrast`, the values are
    scaled to this root mean square, around 0.5: a picture of a fixed length, as in Erhan et al.
    (2009), whose pixels may leave 0..1.
    """
    if plane.shape[1] == 3:
        colors = _COLORS.to(plane) / _COLORS.square().sum(0).max().sqrt()
        plane = (plane.movedim(1, -1) @ colors.mT).movedim(-1, 1)
    if rms_contrast is None:
        return plane.sigmoid()
    length = plane.flatten(1).square().mean(1).sqrt().clamp_min(torch.finfo(plane.dtype).tiny)
    return 0.5 + rms_contrast * plane / length[:, None, None, None]


def to_bytes(pixels: Tensor) -> Tensor:
    """Pixels (n, c, h, w) in 0..1 as bytes (n, h, w, c), as they are shown and stored."""
    return (255 * pixels.detach().clamp(0, 1)).round().to(torch.uint8).permute(0, 2, 3, 1).cpu()


def high_frequency_share(pixels: Tensor) -> float:
    """How much of the variance of a picture (h, w, c) lies above a quarter cycle per pixel, 0..1.

    Natural images have little there, white noise four fifths.

        >>> high_frequency_share(torch.eye(2).repeat(8, 8)[..., None])  # a checkerboard
        1.0
    """
    values = pixels.double().movedim(-1, 0)
    spectrum = np.fft.fft2((values - values.mean((1, 2), keepdim=True)).numpy())
    power = np.square(np.abs(spectrum)).sum(0)
    down, across = np.fft.fftfreq(power.shape[0])[:, None], np.fft.fftfreq(power.shape[1])
    is_high = np.hypot(down, across) > 0.25
    total = float(power.sum())
    return float(power[is_high].sum()) / total if total > 0 and math.isfinite(total) else 0.0
