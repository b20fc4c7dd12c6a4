"""The common corruptions of images at five strengths (Hendrycks and Dietterich, 2019).

"Benchmarking neural network robustness to common corruptions and perturbations". Images of up to 64
pixels have the strengths of their CIFAR-10-C, larger ones those of ImageNet-C, whose blurs are made
for 224 pixels and scaled with the image. Written anew from the paper, with deviations: glass blur,
snow, frost (which needs photographs of it) and the elastic transform are left out; motion blur is a
line with Gaussian weights, without ImageMagick; fog is noise of halving octaves; the brightness is
added to all channels, not to the value of HSV.
"""

import io
import math
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

STRENGTHS = 5
_SMALL = 64  # pixels of the shorter side, up to which the strengths are those of CIFAR-10-C
_MADE_FOR = 224  # pixels, the side of the images of ImageNet-C

_Levels = tuple[float, ...]


def corrupt(images: Tensor, name: str, strength: int, generator: torch.Generator) -> Tensor:
    """Images (n, c, h, w) of 0..1 with the corruption `name` of CORRUPTIONS, at strength 1..5.

    What is random comes from `generator` alone. The result is rounded to bytes, as files are.
    """
    changed = CORRUPTIONS[name](images, strength - 1, generator)
    return (changed.clamp(0, 1) * 255).round() / 255


def _level(images: Tensor, level: int, small: _Levels, large: _Levels) -> float:
    return (small if _is_small(images) else large)[level]


def _is_small(images: Tensor) -> bool:
    return min(images.shape[-2:]) <= _SMALL


def _noise(images: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(images.shape, generator=generator)


def gaussian_noise(images: Tensor, level: int, generator: torch.Generator) -> Tensor:
    """x + N(0, c²) for each value."""
    c = _level(images, level, (0.04, 0.06, 0.08, 0.09, 0.10), (0.08, 0.12, 0.18, 0.26, 0.38))
    return images + c * _noise(images, generator)


def shot_noise(images: Tensor, level: int, generator: torch.Generator) -> Tensor:
    """Poisson(c x) / c: as of c photons for white."""
    c = _level(images, level, (500, 250, 100, 75, 50), (60, 25, 12, 5, 3))
    return torch.poisson(images * c, generator=generator) / c


def impulse_noise(images: Tensor, level: int, generator: torch.Generator) -> Tensor:
    """A share c of the values is black or white."""
    c = _level(images, level, (0.01, 0.02, 0.03, 0.05, 0.07), (0.03, 0.06, 0.09, 0.17, 0.27))
    drawn = torch.rand(images.shape, generator=generator)
    return torch.where(drawn < c / 2, 0.0, torch.where(drawn < c, 1.0, images))


def defocus_blur(images: Tensor, level: int, generator: torch.Generator) -> Tensor:
    """The mean over a disc, whose edge is smoothed by a Gaussian."""
    del generator
    radius = _radius(images, level, (0.3, 0.4, 0.5, 1.0, 1.5), (3, 4, 6, 8, 10))
    smooth = _level(images, level, (0.4, 0.5, 0.6, 0.2, 0.1), (0.1, 0.5, 0.5, 0.5, 0.5))
    half = math.ceil(radius) + 1
    x = torch.arange(-half, half + 1).float()
    disc = (x[:, None] ** 2 + x[None] ** 2 <= radius**2).float()
    edge = torch.exp(-((torch.arange(-1, 2).float() / smooth) ** 2) / 2)
    kernel = conv2d(disc[None, None], (edge[:, None] * edge[None])[None, None], padding=1)[0, 0]
    return _filtered(images, kernel)


def motion_blur(images: Tensor, level: int, generator: torch.Generator) -> Tensor:
    """A Gaussian along a line at a random angle of -45 to 45 degrees, one for all images."""
    spread = _radius(images, level, (1.0, 1.5, 2.0, 2.0, 2.5), (3, 5, 8, 12, 15))
    angle = (float(torch.rand(1, generator=generator)) - 0.5) * math.pi / 2
    half = math.ceil(2 * spread)
    kernel = torch.zeros(2 * half + 1, 2 * half + 1)
    for step in np.linspace(-half, half, 4 * half + 1):
        row = round(half + float(step) * math.sin(angle))
        column = round(half + float(step) * math.cos(angle))
        kernel[row, column] += math.exp(-((float(step) / spread) ** 2) / 2)
    return _filtered(images, kernel)


def zoom_blur(images: Tensor, level: int, generator: torch.Generator) -> Tensor:
    """The mean of the image and enlarged copies of it."""
    del generator
    most = _level(images, level, (1.05, 1.10, 1.15, 1.20, 1.25), (1.10, 1.15, 1.20, 1.25, 1.30))
    factors = np.arange(1.0, most + 1e-9, 0.01 if _is_small(images) else 0.02).tolist()
    copies = [_zoomed(images, factor) for factor in factors]
    return (images + torch.stack(copies).sum(0)) / (len(copies) + 1)


def fog(images: Tensor, level: int, generator: torch.Generator) -> Tensor:
    """Clouds are added, and the brightest value is kept."""
    amount = _level(images, level, (0.2, 0.5, 0.75, 1.0, 1.5), (1.5, 2.0, 2.5, 2.5, 3.0))
    brightest = images.amax((1, 2, 3), keepdim=True)
    clouds = _clouds(images, generator)
    return (images + amount * clouds) * brightest / (brightest + amount)


def brightness(images: Tensor, level: int, generator: torch.Generator) -> Tensor:
    """x + c."""
    del generator
    return images + _level(images, level, (0.05, 0.1, 0.15, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5))


def contrast(images: Tensor, level: int, generator: torch.Generator) -> Tensor:
    """(x - mean) c + mean, of each channel of an image."""
    del generator
    c = _level(images, level, (0.75, 0.5, 0.4, 0.3, 0.15), (0.4, 0.3, 0.2, 0.1, 0.05))
    mean = images.mean((2, 3), keepdim=True)
    return (images - mean) * c + mean


def pixelate(images: Tensor, level: int, generator: torch.Generator) -> Tensor:
    """Made smaller by c, and enlarged to the size it had."""
    del generator
    c = _level(images, level, (0.95, 0.9, 0.85, 0.75, 0.65), (0.6, 0.5, 0.4, 0.3, 0.25))
    height, width = images.shape[-2:]
    small = interpolate(images, (max(int(height * c), 1), max(int(width * c), 1)), mode="area")
    return interpolate(small, (height, width), mode="nearest-exact")


def jpeg(images: Tensor, level: int, generator: torch.Generator) -> Tensor:
    """Compressed as JPEG of quality c."""
    del generator
    quality = int(_level(images, level, (80, 65, 58, 50, 40), (25, 18, 15, 10, 7)))
    found = [_compressed(image, quality) for image in (images * 255).round().byte().numpy()]
    return torch.from_numpy(np.stack(found)).float() / 255


CORRUPTIONS: dict[str, Callable[[Tensor, int, torch.Generator], Tensor]] = {
    "Gaussian noise": gaussian_noise,
    "shot noise": shot_noise,
    "impulse noise": impulse_noise,
    "defocus blur": defocus_blur,
    "motion blur": motion_blur,
    "zoom blur": zoom_blur,
    "fog": fog,
    "brightness": brightness,
    "contrast": contrast,
    "pixelate": pixelate,
    "JPEG": jpeg,
}
"""By name, in the order of the paper."""


def _radius(images: Tensor, level: int, small: _Levels, large: _Levels) -> float:
    """A length in pixels, that of large images in proportion to their side."""
    side = min(images.shape[-2:])
    return small[level] if _is_small(images) else large[level] * side / _MADE_FOR


def _filtered(images: Tensor, kernel: Tensor) -> Tensor:
    """Each channel with a filter of odd size, whose sum is made 1; borders are mirrored."""
    half = kernel.shape[0] // 2
    channels = images.shape[1]
    weights = (kernel / kernel.sum())[None, None].expand(channels, 1, -1, -1)
    mode = "reflect" if half < min(images.shape[-2:]) else "replicate"
    return conv2d(pad(images, (half,) * 4, mode=mode), weights, groups=channels)


def _zoomed(images: Tensor, factor: float) -> Tensor:
    """The middle of images, enlarged to their size."""
    height, width = images.shape[-2:]
    rows, columns = (max(round(side / factor), 1) for side in (height, width))
    top, left = (height - rows) // 2, (width - columns) // 2
    part = images[..., top : top + rows, left : left + columns]
    return interpolate(part, (height, width), mode="bilinear", align_corners=False)


def _clouds(images: Tensor, generator: torch.Generator) -> Tensor:
    """Noise of octaves of halving strength (n, 1, h, w), 0..1."""
    n, _, height, width = images.shape
    total = torch.zeros(n, 1, height, width)
    cells, strength = 2, 1.0
    while cells <= max(height, width):
        coarse = torch.rand(n, 1, cells, cells, generator=generator)
        total += strength * interpolate(
            coarse, (height, width), mode="bilinear", align_corners=False
        )
        cells, strength = 2 * cells, strength / 2
    low, high = total.amin((2, 3), keepdim=True), total.amax((2, 3), keepdim=True)
    return (total - low) / (high - low).clamp(min=1e-6)


def _compressed(image: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    pixels = image[0] if image.shape[0] == 1 else image.transpose(1, 2, 0)
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=quality)
    back = np.asarray(Image.open(file))
    return back[None] if back.ndim == 2 else back.transpose(2, 0, 1)
