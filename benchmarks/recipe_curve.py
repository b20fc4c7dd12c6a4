"""Train ResNet-20 by its recipe beside a plain PyTorch script with the same settings: the curves.

    python benchmarks/recipe_curve.py both --images 2560 --epochs 5 --seeds 0 1 2

Both train on the first `--images` of CIFAR-10, test on `--test` others after every epoch, and have
the settings of `convscope recipes resnet-cifar10`, whose learning rate drops after half and three
quarters of however many epochs. The plain script has a network of its own (option A, He's
initialization), `torch.optim.SGD`, and random crops and flips of its own: nothing is shared but the
images. Runs of either differ by their seed; the claim is that the two differ by no more than that.
A line for each run has its error after every epoch; the last lines compare the means. With `ours`
or `plain` one of them runs, for two processes beside each other.
"""

import argparse
import io
import statistics
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

import convscope
from convscope.recipes import read_recipe

BATCH, PEAK, MOMENTUM, DECAY, PADDING = 128, 0.1, 0.9, 1e-4, 4
Split = tuple[NDArray[np.uint8], NDArray[np.int64]]


def read(archive: Path, counts: dict[str, int]) -> dict[str, Split]:
    """The first images of train/CLASS/ and test/CLASS/ in a tar file, equally many of each."""
    found: dict[str, dict[str, list[NDArray[np.uint8]]]] = {name: {} for name in counts}
    with tarfile.open(archive) as tar:
        for member in tar:
            split, _, rest = member.name.partition("/")
            label = rest.partition("/")[0]
            kept = found.get(split, {}).setdefault(label, [])
            if member.isfile() and split in counts and len(kept) < counts[split] // 10:
                file = tar.extractfile(member)
                if file is not None:
                    kept.append(np.asarray(Image.open(io.BytesIO(file.read())).convert("RGB")))
    return {split: _joined(images) for split, images in found.items()}


def _joined(images: dict[str, list[NDArray[np.uint8]]]) -> Split:
    named = sorted(name for name, held in images.items() if held)
    labels = [number for number, name in enumerate(named) for _ in images[name]]
    return np.stack([one for name in named for one in images[name]]), np.array(labels)


def block(channels: int, filters: int, stride: int) -> nn.Module:
    """Two 3x3 convolutions and a shortcut without parameters (option A)."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(filters)
            self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(filters)

        def forward(self, x: Tensor) -> Tensor:
            y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
            shortcut = F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, 0, filters - channels))
            return F.relu(y + shortcut)

    return Block()


def resnet20() -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    channels = 16
    for filters in (16, 32, 64):
        for number in range(3):
            layers.append(block(channels, filters, 2 if filters > 16 and number == 0 else 1))
            channels = filters
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return network


def plain(train: Split, test: Split, epochs: int, seed: int) -> list[float]:
    """The test error after every epoch."""
    torch.manual_seed(seed)
    network = resnet20().to(memory_format=torch.channels_last)
    pixels = torch.from_numpy(train[0]).permute(0, 3, 1, 2).float() / 255
    mean, std = pixels.mean((0, 2, 3), keepdim=True), pixels.std((0, 2, 3), keepdim=True)
    images, labels = (pixels - mean) / std, torch.from_numpy(train[1])
    black = ((0 - mean) / std).expand(1, 3, 1, 1)
    padded = black.expand(len(images), 3, 32 + 2 * PADDING, 32 + 2 * PADDING).clone()
    padded[:, :, PADDING:-PADDING, PADDING:-PADDING] = images
    asked = torch.from_numpy(test[0]).permute(0, 3, 1, 2).float() / 255
    asked, answers = (asked - mean) / std, torch.from_numpy(test[1])
    optimizer = torch.optim.SGD(
        network.parameters(), lr=PEAK, momentum=MOMENTUM, weight_decay=DECAY
    )
    steps, step, errors = epochs * -(-len(images) // BATCH), 0, []
    for _ in range(epochs):
        network.train()
        for chosen in torch.randperm(len(images)).split(BATCH):
            drops = sum(step >= share * steps for share in (0.5, 0.75))
            optimizer.param_groups[0]["lr"] = PEAK * 0.1**drops
            corners = torch.randint(2 * PADDING + 1, (len(chosen), 2)).tolist()
            windows = torch.stack(
                [
                    padded[i, :, y : y + 32, x : x + 32]
                    for i, (y, x) in zip(chosen, corners, strict=True)
                ]
            )
            flipped = torch.rand(len(chosen)) < 0.5
            windows[flipped] = windows[flipped].flip(3)
            optimizer.zero_grad()
            batch = windows.contiguous(memory_format=torch.channels_last)
            F.cross_entropy(network(batch), labels[chosen]).backward()
            optimizer.step()
            step += 1
        network.eval()
        with torch.no_grad():
            told = torch.cat([network(part).argmax(1) for part in asked.split(500)])
        errors.append(float((told != answers).float().mean()))
    return errors


def ours(train: Split, test: Split, epochs: int, seed: int) -> list[float]:
    """The same by `recipe`; the validation images are those tested after every epoch."""
    data = {"train": train, "val": test, "test": (test[0][:10], test[1][:10])}
    with TemporaryDirectory() as folder:
        result = convscope.train(
            data, recipe="resnet-cifar10", epochs=epochs, seed=seed, threads=1,
            duplicates="allow", out=Path(folder) / "run", progress=False,
        )  # fmt: skip
        return [1 - share for share in result.history["val_top1"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=["ours", "plain", "both"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/cifar10-jpeg.tar.gz"))
    parser.add_argument("--images", type=int, default=2560)
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    torch.set_num_threads(1)
    check_settings()
    splits = read(args.data, {"train": args.images, "test": args.test})
    runs: dict[str, Callable[[Split, Split, int, int], list[float]]] = {
        "ours": ours,
        "plain": plain,
    }
    chosen = {name: run for name, run in runs.items() if args.which in (name, "both")}
    curves: dict[str, list[list[float]]] = {name: [] for name in chosen}
    for seed in args.seeds:
        for name, run in chosen.items():
            began = time.process_time()
            errors = run(splits["train"], splits["test"], args.epochs, seed)
            curves[name].append(errors)
            shown = " ".join(f"{error:6.2%}" for error in errors)
            print(
                f"{name:5} seed {seed}: {shown}   {time.process_time() - began:.0f} s", flush=True
            )
    for name, held in curves.items():
        print(name, *(_spread(list(column)) for column in zip(*held, strict=True)))


def _spread(errors: list[float]) -> str:
    deviation = statistics.stdev(errors) if len(errors) > 1 else 0.0
    return f"{statistics.mean(errors):.2%} ± {deviation:.2%}"


def check_settings() -> None:
    """The constants above are the recipe's."""
    settings = read_recipe("resnet-cifar10").settings
    told = [settings[name] for name in ("batch_size", "lr", "momentum", "weight_decay")]
    if (*told, settings["crop_padding"]) != (BATCH, PEAK, MOMENTUM, DECAY, PADDING):
        raise SystemExit("the recipe has other settings than this script")


if __name__ == "__main__":
    main()
