"""Time the steps of `convscope.train` against those of plain PyTorch scripts, turn by turn.

    python benchmarks/train_step.py --networks resnet18 --compile

`ours` is a whole step of a training with its default settings: images gathered, normalized, the
step by whichever engine `train` chooses. The scripts' batch is in memory, normalized: `eager` as
tutorials write it, `tuned` channels-last and with the fused optimizer, `compiled`
the same through torch.compile. Each script takes a step between two of ours, from the same weights.
The times are of the processor, so that other work on the machine counts little. What `train` sets
for its process (freed memory is kept) is set for the scripts, too.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from plain_step import torch_step
from rounds import machine, rotated, spread
from torch import nn
from torchvision_operators import TORCHVISION

import convscope
from convscope.training.events import Message, StepEnd
from convscope.training.state import TrainState

NETWORKS = {
    "resnet18": (224, 16),
    "resnet20_cifar": (32, 128),
    "alexnet": (227, 32),
    "torchvision:mobilenet_v3_small": (224, 32),
}
"""By name: the side of an image, and images per step."""
CLASSES = 10
OPERATORS = TORCHVISION  # which some builds of torchvision lack, and its import needs


def network(name: str, side: int, *, channels_last: bool = False) -> nn.Module:
    torch.manual_seed(0)
    net = convscope.create_model(name, num_classes=CLASSES, input_size=side).train()
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net.to(memory_format=layout)  # pyright: ignore[reportCallIssue]
    return net


def script(
    name: str, side: int, size: int, *, tuned: bool, compiled: bool = False
) -> Callable[[], object]:
    net = network(name, side, channels_last=tuned)
    layout = torch.channels_last if tuned else torch.contiguous_format
    images = torch.randn(size, 3, side, side).to(memory_format=layout)
    labels = torch.randint(CLASSES, (size,))
    how = {"fused": True} if tuned else {}
    forward = torch.compile(net) if compiled else net
    return torch_step(forward, images, labels, weight_decay=5e-4, **how)  # pyright: ignore[reportArgumentType]


class TakeTurns(convscope.Callback):
    """Lets the scripts take a step after each of ours, and keeps everybody's milliseconds."""

    def __init__(self, scripts: dict[str, Callable[[], object]], prepare: int) -> None:
        self.scripts, self.prepare = scripts, prepare
        self.times: dict[str, list[float]] = {name: [] for name in ("ours", *scripts)}
        self.notes: list[str] = []
        self.began = 0.0

    def on_message(self, event: Message) -> None:
        self.notes.append(event.text)

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        spent = 1000 * (time.process_time() - self.began)
        counts = event.step > self.prepare and state.batch > 1  # an epoch's first has its start
        if counts:
            self.times["ours"].append(spent)
        for name in rotated([*self.scripts], event.step) if counts or event.step == 1 else ():
            began = time.process_time()
            self.scripts[name]()
            if counts:
                self.times[name].append(1000 * (time.process_time() - began))
        self.began = time.process_time()


def compare(name: str, args: argparse.Namespace, folder: Path) -> None:
    side, size = NETWORKS[name]
    scripts = {
        "eager": script(name, side, size, tuned=False),
        "tuned": script(name, side, size, tuned=True),
    }
    if args.compile:
        scripts["compiled"] = script(name, side, size, tuned=True, compiled=True)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (size * (args.rounds + 3), side, side, 3), dtype=np.uint8)
    labels = np.arange(len(images)) % CLASSES
    few = images[:CLASSES], labels[:CLASSES]
    turns = TakeTurns(scripts, prepare=2)
    convscope.train(
        {"train": (images, labels), "val": few, "test": few},
        model=name,
        out=folder / name.replace(":", "-"),
        steps=args.rounds + 3,
        batch_size=size,
        input_size=side,
        in_channels=3,
        lr=0.001,
        augment="none",
        duplicates="allow",
        checkpoint_seconds=1e6,
        threads=args.threads,
        device="cpu",
        compile=args.compile_ours,
        callbacks=[turns],
        progress=False,
    )
    print(
        f"{name}, {side}x{side}, {size} images; " + " ".join(n for n in turns.notes if "Using" in n)
    )
    for contender, values in turns.times.items():
        ratios = [one / ours for one, ours in zip(values, turns.times["ours"], strict=True)]
        print(f"  {contender:9} {spread(values, '.1f'):26} / ours {spread(ratios)}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--networks", nargs="+", choices=[*NETWORKS], default=[*NETWORKS])
    parser.add_argument(
        "--compile", action="store_true", help="time torch.compile as a script, too"
    )
    parser.add_argument("--compile-ours", action="store_true", help="train with `compile=True`")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    print(
        f"{machine()}\n{chosen.rounds} rounds, {chosen.threads} threads; CPU ms, median [min-max]"
    )
    with TemporaryDirectory() as folder:
        for chosen_name in chosen.networks:
            compare(chosen_name, chosen, Path(folder))
