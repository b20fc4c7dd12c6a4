"""What comes before a network: normalizing and augmenting a batch, and random resized crops.

    python benchmarks/input_pipeline.py batches
    python benchmarks/input_pipeline.py crops
    python benchmarks/input_pipeline.py photographs

`batches` times a batch of bytes on its way to float32, by what convscope does and by what it did
before: a scale per channel by broadcasting, an index per pixel. Both must have the same bits. Where
there is a C compiler, one pass in C over the same bytes is the yardstick.

`crops` times epochs of random resized crops, mirrored and normalized: ours from images that were
decoded once, against torchvision's RandomResizedCrop, flip, ToTensor and Normalize from the same
JPEG files in a DataLoader with two workers, which stay alive between epochs, and in this process,
where its CPU time can be read.

`photographs` times first epochs, from nothing to every image decoded, checked and fed once, and
later ones: ours from memory, from the disk, and decoding again, as where there is no room, against
the loops of `photograph_readers.py` from the same files. Every epoch of those decodes anew, so
their epochs are compared with both.
"""

import argparse
import ctypes
import os
import shutil
import subprocess
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
from numpy.typing import NDArray
from PIL import Image
from rounds import machine, rotated, spread
from torch import Tensor

from convscope.card import Card
from convscope.data.augment import augment, crop_and_flip_params
from convscope.data.augment_kinds import Augment
from convscope.data.augmentation.pipeline import Augmentation
from convscope.data.cache.choice import Caching
from convscope.data.cache.modes import CacheMode
from convscope.data.folder import read_folder
from convscope.data.larger import larger_side
from convscope.data.loading import load_images
from convscope.data.normalize import Normalizer, scale_and_shift
from convscope.data.resized_crops import ResizedCrops
from convscope.device import keep_freed_memory
from convscope.training.batches import TrainingBatches

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PADDING = 4
SCALE, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)

C_SOURCE = """
void normalize(const unsigned char *restrict in, float *restrict out, long pixels,
               const float *scale, const float *shift) {
    const float a = scale[0], b = scale[1], c = scale[2], x = shift[0], y = shift[1], z = shift[2];
    for (long i = 0; i < pixels; i++) {
        out[3 * i] = in[3 * i] * a + x;
        out[3 * i + 1] = in[3 * i + 1] * b + y;
        out[3 * i + 2] = in[3 * i + 2] * c + z;
    }
}
"""


def card_of(size: int) -> Card:
    return Card(
        classes=("a", "b"), input_size=(size, size), in_channels=3, resize_mode="crop",
        reading="fast", mean=MEAN, std=STD,
    )  # fmt: skip


def normalize_before(batch: Tensor, card: Card) -> Tensor:
    """convscope's `normalize` until November 2026."""
    scale, shift = scale_and_shift(card)
    return torch.addcmul(shift, batch.to(torch.float32), scale).permute(0, 3, 1, 2)


def augment_before(batch: Tensor, indices: NDArray[np.int64], kind: Augment, epoch: int) -> Tensor:
    """convscope's `augment` until November 2026."""
    corners, flip = crop_and_flip_params(indices, kind=kind, padding=PADDING, seed=0, epoch=epoch)
    n, height, width, channels = batch.shape
    padded_height, padded_width = height + 2 * PADDING, width + 2 * PADDING
    padded = batch.new_zeros(n, padded_height, padded_width, channels)
    padded[:, PADDING : PADDING + height, PADDING : PADDING + width] = batch
    rows = corners[:, :1] + np.arange(height)
    steps = np.where(flip[:, None], np.arange(width)[::-1], np.arange(width))
    columns = corners[:, 1:] + steps
    first_rows = np.arange(n)[:, None, None] * padded_height
    cells = (first_rows + rows[:, :, None]) * padded_width + columns[:, None, :]
    selected = torch.from_numpy(cells.reshape(-1))
    return padded.view(-1, channels).index_select(0, selected).view(n, height, width, channels)


def c_pass(folder: Path, card: Card, batch: Tensor) -> Callable[[], Tensor] | None:
    """One pass in C over a batch, into memory that is used again; None without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    source, library = folder / "normalize.c", folder / "normalize.so"
    source.write_text(C_SOURCE, encoding="utf-8")
    flags = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", library, source], check=True)
    function = ctypes.CDLL(str(library)).normalize
    scale, shift = scale_and_shift(card)
    out = torch.empty(batch.shape)

    def run() -> Tensor:
        tensors = [ctypes.c_void_p(one.data_ptr()) for one in (batch, out, scale, shift)]
        function(*tensors[:2], ctypes.c_long(batch.numel() // 3), *tensors[2:])
        return out.permute(0, 3, 1, 2)

    return run


def best_of(job: Callable[[], object], times: int) -> float:
    """The least milliseconds of this process's time that the job took."""
    taken: list[float] = []
    for _ in range(times):
        start = time.process_time()
        job()
        taken.append(1000 * (time.process_time() - start))
    return min(taken)


def time_batches(size: int, rounds: int, batch_size: int, folder: Path) -> None:
    card = card_of(size)
    random = np.random.default_rng(0)
    batch = torch.from_numpy(random.integers(0, 256, (batch_size, size, size, 3), dtype=np.uint8))
    indices, normalizer = np.arange(batch_size), Normalizer(card)
    words: dict[str, Any] = {"kind": "crop-flip", "padding": PADDING, "seed": 0, "epoch": 1}
    jobs: dict[str, Callable[[], Tensor]] = {
        "normalize before": lambda: normalize_before(batch, card),
        "normalize": lambda: normalizer(batch),
        "both before": lambda: normalize_before(
            augment_before(batch, indices, "crop-flip", 1), card
        ),
        "both": lambda: normalizer(augment(batch, indices, **words)),
    }
    for name in ("normalize", "both"):
        assert torch.equal(jobs[name](), jobs[f"{name} before"]()), name
    if in_c := c_pass(folder, card, batch):
        assert torch.allclose(in_c(), jobs["normalize before"](), atol=1e-5)
        jobs["normalize in C"] = in_c
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(rounds):
        for name in rotated([*jobs], turn):
            taken[name].append(best_of(jobs[name], 5 if size > 100 else 20))
    print(f"\n{size}x{size}, batches of {batch_size}, ms of CPU time")
    for name, values in taken.items():
        print(f"  {name:18} {spread(values, '.3f')}")
    pairs = [("normalize before", "normalize"), ("both before", "both")]
    pairs += [("normalize", "normalize in C")] * (in_c is not None)
    for slow, fast in pairs:
        ratios = [one / other for one, other in zip(taken[slow], taken[fast], strict=True)]
        print(f"  {slow} / {fast}: {spread(ratios)}")


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


def our_epoch(root: Path, size: int, batch_size: int) -> Callable[[int], Iterable[Tensor]]:
    card, dataset = card_of(size), read_folder(root)
    start = time.perf_counter(), time.process_time()
    dataset = dataset.with_split(np.full(len(dataset), "train"))
    loaded = load_images(dataset, card, larger_side=larger_side(card), cache_fraction=0.8)
    wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
    print(f"  once, decoding and scaling to {larger_side(card)}: {wall:.2f} s, {cpu:.2f} s of CPU")
    crops = ResizedCrops((size, size), SCALE, RATIO)
    batches = TrainingBatches(
        loaded, Augmentation("resized-crop-flip", 0, 0, crops), batch_size, "shuffle"
    )
    normalizer = Normalizer(card)
    return lambda epoch: (normalizer(batch.pixels) for batch in batches(epoch))


def torchvision_epoch(root: Path, size: int, batch_size: int, workers: int) -> Iterable[Any]:
    import torchvision_operators  # noqa: F401, PLC0415 -- before torchvision, and in `crops` alone
    from torchvision import datasets, transforms  # noqa: PLC0415

    steps = [
        transforms.RandomResizedCrop(size, SCALE, RATIO, antialias=True),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize(MEAN, STD),
    ]
    images = datasets.ImageFolder(str(root), transforms.Compose(steps))
    return torch.utils.data.DataLoader(
        images, batch_size, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )


def time_crops(args: argparse.Namespace, size: int, root: Path) -> None:
    print(f"\n{size}x{size} from {args.images} JPEGs of {args.photograph}, batches of {args.batch}")
    ours = our_epoch(root, size, args.batch)
    with_workers, alone = (torchvision_epoch(root, size, args.batch, n) for n in (2, 0))
    epochs: dict[str, Callable[[int], Iterable[Any]]] = {
        "ours": ours,
        "two workers": lambda _: with_workers,
        "one process": lambda _: alone,
    }
    wall: dict[str, list[float]] = {name: [] for name in epochs}
    cpu: dict[str, list[float]] = {name: [] for name in epochs}
    for turn in range(args.rounds + 1):
        for name in rotated([*epochs], turn):
            start = time.perf_counter(), time.process_time()
            count = sum(1 for _ in epochs[name](turn))
            assert count == -(-args.images // args.batch), count
            if turn:  # the first epoch starts the workers
                wall[name].append(args.images / (time.perf_counter() - start[0]))
                cpu[name].append(args.images / (time.process_time() - start[1]))
    for name in epochs:
        seconds = "" if name == "two workers" else f", per CPU second {spread(cpu[name], '.0f')}"
        print(f"  {name:12} images per second {spread(wall[name], '.0f')}{seconds}")
    for what, one, other in (
        ("ours / two workers, wall", wall["ours"], wall["two workers"]),
        ("ours / one process, per CPU second", cpu["ours"], cpu["one process"]),
    ):
        print(f"  {what}: {spread([a / b for a, b in zip(one, other, strict=True)])}")


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


def time_photographs(args: argparse.Namespace, size: int, root: Path, caching: Path) -> None:
    count = len(list(root.glob("*/*.jpg")))
    print(f"\n{size}x{size} from {count} JPEGs of {args.photograph}, batches of {args.batch}")
    os.environ["CONVSCOPE_CACHE"] = str(caching)
    modes: list[CacheMode] = ["ram", "disk", "none"]
    ours = {mode: Ours(root, size, args.batch, mode) for mode in modes}
    epochs: dict[str, Callable[[], Iterable[Any]]] = {
        **{f"first, {mode}": one.first for mode, one in ours.items() if mode != "none"},
        **{f"later, {mode}": one.again for mode, one in ours.items()},
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
            start = time.perf_counter(), time.process_time()
            fed = sum(len(one[0] if isinstance(one, list) else one) for one in epochs[name]())
            assert fed == count, (name, fed)
            if turn:  # the first epoch starts the workers
                wall[name].append(count / (time.perf_counter() - start[0]))
                cpu[name].append(count / (time.process_time() - start[1]))
    for name in epochs:
        seconds = "" if "workers" in name else f", per CPU second {spread(cpu[name], '.0f')}"
        print(f"  {name:31} images per second {spread(wall[name], '.0f')}{seconds}")
    for peer in photograph_readers.READERS:
        for name in [name for name in epochs if name not in photograph_readers.READERS]:
            if peer in wall:
                ratios = [a / b for a, b in zip(wall[name], wall[peer], strict=True)]
                print(f"  {name} / {peer}: {spread(ratios)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["batches", "crops", "photographs"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 96, 224])
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
        root = Path(folder)
        if args.folder is not None:
            root = args.folder
        if args.what != "batches" and not any(root.glob("*/*.jpg")):
            make_photographs(root, args.images, *map(int, args.photograph.split("x")))
        for size in args.sizes:
            if args.what == "batches":
                time_batches(size, args.rounds, args.batch, root)
            elif args.what == "crops":
                time_crops(args, size, root)
            else:
                time_photographs(args, size, root, Path(folder) / "decoded")


if __name__ == "__main__":
    sys.exit(main())
