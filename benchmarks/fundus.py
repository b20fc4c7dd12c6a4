"""Generated pictures like photographs of the back of the eye, in four classes that doctors tell.

A disc on dark ground with an optic disc, vessels and a macula. What tells the classes is small or
faint: a wide cup in the optic disc (glaucoma), red dots and yellow spots (retinopathy), haze
(cataract), or none of these. The pictures of a test come from other cameras than those of the
training: another color, exposure, blur, noise and framing.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

FUNDUS_CLASSES = ("cataract", "glaucoma", "normal", "retinopathy")
_CAMERAS = 4  # of each split

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FundusCamera:
    """What a camera does to every picture.

    Attributes:
        radius: of the disc, as a share of the picture's side; above 0.5 its edge is cut off.
        shift: by how much of the side the disc is off the middle, at most.
    """

    cast: Floats
    exposure: float
    gamma: float
    blur: float
    noise: float
    vignette: float
    radius: float
    shift: float

    @classmethod
    def draw(cls, random: np.random.Generator) -> "FundusCamera":
        return cls(
            cast=random.uniform(0.7, 1.25, 3),
            exposure=random.uniform(0.7, 1.25),
            gamma=random.uniform(0.75, 1.35),
            blur=random.uniform(0.2, 1.4),
            noise=random.uniform(1, 8),
            vignette=random.uniform(0.1, 0.9),
            radius=random.uniform(0.4, 0.58),
            shift=random.uniform(0, 0.05),
        )


def write_fundus(root: Path, *, train: int, test: int, size: int, seed: int = 0) -> None:
    """Write so many pictures of each class as root/SPLIT/CLASS/NUMBER.jpg."""
    random = np.random.default_rng(seed)
    for split, count in (("train", train), ("test", test)):
        cameras = [FundusCamera.draw(random) for _ in range(_CAMERAS)]
        for name in FUNDUS_CLASSES:
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                picture = draw_fundus(name, cameras[number % _CAMERAS], size, random)
                picture.save(folder / f"{number:04}.jpg", quality=92)


def draw_fundus(
    name: str, camera: FundusCamera, size: int, random: np.random.Generator
) -> Image.Image:
    """One picture of `size` x `size` pixels, as `camera` takes it."""
    radius = camera.radius * size
    middle = size / 2 + random.uniform(-camera.shift, camera.shift, 2) * size
    y, x = np.mgrid[0:size, 0:size]
    image = _eye(name, middle, radius, size, random)
    far = np.hypot(x - middle[0], y - middle[1]) / radius
    if name == "cataract":
        image = _hazy(image, random.uniform(0.12, 0.45), size)
    slope = random.normal(0, 0.15, 2)
    light = 1 + slope[0] * (x - middle[0]) / radius + slope[1] * (y - middle[1]) / radius
    light = light * (1 - camera.vignette * np.clip(far, 0, 1) ** 2) * camera.exposure
    image = np.clip(image * (light * (far < 1))[..., None] * camera.cast, 0, 1) ** camera.gamma
    taken = Image.fromarray((255 * image).astype(np.uint8))
    blur = camera.blur * random.uniform(0.6, 1.4)
    blurred = np.asarray(taken.filter(ImageFilter.GaussianBlur(blur * size / 224)), float)
    noisy = blurred + random.normal(0, camera.noise, blurred.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def _eye(
    name: str, middle: Floats, radius: float, size: int, random: np.random.Generator
) -> Floats:
    """Retina, macula, optic disc, vessels and lesions, before light and camera; from 0 to 1."""
    side = random.choice((-1, 1))  # a right eye or a left one
    pigment = np.array([0.78, 0.42, 0.22]) * random.uniform(0.8, 1.15, 3)
    image = pigment * (0.85 + 0.3 * _mottle(random, size)[..., None])
    out, up = side * random.uniform(0.4, 0.5), random.uniform(-0.1, 0.1)
    disc = middle + radius * np.array([out, up])
    out, up = side * random.uniform(0.05, 0.2), random.uniform(-0.1, 0.1)
    macula = middle - radius * np.array([out, up])
    image = image * (1 - 0.4 * _spot(macula, random.uniform(0.12, 0.2) * radius, size)[..., None])
    width = random.uniform(0.13, 0.17) * radius
    image = _over(image, _round(disc, width, size, random), [0.98, 0.78, 0.5])
    low, high = (0.5, 0.75) if name == "glaucoma" else (0.22, 0.52)
    cup = disc + random.normal(0, 0.04, 2) * width
    share = random.uniform(low, high)
    image = _over(image, 0.8 * _round(cup, share * width, size, random), [1.0, 0.93, 0.75])
    image = image * (1 - _vessels(disc, macula, radius, size, random)[..., None] * [0.35, 0.6, 0.6])
    red, yellow = 0, int(random.integers(0, 3))  # which healthy eyes have, too
    if name == "retinopathy":
        red, yellow = int(random.integers(3, 11)), yellow + int(random.integers(1, 6))
    image = image * (1 - _lesions(middle, radius, red, size, random)[..., None] * [0.4, 0.7, 0.7])
    pale = _lesions(middle, radius, yellow, size, random)
    return np.clip(_over(image, 0.7 * pale, [0.98, 0.88, 0.5]), 0, 1)


def _hazy(image: Floats, strength: float, size: int) -> Floats:
    """As behind a clouded lens: blurred, and veiled by its own mean color."""
    picture = Image.fromarray((255 * image).astype(np.uint8))
    soft = picture.filter(ImageFilter.GaussianBlur(4 * strength * size / 224))
    return (1 - strength) * np.asarray(soft, float) / 255 + strength * (image.mean((0, 1)) + 0.05)


def _over(image: Floats, mask: Floats, color: list[float]) -> Floats:
    return image * (1 - mask[..., None]) + mask[..., None] * np.array(color)


def _mottle(random: np.random.Generator, size: int) -> Floats:
    """Noise of four octaves, from 0 to 1."""
    total = np.zeros((size, size))
    for octave in range(4):
        coarse = random.normal(size=(2 ** (octave + 2),) * 2).astype(np.float32)
        grown = Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)
        total += 0.6**octave * np.asarray(grown, float)
    return (total - total.min()) / np.ptp(total)


def _spot(middle: Floats, radius: float, size: int) -> Floats:
    y, x = np.mgrid[0:size, 0:size]
    return np.exp(-((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / (2 * radius**2))


def _round(middle: Floats, radius: float, size: int, random: np.random.Generator) -> Floats:
    """An ellipse with a soft, slightly wavy edge."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    wave = 1 + 0.05 * np.cos(2 * angle + random.uniform(0, 6.3)) + 0.02 * np.cos(5 * angle)
    corners = middle + radius * np.stack([wave * np.cos(angle), 1.08 * wave * np.sin(angle)], 1)
    mask = Image.new("L", (size, size))
    ImageDraw.Draw(mask).polygon([(x, y) for x, y in corners.tolist()], fill=255)
    return _soft(mask, 0.08 * radius)


def _vessels(
    disc: Floats, macula: Floats, radius: float, size: int, random: np.random.Generator
) -> Floats:
    """Four arcades from the optic disc around the macula, and their branches."""
    mask = Image.new("L", (size, size))
    toward = np.arctan2(*(macula - disc)[::-1])
    for start in (1.1, -1.1, 2.2, -2.2):
        turn = -np.sign(start) * random.uniform(0.02, 0.05) * (abs(start) < 2)
        angle = toward + start + random.normal(0, 0.15)
        _vessel(mask, disc, angle, turn, 0.045 * radius, 0.06 * radius, random)
    return 0.9 * _soft(mask, 0.4 * size / 224)


def _vessel(
    mask: Image.Image,
    point: Floats,
    angle: float,
    turn: float,
    width: float,
    step: float,
    random: np.random.Generator,
) -> None:
    """Draw a winding line that thins out, with branches that thin out sooner."""
    draw = ImageDraw.Draw(mask)
    for _ in range(28):
        if width < 0.4:
            return
        angle += turn + random.normal(0, 0.12)
        beyond = point + step * np.array([np.cos(angle), np.sin(angle)])
        draw.line([*point.tolist(), *beyond.tolist()], fill=200, width=max(1, round(width)))
        if random.uniform() < 0.16:
            aside = angle + random.choice((-1, 1)) * random.uniform(0.4, 0.9)
            _vessel(mask, beyond, aside, 0.0, 0.6 * width, step, random)
        point, width = beyond, 0.96 * width


def _lesions(
    middle: Floats, radius: float, count: int, size: int, random: np.random.Generator
) -> Floats:
    """Small round spots anywhere on the retina."""
    mask = Image.new("L", (size, size))
    for _ in range(count):
        far, angle = 0.85 * radius * np.sqrt(random.uniform()), random.uniform(0, 6.3)
        x, y = middle + far * np.array([np.cos(angle), np.sin(angle)])
        wide, high = random.uniform(0.01, 0.025, 2) * radius
        ImageDraw.Draw(mask).ellipse((x - wide, y - high, x + wide, y + high), fill=255)
    return _soft(mask, 0.5 * size / 224)


def _soft(mask: Image.Image, radius: float) -> Floats:
    return np.asarray(mask.filter(ImageFilter.GaussianBlur(radius)), float) / 255
