"""Image files on which an exported network is compared with PyTorch before it is kept."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.card import Card
from convscope.exported.golden import num_golden
from convscope.exported.pixels import fitted_pixels

_PHOTOS = ("flower.jpg", "palace.jpg")
_SEED = 0


def write_sample_files(folder: Path, input_size: tuple[int, int]) -> Sequence[Path]:
    """Write JPEG and PNG files: color and gray, of the input's size, of odd sizes, small and large,
    tall and wide; photographs and noise.
    """
    height, width = input_size
    bundled = files("convscope.data") / "bundled"
    flower, palace = (Image.open(str(bundled / name)).convert("RGB") for name in _PHOTOS)
    noise = np.random.default_rng(_SEED).integers(0, 256, (height, width, 3), np.uint8)
    samples = {
        "flower.jpg": flower,
        "gray.jpg": palace.convert("L"),
        "odd.png": flower.crop((31, 17, 31 + 251, 17 + 333)),
        "tall.jpg": palace.crop((100, 0, 100 + 87, 400)),
        "same.png": palace.resize((width, height), Image.Resampling.BICUBIC),
        "noise.png": Image.fromarray(noise),
        "small.png": flower.resize((max(1, width // 3), max(1, height // 2 + 1))),
        "large.png": palace.resize((7 * width + 1, 7 * height + 3)) if width <= 64 else palace,
    }
    for name, image in samples.items():
        image.save(folder / name, quality=95)
    return [folder / name for name in samples]


def golden_images(card: Card) -> NDArray[np.uint8]:
    """The first of them as bytes (n, height, width, c) of the network's input size."""
    with TemporaryDirectory() as folder:
        files = write_sample_files(Path(folder), card.input_size)
        return np.stack([fitted_pixels(file, card) for file in files[: num_golden(card)]])
