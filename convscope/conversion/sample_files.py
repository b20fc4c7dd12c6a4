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
from convscope.data.digits import digit_images
from convscope.data.normalize import normalize
from convscope.data.resize import resize_image
from convscope.data.scenes import Digits, scene
from convscope.data.unreadable import UnreadableImage
from convscope.engines import Batch
from convscope.errors import ConvscopeError
from convscope.exported.golden import num_golden
from convscope.exported.pixels import fitted_pixels, network_input
from convscope.runs.data import is_data_here, open_run_data
from convscope.runs.folder import Run

_PHOTOS = ("flower.jpg", "palace.jpg")
_SEED = 0
_SCENES = 3
_OWN = 4  # images of a run


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


def write_scene_files(folder: Path) -> Sequence[Path]:
    """Write scenes of handwritten digits, see `convscope.data.scenes`: of their own size, and one
    that is larger and wider than high.
    """
    digits, random = Digits(*digit_images()), np.random.default_rng(_SEED)
    scenes = [scene(digits, random)[0] for _ in range(_SCENES)]
    names = [f"scene{number}.png" for number in range(1, _SCENES + 1)]
    for name, pixels in zip(names, scenes, strict=True):
        Image.fromarray(pixels).save(folder / name)
    wide = np.concatenate(scenes[:2], 1).repeat(2, 0).repeat(2, 1)
    Image.fromarray(wide).save(folder / "wide.jpg", quality=95)
    return [folder / name for name in (*names, "wide.jpg")]


def write_own_files(folder: Path, run: Run) -> Sequence[Path]:
    """Images with objects that a run was not trained on, as files; none where they are not here."""
    try:
        config = run.read_config()
        if not is_data_here(config):
            return []
        dataset, _ = open_run_data(run, config, "test")
    except ConvscopeError:
        return []
    held_out = np.concatenate([dataset.indices("val"), dataset.indices("test")])
    objects = dataset.objects
    if objects is None:
        return []
    counts = np.diff(objects.starts)
    found: list[Path] = []
    for index in held_out[counts[held_out] > 0][:_OWN].tolist():
        try:
            image = dataset.images.image(index)
        except UnreadableImage:
            continue
        if isinstance(image, Image.Image) and image.mode in ("L", "RGB"):
            path = folder / f"own{index}.png"
            image.save(path)
            found.append(path)
    return found


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


def read_samples(card: Card, run: Run | None = None) -> tuple[Sample, ...]:
    """The sample files, read for a card; for one with boxes, images with objects come first, those
    of the run too.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        paths = [*_shipped_files(folder, card)]
        if card.boxes is not None and run is not None:
            paths = [*write_own_files(folder, run), *paths]
        return tuple(Sample.read(path, card) for path in paths)


def _shipped_files(folder: Path, card: Card) -> Sequence[Path]:
    """Files that show nobody's own images."""
    scenes = () if card.boxes is None else write_scene_files(folder)
    return [*scenes, *write_sample_files(folder, card.input_size)]


def _trained_input(image: DecodedImage, card: Card) -> Batch:
    pixels = torch.from_numpy(resize_image(image, card).copy())[None]
    return normalize(pixels, card, channels_last=False).numpy()


def golden_images(card: Card) -> NDArray[np.uint8]:
    """The first of them as bytes (n, height, width, c) of the network's input size."""
    with TemporaryDirectory() as folder:
        files = _shipped_files(Path(folder), card)
        return np.stack([fitted_pixels(file, card) for file in files[: num_golden(card)]])
