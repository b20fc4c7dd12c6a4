"""Measure how much of a training is not arithmetic: the share of wall time outside the network.

    python benchmarks/loop_overhead.py --rounds 5

LeNet-5 on MNIST, `convscope.train` itself, in this process. Timers around the calls of the network,
the loss, `backward` and the optimizer's `step` are the arithmetic; everything else between a
callback's `on_fit_start` and its last `on_step_end` is the loop's: order, gathering and normalizing
a batch, labels, learning rate, counting, looking for NaN, calling callbacks, saving. With
`--engine lanes` the arithmetic is the compiled code, with feeding and normalizing. The first step's
arithmetic is left out of the whole, where PyTorch prepares its kernels, but not the loop's part.
Epochs end in an evaluation, so choose fewer `--steps` than an epoch has (421 of 128 pictures).
"""

import argparse
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import torch
from rounds import machine, rotated, spread
from torch import Tensor
from torch.nn import functional as F

import convscope
from convscope.lanes.threads import ThreadPool
from convscope.training.callbacks.base import Callback
from convscope.training.events import FitStart, StepEnd
from convscope.training.executors.eager import EagerExecutor
from convscope.training.state import TrainState

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("CONVSCOPE_DATA", ROOT.parent / "shared" / "data" / "mnist"))
BATCHES = (64, 128)


class Clock(Callback):
    """Seconds in the network from `on_fit_start` to the last `on_step_end`, and seconds in all."""

    def __init__(self) -> None:
        self.network = self.first = self.until_now = self.began = self.ended = 0.0

    def on_fit_start(self, state: TrainState, event: FitStart) -> None:
        del state, event
        self.network, self.began = 0.0, time.perf_counter()

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        del state
        if event.step == 1:
            self.first = self.network
        self.ended, self.until_now = time.perf_counter(), self.network

    def timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """`call`, with its seconds counted as the network's."""

        def counted(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                self.network += time.perf_counter() - began

        return counted

    @property
    def share(self) -> float:
        """The loop's share of the wall time."""
        whole = self.ended - self.began
        return (whole - self.until_now) / (whole - self.first)


@contextmanager
def timers(clock: Clock) -> Generator[None]:
    """Time the four calls that are the network's, wherever a training makes them."""
    initialize = EagerExecutor.__init__

    def initialized(executor: EagerExecutor, *args: Any, **kwargs: Any) -> None:
        initialize(executor, *args, **kwargs)
        executor.forward = clock.timed(executor.forward)
        executor.optimizer.step = clock.timed(executor.optimizer.step)

    with (
        mock.patch.object(EagerExecutor, "__init__", initialized),
        mock.patch.object(F, "cross_entropy", clock.timed(F.cross_entropy)),
        mock.patch.object(Tensor, "backward", clock.timed(Tensor.backward)),
        mock.patch.object(ThreadPool, "run", clock.timed(ThreadPool.run)),
    ):
        yield


def measure(batch_size: int, args: argparse.Namespace) -> tuple[float, float]:
    """Share of the wall time outside the network, and milliseconds per step in all."""
    clock = Clock()
    with TemporaryDirectory() as folder, timers(clock):
        convscope.train(
            "mnist",
            data_dir=args.data.resolve(),
            out=Path(folder, "run"),
            callbacks=[clock],
            augment=args.augment,
            batch_size=batch_size,
            steps=args.steps,
            device="cpu",
            engine=args.engine,
            **({"threads": args.threads} if args.threads else {}),
        )
    return clock.share, 1000 * (clock.ended - clock.began - clock.first) / args.steps


def main(args: argparse.Namespace) -> None:
    shares: dict[int, list[float]] = {size: [] for size in BATCHES}
    steps: dict[int, list[float]] = {size: [] for size in BATCHES}
    for turn in range(args.rounds):
        for size in rotated(BATCHES, turn):
            share, milliseconds = measure(size, args)
            shares[size].append(100 * share)
            steps[size].append(milliseconds)
    print(machine())
    threads = args.threads or torch.get_num_threads()
    told = f"{args.rounds} rounds of {args.steps} steps, {threads} threads"
    print(f"{told}, {args.augment}, {args.engine}\n")
    print("batch   % of wall time outside the network   ms per step (median [min-max])")
    for size in BATCHES:
        print(f"{size:5}   {spread(shares[size], '.1f'):34}   {spread(steps[size])}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="or $CONVSCOPE_DATA")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--threads", type=int, help="default one per core, as PyTorch has it")
    parser.add_argument("--engine", choices=("torch", "lanes"), default="torch")
    parser.add_argument("--augment", choices=("none", "crop", "crop-flip"), default="none")
    main(parser.parse_args())
