"""Compare what networks know that were trained in bf16 and in float32.

    python benchmarks/precision.py --data cifar10-jpeg.tar.gz

A network with batch norm, trained with both precisions and three seeds on CIFAR-10 as JPEG files in
a .tar.gz with train/CLASS/ and test/CLASS/, tested on all 10,000; 95% intervals after Wilson. Steps
in bf16 are timed by train_step.py.
"""

import argparse
import statistics
import tarfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from rounds import machine, spread
from torch import nn

import convscope
from convscope.training.config import Precision

ROOT = Path(__file__).resolve().parents[1]
PRECISIONS: tuple[Precision, ...] = ("float32", "bf16")


class Small(nn.Sequential):
    """Three convolutions with batch norm for 32x32 images; `accuracy` trains it."""

    def __init__(self, num_classes: int = 10) -> None:
        widths = (3, 32, 64, 128)
        blocks = [
            (nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(),
             nn.MaxPool2d(2))
            for a, b in pairwise(widths)
        ]  # fmt: skip
        layers = [layer for block in blocks for layer in block]
        super().__init__(*layers, nn.Flatten(), nn.Linear(128 * 16, num_classes))


def extract(archive: Path, data: Path, num_images: int) -> None:
    """The test images, and so many of each class to train on: those that stand first."""
    taken: Counter[str] = Counter()
    with tarfile.open(archive) as files:
        for file in files:
            folder = str(Path(file.name).parent)
            taken[folder] += file.isfile()
            if file.isfile() and (folder.startswith("test") or taken[folder] <= num_images):
                files.extract(file, data, filter="data")


def accuracy(args: argparse.Namespace) -> None:
    told = f"{args.epochs} epochs of {10 * args.images:,} images, {args.threads} threads"
    print(f"{machine()}\n{told}\n")
    found: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    with TemporaryDirectory() as folder:
        data = Path(folder, "data")
        extract(args.data, data, args.images)
        for seed in range(args.seeds):
            for precision in PRECISIONS:
                result = convscope.train(
                    data,
                    model=Small(),
                    out=Path(folder, f"{precision}-{seed}"),
                    input_size=32,
                    epochs=args.epochs,
                    precision=precision,
                    seed=seed,
                    engine="torch",
                    duplicates="drop",
                    device="cpu",
                    threads=args.threads,
                    progress=False,
                )
                test = result.test
                low, high = (100 * end for end in test.interval)
                found[precision].append(100 * test.top1)
                print(f"seed {seed} {precision:8} {100 * test.top1:.2f}% [{low:.2f}-{high:.2f}]")
    differences = [b - a for a, b in zip(found["float32"], found["bf16"], strict=True)]
    means = ", ".join(f"{name} {statistics.mean(found[name]):.2f}%" for name in PRECISIONS)
    print(f"means: {means}; bf16 - float32 {spread(differences)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--data", type=Path, default=ROOT.parent / "shared/data/cifar10-jpeg.tar.gz"
    )
    parser.add_argument("--images", type=int, default=1200, help="of each class to train on")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    accuracy(parser.parse_args())
