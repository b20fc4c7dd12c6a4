"""Generated pictures whose classes differ in an outline, as photographs of lesions or leaves do.

Colors, textures, lighting, size and position say nothing of the class. The pictures of a test come
from other cameras than those of the training: another color cast, gamma, blur, noise and vignette.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

CLASSES = ("ellipse", "trefoil", "star", "kidney")
_CAMERAS = 4  # of each split

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """What a camera does to every picture."""

    cast: Floats
    gamma: float
    blur: float
    noise: float
    vignette: float

    @classmethod
    def draw(cls, random: np.random.Generator) -> "Camera":
        return cls(
            random.uniform(0.75, 1.15, 3),
            random.uniform(0.75, 1.35),
            random.uniform(0, 1),
            random.uniform(2, 14),
            random.uniform(0, 1.2),
        )


def write_outlines(root: Path, *, train: int, test: int, size: int, seed: int = 0) -> None:
    """Write so many pictures of each class as root/SPLIT/CLASS/NUMBER.jpg."""
    random = np.random.default_rng(seed)
    for split, count in (("train", train), ("test", test)):
        cameras = [Camera.draw(random) for _ in range(_CAMERAS)]
        for name in CLASSES:
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                picture = draw_picture(name, cameras[number % _CAMERAS], size, random)
                picture.save(folder / f"{number:04}.jpg", quality=92)


def draw_picture(name: str, camera: Camera, size: int, random: np.random.Generator) -> Image.Image:
    """One picture: an object on a textured ground among scratches and spots."""
    ground = random.uniform(0.25, 0.75, 3) * (0.55 + 0.6 * _texture(random, size, 0.55)[..., None])
    image = ground * (1 - 0.6 * _scratches(random, size)[..., None])
    texture, tint = _texture(random, size, 0.8)[..., None], random.uniform(-0.28, 0.28, 3)
    tint += 0.1 * np.sign(tint.sum())
    for mask in (_object(name, random, size), _spots(random, size)):
        image = image + mask[..., None] * tint * (0.6 + 0.8 * texture)
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    slope = random.normal(0, 0.5, 2)
    light = (1 + slope[0] * x + slope[1] * y) * (1 - camera.vignette * (x**2 + y**2))
    image = np.clip(image * light[..., None] * camera.cast, 0, 1) ** camera.gamma
    taken = Image.fromarray((255 * image).astype(np.uint8))
    blurred = np.asarray(taken.filter(ImageFilter.GaussianBlur(camera.blur)), float)
    noisy = blurred + random.normal(0, camera.noise, blurred.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def _texture(random: np.random.Generator, size: int, roughness: float) -> Floats:
    """Noise of five octaves, from 0 to 1."""
    total: Any = 0.0
    for octave in range(5):
        side = 2 ** (octave + 1) + 1
        coarse = Image.fromarray(random.normal(size=(side, side)).astype(np.float32))
        smooth = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), float)
        total = total + roughness**octave * smooth
    return (total - total.min()) / np.ptp(total)


def _object(name: str, random: np.random.Generator, size: int) -> Floats:
    t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    radius = {
        "ellipse": 1 / np.hypot(np.cos(t), np.sin(t) / 0.62),
        "trefoil": 0.72 + 0.28 * np.cos(3 * t),
        "star": 0.75 + 0.25 * np.cos(5 * t),
        "kidney": 1 - 0.55 * np.exp(-((np.angle(np.exp(1j * t)) / 0.5) ** 2)),
    }[name]
    waves = (random.normal() * np.cos(k * t + random.uniform(0, 6.3)) for k in range(2, 7))
    scale = random.uniform(0.16, 0.28) * size
    radius = radius * scale * (1 + 0.05 * sum(waves))
    angle, middle = t + random.uniform(0, 6.3), random.uniform(scale, size - scale, 2)
    corners = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1) + middle
    mask = Image.new("L", (size, size))
    ImageDraw.Draw(mask).polygon([(x, y) for x, y in corners.tolist()], fill=255)
    return _soft(mask, random.uniform(0.5, 2))


def _spots(random: np.random.Generator, size: int) -> Floats:
    mask = Image.new("L", (size, size))
    for _ in range(random.integers(2, 6)):
        radius, (x, y) = random.uniform(0.02, 0.06) * size, random.uniform(0, size, 2)
        box = (x - radius, y - radius, x + radius, y + radius)
        ImageDraw.Draw(mask).ellipse(box, fill=255)
    return _soft(mask, 1)


def _scratches(random: np.random.Generator, size: int) -> Floats:
    mask = Image.new("L", (size, size))
    for _ in range(random.integers(2, 5)):
        steps = random.normal(0, size / 10, (12, 2))
        path = np.cumsum(steps, 0) + random.uniform(0, size, 2)
        shade, width = int(random.uniform(60, 150)), int(random.integers(1, 4))
        ImageDraw.Draw(mask).line([(x, y) for x, y in path.tolist()], fill=shade, width=width)
    return np.asarray(mask, float) / 255


def _soft(mask: Image.Image, radius: float) -> Floats:
    return np.asarray(mask.filter(ImageFilter.GaussianBlur(radius)), float) / 255
