"""ResNet-18 on a folder of photographs, and LeNet-5 on MNIST's test images, in plain PyTorch.

What whole_processes.py times `convscope` against: an eager script that a good user writes today.

    python benchmarks/plain_photographs.py evaluate FOLDER --batch 8
    python benchmarks/plain_photographs.py train FOLDER --batch 16 --steps 6
    python benchmarks/plain_photographs.py digits MNIST --batch 256
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from plain_mnist import lenet5, read_part
from torch import Tensor, nn
from torch.nn import functional as F

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


class Block(nn.Module):
    """Two 3x3 convolutions and a skip (He et al., 2015)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.skip = nn.Identity()
        if stride > 1:
            conv = nn.Conv2d(before, after, 1, stride, bias=False)
            self.skip = nn.Sequential(conv, nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        out += self.skip(x)
        return F.relu(out, inplace=True)


def resnet18(classes: int) -> nn.Sequential:
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
    rows = ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2))
    blocks = [
        block for before, after, stride in rows
        for block in (Block(before, after, stride), Block(after, after, 1))
    ]  # fmt: skip
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes)]
    return nn.Sequential(*stem, nn.MaxPool2d(3, 2, 1), *blocks, *head)


def labeled(folder: Path) -> tuple[list[tuple[Path, int]], int]:
    """Every file with the number of its class, and how many classes there are."""
    folders = sorted(folder.iterdir())
    files = [(path, label) for label, one in enumerate(folders) for path in one.iterdir()]
    return files, len(folders)


def read(paths: list[Path]) -> Tensor:
    """Photographs, normalized, channels-last."""
    images = [np.array(Image.open(path).convert("RGB").resize((224, 224))) for path in paths]
    pixels = torch.from_numpy(np.stack(images)).float().div_(255).sub_(MEAN).div_(STD)
    return pixels.permute(0, 3, 1, 2)


@torch.inference_mode()
def evaluate(folder: Path, batch: int) -> float:
    files, classes = labeled(folder)
    net, hits = resnet18(classes).to(memory_format=torch.channels_last).eval(), 0
    for start in range(0, len(files), batch):
        paths, labels = zip(*files[start : start + batch], strict=True)
        hits += int((net(read(list(paths))).argmax(1) == torch.tensor(labels)).sum())
    return hits / len(files)


def train(folder: Path, batch: int, steps: int) -> float:
    files, classes = labeled(folder)
    net = resnet18(classes).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), 0.001, momentum=0.9, weight_decay=5e-4)
    order, loss = torch.randperm(len(files)).tolist(), torch.zeros(())
    for step in range(steps):
        chosen = [files[order[(step * batch + k) % len(files)]] for k in range(batch)]
        paths, labels = zip(*chosen, strict=True)
        loss = F.cross_entropy(net(read(list(paths))), torch.tensor(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


@torch.inference_mode()
def digits(folder: Path, batch: int) -> float:
    images, labels = read_part(folder, "t10k")
    pixels = F.pad(images, (2,) * 4).unsqueeze(1).float().div_(255).sub_(0.1307).div_(0.3081)
    net = lenet5().eval()
    answers = torch.cat([net(part).argmax(1) for part in pixels.split(batch)])
    return (answers == labels).double().mean().item()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("job", choices=("evaluate", "train", "digits"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--steps", type=int, default=6)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.job == "train":
        print(train(args.folder, args.batch, args.steps))
    else:
        print({"evaluate": evaluate, "digits": digits}[args.job](args.folder, args.batch))
