"""Time `record` and weigh what it holds, beside a plain forward pass and other ways to look inside.

    python benchmarks/record.py --rounds 10

torchvision's ResNet-50 with random weights, evaluating one image, without gradients. The
contenders, in turn, in rotating order:

    plain        the network alone, nothing kept
    hooks        a forward hook on every module that keeps a reference to its answer; what is
                 written over in place is lost, and what no module does is not seen
    record       every operation, its operands and result, also before they are written over
    torchlens    `torchlens.trace`, which keeps a copy of every result; left out where it is not
                 installed. Its wrappers around torch's functions are taken off outside its turn.

Every contender has a copy of the network; answers must be equal before anything is timed. A round
runs each contender `--steps` times and takes the mean; what was kept is freed between, off the
clock. Memory is measured apart, each contender in a process of its own that runs it once: what it
holds in the end (storages, each counted once, without the network's own) and by how much the
process's peak grew, as Linux tells it.
"""

import argparse
import copy
import importlib.util
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import torchvision
from rounds import machine, rotated, spread
from torch import Tensor, nn

from convscope.explanation.recording import record

Run = Callable[[nn.Module, Tensor], Any]
CLAIM = 1.5
MEGABYTE = 2**20


@contextmanager
def as_it_is() -> Iterator[None]:
    yield


@contextmanager
def wrapped() -> Iterator[None]:
    """TorchLens's wrappers, which would slow the others."""
    from torchlens.backends.torch import wrappers  # noqa: PLC0415 -- may be absent

    wrappers.wrap_torch()
    try:
        yield
    finally:
        wrappers.unwrap_torch()


def plain(net: nn.Module, image: Tensor) -> Tensor:
    with torch.no_grad():
        return net(image)


def hooked(net: nn.Module, image: Tensor) -> list[Tensor]:
    kept: list[Tensor] = []
    hooks = [
        part.register_forward_hook(lambda _part, _given, answer: kept.append(answer))
        for part in net.modules()
    ]
    try:
        with torch.no_grad():
            net(image)
    finally:
        for hook in hooks:
            hook.remove()
    return kept


def traced(net: nn.Module, image: Tensor) -> Any:
    import torchlens  # noqa: PLC0415 -- may be absent

    with torch.no_grad():
        return torchlens.trace(net, image)


@dataclass(frozen=True)
class Contender:
    """How it runs, in which surroundings, and the tensors of what it gives, the answer last."""

    run: Run
    tensors: Callable[[Any], list[Tensor]]
    around: Callable[[], Any] = as_it_is


def of_recording(recording: Any) -> list[Tensor]:
    names = ("image", *recording.names, recording.output)
    return [recording[name].tensor for name in names]


def of_trace(trace: Any) -> list[Tensor]:
    return [step.out for layer in trace.layers for step in layer.ops]


CONTENDERS = {
    "plain": Contender(plain, lambda answer: [answer]),
    "hooks": Contender(hooked, lambda kept: kept),
    "record": Contender(record, of_recording),
    "torchlens": Contender(traced, of_trace, wrapped),
}


def network() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return torchvision.models.resnet50(weights=None).eval(), torch.randn(1, 3, 224, 224)


def held(tensors: Iterable[Tensor], net: nn.Module) -> int:
    """Bytes of distinct storages that are not the network's."""
    own = {tensor.untyped_storage().data_ptr() for tensor in net.state_dict().values()}
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    return sum(size for place, size in storages.items() if place not in own)


def peak() -> float:
    """The most memory that this process had since `forget_peak`, in bytes; NaN where not known.

    From the kernel's own page: `getrusage` also counts the process that started this one.
    """
    if sys.platform != "linux":
        return math.nan
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def forget_peak() -> None:
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def weigh(name: str) -> None:
    """Print what one run of a contender holds and by how much it raises the process's peak."""
    contender = CONTENDERS[name]
    net, image = network()
    with contender.around():
        forget_peak()
        before = peak()
        given = contender.run(net, image)
        grew = peak() - before
    print(json.dumps({"holds": held(contender.tensors(given), net), "grew": grew}))


def weighed(name: str, threads: int) -> dict[str, float]:
    words = [sys.executable, __file__, "--weigh", name, "--threads", str(threads)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def timed(contender: Contender, net: nn.Module, image: Tensor, steps: int) -> float:
    """Milliseconds of a run."""
    seconds = 0.0
    with contender.around():
        for _ in range(steps):
            began = time.perf_counter()
            given = contender.run(net, image)
            seconds += time.perf_counter() - began
            del given
    return 1000 * seconds / steps


def main(rounds: int, steps: int, threads: int) -> None:
    there = importlib.util.find_spec("torchlens") is not None
    names = [name for name in CONTENDERS if name != "torchlens" or there]
    net, image = network()
    nets = {name: copy.deepcopy(net) for name in names}
    for name in names:
        contender = CONTENDERS[name]
        with contender.around():
            answer = contender.tensors(contender.run(nets[name], image))[-1]
        torch.testing.assert_close(answer, plain(net, image), rtol=0, atol=0)
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in rotated(names, turn):
            times[name].append(timed(CONTENDERS[name], nets[name], image, steps))
    peer = f"torchlens {version('torchlens')}" if there else "torchlens is not installed: left out"
    print(f"{machine()}; torchvision {version('torchvision')}; {peer}")
    print(f"{rounds} rounds of {steps} runs, {threads} threads; ms a run: median [min-max]\n")
    print(f"{'':11}{'ms':26}{'times plain':20}{'holds MiB':>10}{'peak grows MiB':>16}")
    for name, own in times.items():
        ratio = [mine / base for mine, base in zip(own, times["plain"], strict=True)]
        size = weighed(name, threads)
        holds, grew = size["holds"] / MEGABYTE, size["grew"] / MEGABYTE
        print(f"{name:11}{spread(own, '.1f'):26}{spread(ratio):20}{holds:10.1f}{grew:16.1f}")
    print(f"\nThe claim is that record takes at most {CLAIM} times as long as plain.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--weigh", choices=CONTENDERS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.weigh:
        weigh(given.weigh)
    else:
        main(given.rounds, given.steps, given.threads)
