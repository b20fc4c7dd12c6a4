"""Epochs of photographs, from files to normalized random resized crops.

    python benchmarks/input_pipeline.py

Times first epochs, from nothing to every image decoded, checked, kept and fed once, and later ones:
ours from memory, from the disk, from the disk after the system was told to drop what it holds of it
in memory, and decoding again, as where there is no room; against the loops of
`photograph_readers.py` from the same files. Every epoch of those decodes anew, so their epochs are
compared with both. Their JPEG files stay in the system's memory, and count as read.

CPU time is that of this process: that of torchvision's two workers is not in it.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import photograph_readers
import torch
from PIL import Image
from rounds import machine, rotated, spread
from torch import Tensor

from convscope.card import Card
from convscope.data.augmentation.pipeline import Augmentation
from convscope.data.cache.choice import Caching
from convscope.data.cache.modes import CacheMode
from convscope.data.folder import read_folder
from convscope.data.larger import larger_side
from convscope.data.loading import load_images
from convscope.data.normalize import Normalizer
from convscope.data.resized_crops import ResizedCrops
from convscope.device import keep_freed_memory
from convscope.training.batches import TrainingBatches

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SCALE, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)


def card_of(size: int) -> Card:
    return Card(
        classes=("a", "b"), input_size=(size, size), in_channels=3, resize_mode="crop",
        reading="fast", mean=MEAN, std=STD,
    )  # fmt: skip


def make_photographs(root: Path, count: int, width: int, height: int) -> None:
    """JPEGs with the spectrum of photographs, whose amplitude falls with the frequency."""
    random = np.random.default_rng(0)
    y, x = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    amplitude = 1 / np.maximum(np.hypot(y, x), 1 / max(width, height))
    for index in range(count):
        folder = root / "ab"[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        phases = np.exp(2j * np.pi * random.random((3, *amplitude.shape)))
        planes = np.fft.irfft2(amplitude * phases, (height, width))
        pixels = 128 + 50 * planes / planes.std((1, 2), keepdims=True)
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8).transpose(1, 2, 0))
        image.save(folder / f"{index}.jpg", quality=90)


@dataclass
class Ours:
    """convscope's way from files to normalized windows, with decoded images kept in one place."""

    root: Path
    size: int
    batch: int
    mode: CacheMode
    epoch: int = 0
    batches: TrainingBatches | None = None
    described: str = ""

    def first(self) -> Iterable[Tensor]:
        """An epoch from nothing: images are decoded, checked and kept, then fed."""
        self.open()
        return self.again()

    def open(self) -> None:
        """Load the images, with what the disk has of them."""
        card, dataset = card_of(self.size), read_folder(self.root)
        dataset = dataset.with_split(np.full(len(dataset), "train"))
        side = larger_side(card)
        loaded = load_images(dataset, card, larger_side=side, caching=Caching(self.mode))
        self.described = " ".join(loaded.kept)
        crops = ResizedCrops((self.size, self.size), SCALE, RATIO)
        augmentation = Augmentation("resized-crop-flip", 0, 0, crops)
        self.batches = TrainingBatches(loaded, augmentation, self.batch, "shuffle")

    def again(self) -> Iterable[Tensor]:
        """An epoch from what is kept."""
        assert self.batches is not None
        normalizer = Normalizer(card_of(self.size))
        self.epoch += 1
        return (normalizer(batch.pixels) for batch in self.batches(self.epoch))


def forget(folder: Path) -> None:
    """Have the system drop the files of a folder from its memory, once the disk has them."""
    for path in folder.glob("*/*.pixels"):
        with path.open("rb+") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def time_photographs(args: argparse.Namespace, size: int, root: Path, caching: Path) -> None:
    count = len(list(root.glob("*/*.jpg")))
    print(f"\n{size}x{size} from {count} JPEGs of {args.photograph}, batches of {args.batch}")
    os.environ["CONVSCOPE_CACHE"] = str(caching)
    modes: list[CacheMode] = ["ram", "disk", "none"]
    ours = {mode: Ours(root, size, args.batch, mode) for mode in modes}
    epochs: dict[str, Callable[[], Iterable[Any]]] = {
        **{f"first, {mode}": one.first for mode, one in ours.items() if mode != "none"},
        **{f"later, {mode}": one.again for mode, one in ours.items()},
        "later, disk, not in memory": ours["disk"].again,
        **photograph_readers.available(root, size, args.batch),
    }
    for mode in modes:
        ours[mode].open()
        print(f"  {mode}: {ours[mode].described}")
    wall: dict[str, list[float]] = {name: [] for name in epochs}
    cpu: dict[str, list[float]] = {name: [] for name in epochs}
    for turn in range(args.rounds + 1):
        for name in rotated([*epochs], turn):
            if name == "first, disk":
                shutil.rmtree(caching, ignore_errors=True)
            if name == "later, disk, not in memory":
                forget(caching)
            start = time.perf_counter(), time.process_time()
            fed = sum(len(one[0] if isinstance(one, list) else one) for one in epochs[name]())
            assert fed == count, (name, fed)
            if turn:  # the first epoch starts the workers
                wall[name].append(count / (time.perf_counter() - start[0]))
                cpu[name].append(count / (time.process_time() - start[1]))
    report(wall, cpu)


def report(wall: dict[str, list[float]], cpu: dict[str, list[float]]) -> None:
    """Print the images per second of each kind of epoch, and how they compare with the others'."""
    for name, rates in wall.items():
        seconds = "" if "2 workers" in name else f", per CPU second {spread(cpu[name], '.0f')}"
        print(f"  {name:30} images per second {spread(rates, '.0f')}{seconds}")
    for peer in photograph_readers.READERS:
        for name in [name for name in wall if name not in photograph_readers.READERS]:
            if peer in wall:
                ratios = [a / b for a, b in zip(wall[name], wall[peer], strict=True)]
                print(f"  {name} / {peer}: {spread(ratios)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[96, 224])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--folder", type=Path, help="keep the JPEGs here, and find them again")
    parser.add_argument("--photograph", default="500x375", help="WIDTHxHEIGHT of the JPEGs")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    keep_freed_memory()  # as `convscope train` does
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        root = args.folder or Path(folder)
        if not any(root.glob("*/*.jpg")):
            make_photographs(root, args.images, *map(int, args.photograph.split("x")))
        for size in args.sizes:
            time_photographs(args, size, root, Path(folder) / "decoded")


if __name__ == "__main__":
    sys.exit(main())
