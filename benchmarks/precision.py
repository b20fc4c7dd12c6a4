"""Time training steps in bf16 against float32, and compare what the trained networks know.

    python benchmarks/precision.py steps --threads 1
    python benchmarks/precision.py accuracy --data cifar10-jpeg.tar.gz

`steps`: a step of `convscope train` by PyTorch in either precision, and as a peer the step of a
plain script in float32 with all that makes it fast: channels-last, the fused optimizer, memory that
is used again. The times are of the processor, so that other work on the machine counts little; the
plain script's images are normalized already.

`accuracy`: a network with batch norm, trained with both precisions and three seeds on CIFAR-10 as
JPEG files in a .tar.gz with train/CLASS/ and test/CLASS/, tested on all 10,000; 95% intervals after
Wilson.
"""

import argparse
import statistics
import tarfile
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import numpy as np
import torch
from plain_step import torch_step
from rounds import machine, rotated, spread
from torch import nn

import convscope
from convscope.card import Card
from convscope.device import keep_freed_memory
from convscope.training.batches import Batch
from convscope.training.config import Precision, TrainConfig
from convscope.training.executors.base import Inputs
from convscope.training.executors.eager import EagerExecutor
from convscope.training.loss import BatchLoss
from convscope.training.optimizer import Optimizer
from convscope.training.state import TrainState
from convscope.zoo import create_model

ROOT = Path(__file__).resolve().parents[1]
NETWORKS = {"resnet18": (224, 16), "resnet20_cifar": (32, 128), "alexnet": (227, 32)}
"""By name: the side of an image, and images per step."""
PRECISIONS: tuple[Precision, ...] = ("float32", "bf16")
CLASSES = tuple(map(str, range(10)))
CONFIG = TrainConfig(lr=0.01)


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


def network(name: str, side: int) -> nn.Module:
    torch.manual_seed(0)
    net = create_model(name, num_classes=10, input_size=side).train()
    net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return net


def ours(name: str, side: int, size: int, precision: Precision) -> Callable[[], object]:
    """A step of `convscope train`, from bytes to the updated weights."""
    channels = (0.5, 0.5, 0.5)
    card = Card(
        classes=CLASSES,
        input_size=(side, side),
        in_channels=3,
        resize_mode="crop",
        mean=channels,
        std=channels,
    )
    net, random = network(name, side), np.random.default_rng(0)
    inputs = Inputs(cast("object", None), card, torch.device("cpu"))  # pyright: ignore[reportArgumentType]
    executor = EagerExecutor(
        net, Optimizer(net, CONFIG), inputs, BatchLoss(card), precision=precision
    )
    pixels = torch.from_numpy(random.integers(0, 256, (size, side, side, 3), dtype=np.uint8))
    labels = random.integers(0, 10, size)
    batch, state = Batch(np.arange(size), labels, 0, lambda: pixels), TrainState()
    return lambda: executor.step(state, batch, 0.01)


def plain(name: str, side: int, size: int) -> Callable[[], object]:
    """The same step in float32 as a good user writes it."""
    net = network(name, side)
    images = torch.randn(size, 3, side, side).to(memory_format=torch.channels_last)
    labels = torch.randint(10, (size,))

    return torch_step(net, images, labels, weight_decay=5e-4, fused=True)


def steps(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    print(f"{machine()}\n{args.rounds} rounds, {args.threads} threads; CPU ms, median [min-max]\n")
    for name in args.networks:
        side, size = NETWORKS[name]
        contenders = {
            "plain float32": plain(name, side, size),
            "float32": ours(name, side, size, "float32"),
            "bf16": ours(name, side, size, "bf16"),
        }
        times: dict[str, list[float]] = {contender: [] for contender in contenders}
        for step in contenders.values():
            step()  # prepares
        for turn in range(args.rounds):
            for contender in rotated([*contenders], turn):
                began = time.process_time()
                contenders[contender]()
                times[contender].append(1000 * (time.process_time() - began))
        print(f"{name}, {side}x{side}, {size} images")
        for contender, values in times.items():
            ratios = [one / bf16 for one, bf16 in zip(values, times["bf16"], strict=True)]
            print(f"  {contender:14} {spread(values, '.1f'):26} / bf16 {spread(ratios)}")


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
    parser.add_argument("what", choices=("steps", "accuracy"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--networks", nargs="+", choices=[*NETWORKS], default=[*NETWORKS])
    parser.add_argument(
        "--data", type=Path, default=ROOT.parent / "shared/data/cifar10-jpeg.tar.gz"
    )
    parser.add_argument("--images", type=int, default=1200, help="of each class to train on")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    chosen = parser.parse_args()
    {"steps": steps, "accuracy": accuracy}[chosen.what](chosen)
