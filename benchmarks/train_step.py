"""Time the steps of `convscope.train` against those of plain PyTorch scripts, in short turns.

    python benchmarks/train_step.py --networks resnet18 --against tuned compiled
    python benchmarks/train_step.py --networks resnet18 --precision bf16

`ours` is a whole step of a training with its default settings, or in bf16: images gathered,
normalized, the step by whichever engine `train` chooses. The scripts' batch is in memory,
normalized, in float32: `eager` as tutorials write it, `tuned` channels-last and with the fused
optimizer, `compiled` the same through torch.compile. All start from the same weights. In each round
everybody takes a few steps, of which the fastest counts, and another one begins, so that what else
the machine does counts little; ratios are taken within a round, and their mean stands with two
standard errors. The times are of the processor.
What `train` sets for its process (freed memory is kept) is set for the scripts, too.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import torch
from plain_step import torch_step
from rounds import machine, rotated, spread
from torch import nn
from torchvision_operators import TORCHVISION

import convscope
from convscope.training.events import Message, StepEnd
from convscope.training.state import TrainState

NETWORKS: dict[str, tuple[int, int, Literal["torch", "lanes"]]] = {
    "resnet18": (224, 16, "torch"),
    "resnet20_cifar": (32, 128, "lanes"),
    "alexnet": (227, 32, "torch"),
    "torchvision:mobilenet_v3_small": (224, 32, "torch"),
}
"""By name: the side of an image, images per step, and the engine that `train` chooses.

It is named, for the training is too short for `auto` to compile one.
"""
SCRIPTS: dict[str, dict[str, bool]] = {
    "eager": dict(tuned=False),
    "tuned": dict(tuned=True),
    "compiled": dict(tuned=True, compiled=True),
}
CLASSES = 10
PREPARED = 2  # steps that are not counted
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
    """Lets the scripts take a few steps after a few of ours, and keeps everybody's milliseconds.

    `times` has the fastest step of each round.
    """

    def __init__(self, scripts: dict[str, Callable[[], object]], burst: int) -> None:
        self.scripts, self.burst = scripts, burst
        self.times: dict[str, list[float]] = {name: [] for name in ("ours", *scripts)}
        self.notes: list[str] = []
        self.mine: list[float] = []
        self.began = 0.0

    def on_message(self, event: Message) -> None:
        self.notes.append(event.text)

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        if event.step > PREPARED and state.batch > 1:  # not an epoch's start
            self.mine.append(1000 * (time.process_time() - self.began))
        else:
            for step in self.scripts.values():
                step()
        if len(self.mine) == self.burst:
            self.times["ours"].append(min(self.mine))
            self.mine.clear()
            for name in rotated([*self.scripts], len(self.times["ours"])):
                self.times[name].append(min(map(timed, [self.scripts[name]] * self.burst)))
        self.began = time.process_time()


def timed(step: Callable[[], object]) -> float:
    """Milliseconds of processor time."""
    began = time.process_time()
    step()
    return 1000 * (time.process_time() - began)


def compare(name: str, args: argparse.Namespace, folder: Path) -> None:
    side, size, engine = NETWORKS[name]
    scripts = {one: script(name, side, size, **SCRIPTS[one]) for one in args.against}
    steps = PREPARED + args.burst * args.rounds
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (size * steps, side, side, 3), dtype=np.uint8)
    labels = np.arange(len(images)) % CLASSES
    few = images[:CLASSES], labels[:CLASSES]
    turns = TakeTurns(scripts, args.burst)
    convscope.train(
        {"train": (images, labels), "val": few, "test": few},
        model=name,
        out=folder / name.replace(":", "-"),
        steps=steps,
        batch_size=size,
        input_size=side,
        in_channels=3,
        lr=0.001,
        augment="none",
        duplicates="allow",
        checkpoint_seconds=1e6,
        threads=args.threads,
        device="cpu",
        engine=engine if args.precision == "float32" else "torch",
        precision=args.precision,
        compile=args.compile_ours,
        callbacks=[turns],
        progress=False,
    )
    told = " ".join(note for note in turns.notes if "Using" in note)
    print(f"{name}, {side}x{side}, {size} images, {args.precision}; {told}")
    for contender, values in turns.times.items():
        ratios = [one / ours for one, ours in zip(values, turns.times["ours"], strict=True)]
        error = 2 * statistics.stdev(ratios) / len(ratios) ** 0.5
        told = f"/ ours {spread(ratios)}, mean {statistics.mean(ratios):.3f} ± {error:.3f}"
        print(f"  {contender:9} {spread(values, '.1f'):26} {told}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--burst", type=int, default=2, help="steps of each in a round")
    parser.add_argument("--networks", nargs="+", choices=[*NETWORKS], default=[*NETWORKS])
    parser.add_argument("--against", nargs="+", choices=[*SCRIPTS], default=["eager", "tuned"])
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--compile-ours", action="store_true", help="train with `compile=True`")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    print(
        f"{machine()}\n{chosen.rounds} rounds of {chosen.burst} steps, {chosen.threads} threads; "
        "CPU ms of the fastest, median [min-max]"
    )
    with TemporaryDirectory() as folder:
        for chosen_name in chosen.networks:
            compare(chosen_name, chosen, Path(folder))
