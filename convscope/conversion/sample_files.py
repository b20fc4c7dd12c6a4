"""Image files on which an exported network is compared with PyTorch before it is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from convscope.card import Card
from convscope.data.decode import decode_image
from convscope.data.depth import DecodedImage, to_bytes
from convscope.data.normalize import normalize
from convscope.data.resize import resize_image
from convscope.engines import Batch
from convscope.exported.golden import num_golden
from convscope.exported.pixels import fitted_pixels, network_input

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


@dataclass(frozen=True, kw_only=True)
class Sample:
    """An image file, as it is read on the different ways to a network.

    Attributes:
        given: what an exported network's input becomes, (1, c, height, width).
        trained: what training feeds the network.
        pixels: the image as the graph of images takes it, bytes (1, h, w, 3).
        whole: what training would feed for an image that was decoded at its full size.
    """

    given: Batch
    trained: Batch
    pixels: NDArray[np.uint8]
    whole: Batch

    @classmethod
    def read(cls, path: Path, card: Card) -> "Sample":
        whole = decode_image(path)
        return cls(
            given=network_input(path, card),
            trained=_trained_input(decode_image(path, card), card),
            pixels=np.asarray(to_bytes(whole, card.value_range).convert("RGB"))[None],
            whole=_trained_input(whole, card),
        )


def read_samples(card: Card) -> tuple[Sample, ...]:
    """The sample files, read for a card."""
    with TemporaryDirectory() as folder:
        paths = write_sample_files(Path(folder), card.input_size)
        return tuple(Sample.read(path, card) for path in paths)


def _trained_input(image: DecodedImage, card: Card) -> Batch:
    pixels = torch.from_numpy(resize_image(image, card).copy())[None]
    return normalize(pixels, card, channels_last=False).numpy()


def golden_images(card: Card) -> NDArray[np.uint8]:
    """The first of them as bytes (n, height, width, c) of the network's input size."""
    with TemporaryDirectory() as folder:
        files = write_sample_files(Path(folder), card.input_size)
        return np.stack([fitted_pixels(file, card) for file in files[: num_golden(card)]])
