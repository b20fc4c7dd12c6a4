"""Time `evaluate` against the plain forward passes of one script, and its bootstrap.

    python benchmarks/evaluate.py --rounds 3

The script decodes and resizes with Pillow in as many threads as `evaluate`, normalizes and runs the
network in batches of the same size under `torch.inference_mode`; it counts right answers and no
more. `evaluate` also digests pixels, computes losses and all metrics. Both begin with files or
arrays, take turns, and a ratio is taken within each round. The networks have random weights.
"""

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rounds import machine, spread
from torch import Tensor, nn

import convscope
from convscope.card import Card
from convscope.evaluation.batch_size import choose_feeding
from convscope.evaluation.bootstrap import resampled_counts

SMALL, PHOTOGRAPHS, SIDE = 10_000, 500, 224
CPU = torch.device("cpu")


def card_of(size: int, channels: int) -> Card:
    return Card(
        classes=tuple(map(str, range(10))),
        input_size=(size, size),
        in_channels=channels,
        resize_mode="crop",
        mean=(0.5,) * channels,
        std=(0.25,) * channels,
    )


def passes(net: nn.Module, images: NDArray[np.uint8], labels: NDArray[np.int64], card: Card) -> int:
    """The right answers of plain forward passes."""
    channels_last, batch = choose_feeding(net, card, CPU)
    form = torch.channels_last if channels_last else torch.contiguous_format
    right = 0
    with torch.inference_mode():
        for start in range(0, len(images), batch):
            pixels = torch.from_numpy(images[start : start + batch])
            fed = ((pixels.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25).contiguous(
                memory_format=form
            )
            answers: Tensor = net(fed).argmax(1)
            right += int((answers == torch.from_numpy(labels[start : start + batch])).sum())
    return right


def read(path: Path) -> NDArray[np.uint8]:
    """A photograph, its shorter side 224 pixels, the middle cut out."""
    with Image.open(path) as image:
        image.draft("RGB", (SIDE, SIDE))
        rgb = image.convert("RGB")
    scale = SIDE / min(rgb.size)
    width, height = (max(round(side * scale), SIDE) for side in rgb.size)
    small = rgb.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - SIDE) // 2, (height - SIDE) // 2
    return np.asarray(small.crop((left, top, left + SIDE, top + SIDE)))


def small_images(rounds: int) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (SMALL, 32, 32), dtype=np.uint8)
    labels = np.arange(SMALL) % 10
    net, card = convscope.create_model("lenet5").eval(), card_of(32, 1)
    compare(
        f"{SMALL:,} arrays of 32x32, LeNet-5",
        lambda: convscope.evaluate(net, (images, labels), card=card).metrics.num_correct,
        lambda: passes(net, images[..., None], labels, card),
        rounds,
    )


def photographs(rounds: int) -> None:
    rng = np.random.default_rng(0)
    net = convscope.create_model("squeezenet1_1", num_classes=10).eval()
    card = card_of(SIDE, 3)
    with TemporaryDirectory() as name:
        root, labels = Path(name), np.arange(PHOTOGRAPHS) % 10
        paths = [root / str(label) / f"{n}.jpg" for n, label in enumerate(labels)]
        for path in paths:
            path.parent.mkdir(exist_ok=True)
            coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
            coarse.resize((500, 375), Image.Resampling.BICUBIC).save(path, quality=90)

        def plain() -> int:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                images = np.stack(list(pool.map(read, paths)))
            return passes(net, images, labels, card)

        compare(
            f"{PHOTOGRAPHS} JPEGs of 500x375, SqueezeNet 1.1",
            lambda: convscope.evaluate(net, root, card=card).metrics.num_correct,
            plain,
            rounds,
        )


def compare(what: str, ours, plain, rounds: int) -> None:
    """Print seconds of each, and the ratio of ours to the plain script, round by round."""
    times: dict[str, list[float]] = {"evaluate": [], "plain": []}
    ours(), plain()
    for number in range(rounds):
        pair = [("evaluate", ours), ("plain", plain)]
        for name, run in pair if number % 2 else reversed(pair):
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
    ratios = [a / b for a, b in zip(times["evaluate"], times["plain"], strict=True)]
    print(f"{what}: evaluate {spread(times['evaluate'])} s, plain {spread(times['plain'])} s, ")
    print(f"  ratio {spread(ratios)}", flush=True)


def bootstrap() -> None:
    rng = np.random.default_rng(0)
    for classes in (10, 1000):
        truth = rng.integers(0, classes, 50_000)
        said = np.where(rng.random(50_000) < 0.8, truth, rng.integers(0, classes, 50_000))
        for groups in (None, np.arange(50_000) // 4):
            began = time.perf_counter()
            resampled_counts(truth, said, classes, groups).rate("f1", "macro")
            seconds = time.perf_counter() - began
            by = "images" if groups is None else "groups of 4"
            print(
                f"2,000 draws of 50,000 images, {classes:,} classes, by {by}: {seconds:.2f} s",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", nargs="*", default=["small", "photographs", "bootstrap"])
    given = parser.parse_args()
    print(machine())
    if "small" in given.parts:
        small_images(given.rounds)
    if "photographs" in given.parts:
        photographs(given.rounds)
    if "bootstrap" in given.parts:
        bootstrap()


if __name__ == "__main__":
    main()
