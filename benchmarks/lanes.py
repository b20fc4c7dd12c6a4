"""Time a training step of narrow networks by `convscope.lanes` beside PyTorch's and Keras's.

    python benchmarks/lanes.py --networks lenet5 tinyvgg --batches 32 128 --threads 2 --rounds 7

The contenders, with the same weights, images, loss and rule (SGD with momentum), in turn, in
rotating order, in one process:

    eager            PyTorch as one writes it: NCHW, `torch.optim.SGD`
    channels-last    the same in channels-last, with the fused SGD
    compiled         the same network by `torch.compile`, channels-last, fused SGD
    keras-jax        Keras 3 on JAX, one jitted step (where both are installed)
    lanes 8          `convscope.lanes.Engine`, from bytes, which it normalizes on the way
    lanes 16         the same with 16 images in a vector, where the processor has AVX-512
    lanes before     8 images in a vector, no maps: as it was when there was no choice of widths

All others are given the normalized images. What a network has that `convscope.lanes` does not cover
is told, and the others are timed. The losses of the first two steps (before and after an
update) must agree within 1e-4 before anything is timed. A round's figure is the median of its
steps; the fastest step of all is told too, which others' work on the machine disturbs least.

The peak is that of a loop of fused multiply-adds in registers, times the threads, written by the
same code generator, at the width where it is highest; the multiply-adds of a step are those of the
network as it is written. Lanes computes some of them by tiles, with fewer, and can pass 100 %.
"""

import argparse
import copy
import ctypes
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from keras_twin import HAS_KERAS, keras_step
from narrow_networks import NETWORKS, Shape, multiply_adds
from plain_step import MOMENTUM, RATE, Step, torch_step
from rounds import machine, rotated, spread
from torch import Tensor, nn

from convscope.lanes.engine import Engine
from convscope.lanes.frontend import read_network
from convscope.lanes.images import Images
from convscope.lanes.ir import Function, Target, declarations
from convscope.lanes.jit import compile_module, fast_targets, host_target
from convscope.lanes.layers import Unsupported
from convscope.lanes.program import Program


def lanes_step(
    net: nn.Module, pixels: Tensor, labels: Tensor, target: Target, *, turns: bool = True
) -> Step:
    count, height, width, channels = pixels.shape
    shape = (channels, height, width)
    engine = Engine(net, shape, program=Program(net, shape, target=target, turns=turns))
    first = pixels[0].numel() * np.arange(count, dtype=np.int64)
    images = Images(pixels, first, np.full(count, channels, np.int64))
    scales, classes = np.array([[1 / 128, -1]] * channels, np.float32), labels.numpy()

    def step() -> float:
        return engine.step(images, classes, scales=scales, lr=RATE, momentum=MOMENTUM)[0]

    return step


def contenders(name: str, batch: int, *, widths: list[Target], only: list[str]) -> dict[str, Step]:
    make, shape = NETWORKS[name]
    torch.manual_seed(0)
    net = make()
    pixels = torch.randint(0, 256, (batch, *shape[1:], shape[0]), dtype=torch.uint8)
    labels = torch.randint(0, 10, (batch,))
    images = (pixels.float() / 128 - 1).permute(0, 3, 1, 2).contiguous()
    last = images.contiguous(memory_format=torch.channels_last)

    def twin(**how: Any) -> nn.Module:
        return copy.deepcopy(net).to(**how)

    channels_last = {"memory_format": torch.channels_last}

    def compiled() -> Step:
        torch.compiler.reset()
        other = torch.compile(twin(**channels_last), dynamic=False)
        return torch_step(other, last, labels, fused=True)  # type: ignore[arg-type]

    made: dict[str, Callable[[], Step]] = {
        "eager": lambda: torch_step(twin(), images, labels),
        "channels-last": lambda: torch_step(twin(**channels_last), last, labels, fused=True),
        "compiled": compiled,
        "keras-jax": lambda: keras_step(net, images, labels, lr=RATE, momentum=MOMENTUM),
    }
    if not HAS_KERAS:
        del made["keras-jax"]
    for target in widths:
        usual = target in fast_targets()
        label = f"lanes {target.lanes}" + ("" if usual else f"/{target.registers}")
        made[label] = lambda target=target: lanes_step(twin(), pixels, labels, target)
    if widths:
        before = host_target()
        made["lanes before"] = lambda: lanes_step(twin(), pixels, labels, before, turns=False)
    return {k: step() for k, step in made.items() if not only or k.split()[0] in only}


def uncovered(net: nn.Module, shape: Shape) -> str:
    """Why the engine does not train a network; nothing where it does."""
    try:
        read_network(net, shape)
    except Unsupported as error:
        return str(error)
    return ""


def agree(steps: dict[str, Step]) -> None:
    """Raise where the losses of the first two steps are not the same."""
    for _ in range(2):
        losses = {name: step() for name, step in steps.items()}
        np.testing.assert_allclose(list(losses.values()), next(iter(losses.values())), rtol=1e-4)


def peak(threads: int, target: Target) -> float:
    """Multiply-adds per second: `threads` times the best of 200 bursts of one thread."""
    fn, turns, sums = Function("peak", target), 500_000, 12
    held = [fn.variable(first=fn.load(fn.at("%ws", k * target.lanes))) for k in range(sums)]
    factor = fn.load(fn.at("%ws", sums * target.lanes))
    with fn.loop(turns):
        for one in held:
            fn.put(one, fn.fma(factor, fn.get(one), factor))
    for k, one in enumerate(held):
        fn.store(fn.get(one), fn.at("%ws", k * target.lanes))
    compiled = compile_module(fn.text + declarations(target))
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3)(compiled.address("peak"))
    scratch = np.zeros(4096, np.float32)
    place, least = scratch.ctypes.data + -scratch.ctypes.data % 64, float("inf")
    for _ in range(200):
        began = time.perf_counter()
        call(place, None, None)
        least = min(least, time.perf_counter() - began)
    return threads * turns * sums * target.lanes / least


def timed(step: Step, seconds: float) -> list[float]:
    """Milliseconds of every step in so many seconds, at least five, after one for warmth."""
    step()
    found: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(found) < 5:
        began = time.perf_counter()
        step()
        found.append(1000 * (time.perf_counter() - began))
    return found


def measure(name: str, batch: int, given: argparse.Namespace, most: float) -> None:
    make, shape = NETWORKS[name]
    widths: list[Target] = [] if uncovered(make(), shape) else given.widths
    steps = contenders(name, batch, widths=widths, only=given.only)
    if not steps:
        return
    agree(steps)
    rounds: dict[str, list[float]] = {one: [] for one in steps}
    fastest = dict.fromkeys(steps, float("inf"))
    for turn in range(given.rounds):
        for one in rotated(list(steps), turn):
            found = timed(steps[one], given.seconds)
            rounds[one].append(statistics.median(found))
            fastest[one] = min(fastest[one], *found)
    work = multiply_adds(make(), shape) * batch
    print(f"\n{name}, {batch} images, {work / 1e6:.0f} million multiply-adds")
    theirs = [one for one in steps if one in ("eager", "channels-last", "compiled")]
    best = min(theirs, key=lambda one: statistics.median(rounds[one]), default="")
    for one, own in rounds.items():
        line = f"  {one:14}{spread(own):26} fastest {fastest[one]:6.2f}"
        line += f" = {100 * work / (fastest[one] / 1000) / most:4.1f} % of the peak"
        bases = ("eager", best, *(["lanes before"] if one.startswith("lanes") else []))
        for base in dict.fromkeys(bases):
            if base in rounds and base != one:
                ratios = [b / o for b, o in zip(rounds[base], own, strict=True)]
                least = fastest[base] / fastest[one]
                line += f"; {base} / it {spread(ratios)}, fastest {least:.2f}"
        print(line, flush=True)


def main(given: argparse.Namespace) -> None:
    torch.set_num_threads(given.threads)
    if given.threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    others = [other.split("/") for other in given.widths]
    given.widths = [*fast_targets(), *(Target(int(lanes), int(held)) for lanes, held in others)]
    peaks = {target.lanes: peak(given.threads, target) for target in fast_targets()}
    most = max(peaks.values())
    print(machine())
    print(f"{given.rounds} rounds, {given.threads} threads; ms a step: median [min-max] of rounds")
    told = ", ".join(f"{one / 1e9:.1f} with {lanes} lanes" for lanes, one in peaks.items())
    print(f"peak, in thousand million multiply-adds a second: {told}")
    if not HAS_KERAS:
        print("keras-jax is left out: Keras and JAX are not installed.")
    for name in given.networks:
        make, shape = NETWORKS[name]
        if reason := uncovered(make(), shape):
            print(f"\n{name} by lanes: not covered, because {reason}; ", end="")
            print("`--engine auto` trains it by PyTorch.")
        for batch in given.batches:
            measure(name, batch, given, most)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=["lenet5", "tinyvgg"])
    parser.add_argument("--batches", nargs="+", type=int, default=[32, 128])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.2, help="of one contender in a round")
    parser.add_argument("--only", nargs="+", default=[], help="these contenders alone")
    parser.add_argument("--widths", nargs="+", default=[], help="more of ours: 16/32 8/16")
    main(parser.parse_args())
