"""Train LeNet-5 on MNIST in plain PyTorch: the peer that `convscope train mnist` is timed against.

What a good user writes today, after pytorch/examples/mnist, without convscope. Network, optimizer,
schedule and split sizes are those of `convscope train`: LeNet-5 with tanh and average pooling on
32x32 (61,706 parameters), SGD with momentum 0.9, weight decay 5e-4 and a rate that rises linearly
for `--warmup-epochs`, then falls along a half cosine. It validates every epoch and tests once.

--data loader  a Dataset makes a PIL image of each picture, pads it, turns it into a tensor and
               normalizes it, as torchvision's do (which is not imported: that saves start-up);
               a DataLoader reads it with workers that stay alive from epoch to epoch.
--data memory  all pictures are normalized once, into one float32 tensor; a batch is an indexing.

The last line is JSON: the accuracy of the test, 0..1, and the number of CPU threads.
"""

import argparse
import gzip
import json
import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

MEAN, STD = 0.1307, 0.3081  # of MNIST's training pictures, as every tutorial has them
PAD = 2  # 28x28 becomes 32x32
EVALUATION_BATCH = 1000
# steps: instead of epochs; threads: 0 for PyTorch's own choice
OPTIONS = {
    "val": 0.1, "epochs": 10, "steps": 0, "batch-size": 64, "lr": 0.05, "warmup-epochs": 1.0,
    "workers": 2, "threads": 0, "seed": 0,
}  # fmt: skip

Part = tuple[Tensor, Tensor]  # images, labels
Batches = Callable[[], Iterator[Part]]  # one pass over a part


def lenet5() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(16, 120, 5), nn.Tanh(), nn.Flatten(),
        nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def read_idx(path: Path) -> Tensor:
    content = bytearray(gzip.decompress(path.read_bytes()))
    shape = np.frombuffer(content, ">u4", content[3], 4).tolist()
    return torch.frombuffer(content, dtype=torch.uint8, offset=4 + 4 * len(shape)).view(shape)


def read_part(folder: Path, part: str) -> Part:
    images = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    return images, read_idx(folder / f"{part}-labels-idx1-ubyte.gz").long()


class ImageSource(Dataset[tuple[Tensor, int]]):
    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels.tolist()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = ImageOps.expand(Image.fromarray(self.images[index].numpy()), PAD)
        pixels = torch.from_numpy(np.array(image)).unsqueeze(0).float().div_(255)
        return pixels.sub_(MEAN).div_(STD), self.labels[index]


def from_loader(part: Part, size: int, *, shuffle: bool, workers: int) -> Batches:
    stay = {"num_workers": workers, "persistent_workers": workers > 0}
    return DataLoader(ImageSource(*part), size, shuffle, **stay).__iter__


def from_memory(part: Part, size: int, *, shuffle: bool) -> Batches:
    images, labels = part
    pixels = F.pad(images, (PAD,) * 4).unsqueeze(1).float().div_(255).sub_(MEAN).div_(STD)

    def one_pass() -> Iterator[Part]:
        if not shuffle:
            return zip(pixels.split(size), labels.split(size), strict=True)
        order = torch.randperm(len(labels))
        return ((pixels[chosen], labels[chosen]) for chosen in order.split(size))

    return one_pass


@torch.inference_mode()
def evaluate(net: nn.Module, batches: Batches) -> tuple[float, float]:
    """Mean loss and accuracy."""
    net.eval()
    answers = [(net(images), labels) for images, labels in batches()]
    logits, labels = (torch.cat(part) for part in zip(*answers, strict=True))
    hits = logits.argmax(1) == labels
    return F.cross_entropy(logits, labels).item(), hits.double().mean().item()


def main(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.threads or torch.get_num_threads())
    torch.manual_seed(args.seed)
    images, labels = read_part(args.data_dir, "train")
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    val, train = order.tensor_split([round(args.val * len(order))])
    make = from_memory if args.data == "memory" else partial(from_loader, workers=args.workers)
    trained_on = make((images[train], labels[train]), args.batch_size, shuffle=True)
    validated_on = make((images[val], labels[val]), EVALUATION_BATCH, shuffle=False)
    tested_on = make(read_part(args.data_dir, "t10k"), EVALUATION_BATCH, shuffle=False)
    net = lenet5()
    epoch = math.ceil(len(train) / args.batch_size)
    total = args.steps or args.epochs * epoch
    warmup = min(args.warmup_epochs * epoch, total - 1)

    def share_of_peak(step: int) -> float:
        if step < warmup:
            return step / warmup
        return (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2

    optimizer = torch.optim.SGD(net.parameters(), args.lr, momentum=0.9, weight_decay=5e-4)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, share_of_peak)
    for begin in range(0, total, epoch):
        net.train()
        losses: list[float] = []
        for batch, targets in islice(trained_on(), total - begin):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(batch), targets)
            loss.backward()
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
        mean, (val_loss, top1) = math.fsum(losses) / len(losses), evaluate(net, validated_on)
        print(f"loss {mean:.4f}, validation loss {val_loss:.4f}, {top1:.2%}")
    print(json.dumps({"top1": evaluate(net, tested_on)[1], "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="LeNet-5 on MNIST in plain PyTorch.")
    parser.add_argument("--data", choices=("loader", "memory"), default="loader")
    parser.add_argument("--data-dir", type=Path, required=True)
    for name, default in OPTIONS.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    main(parser.parse_args())
