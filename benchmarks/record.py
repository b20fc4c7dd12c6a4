"""Time and memory of `record`, beside a plain forward pass and other ways to record one.

    python benchmarks/record.py --rounds 10
    python benchmarks/record.py --rounds 5 --models resnet18 vgg11 densenet121

Networks of torchvision, ResNet-50 by default, with random weights on one image, in eval mode,
without gradients. The contenders take turns, in rotating order:

    plain        the network alone, nothing is kept
    hooks        a forward hook on every module that keeps a reference to its output; values that
                 are overwritten in place are lost, and functional calls are missed
    record       every operation with its operands and result, including overwritten values
    torchlens    `torchlens.trace`, which copies every result; skipped if it is not installed.
                 Its wrappers around torch's functions are removed outside its turn.

Every contender has its own copy of the network; outputs must be equal before anything is timed. A
round runs each contender `--steps` times and takes the mean; what was kept is freed between runs,
off the clock. Ratios are taken within a round. Memory is measured separately, each contender once
in a process of its own: the storages that it keeps (each counted once, without the network's own)
and the growth of the process's peak memory, as reported by Linux, after a first run on a small
image. Both are compared with what must be held to have every result: the image, and the first
result of every operator that does not share memory with what it was computed from.
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
import torchvision_operators  # noqa: F401 -- before torchvision is imported
from rounds import machine, rotated, spread
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from convscope.explanation.recording import record

Run = Callable[[nn.Module, Tensor], Any]
CLAIM, MEMORY_CLAIM = 1.5, 1.1
SMALL = 96  # side of an image that every network takes
MEBIBYTE = 2**20


@contextmanager
def unchanged() -> Iterator[None]:
    yield


@contextmanager
def wrapped() -> Iterator[None]:
    """Install TorchLens's wrappers, which would slow down the others."""
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
        module.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
        for module in net.modules()
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
    """How to run it, in which context, and the tensors that it keeps, the output last."""

    run: Run
    tensors: Callable[[Any], list[Tensor]]
    around: Callable[[], Any] = unchanged


def of_recording(recording: Any) -> list[Tensor]:
    names = ("image", *recording.names, recording.output)
    return [recording[name].tensor for name in names]


def of_trace(trace: Any) -> list[Tensor]:
    return [step.out for layer in trace.layers for step in layer.ops]


CONTENDERS = {
    "plain": Contender(plain, lambda output: [output]),
    "hooks": Contender(hooked, lambda kept: kept),
    "record": Contender(record, of_recording),
    "torchlens": Contender(traced, of_trace, wrapped),
}


def network(model: str) -> tuple[nn.Module, Tensor]:
    from torchvision import models  # noqa: PLC0415 -- its operators have to be declared first

    torch.manual_seed(0)
    options = {"init_weights": False} if model in ("googlenet", "inception_v3") else {}
    net = models.get_model(model, weights=None, **options).eval()
    side = 299 if model == "inception_v3" else 224
    return net, torch.randn(1, 3, side, side)


class Results(TorchDispatchMode):
    """Counts the bytes of the results of all operators, without those that are views."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        first = result if isinstance(result, Tensor) else result[0]
        if not func.is_view:
            self.bytes += first.nbytes
        return result


def bytes_to_hold(net: nn.Module, image: Tensor) -> int:
    results = Results()
    with results:
        plain(net, image)
    return image.nbytes + results.bytes


def kept_bytes(tensors: Iterable[Tensor], net: nn.Module) -> int:
    """Bytes of distinct storages, without those of the network."""
    network = {tensor.untyped_storage().data_ptr() for tensor in net.state_dict().values()}
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    return sum(size for pointer, size in storages.items() if pointer not in network)


def peak() -> float:
    """The peak memory of this process since `reset_peak`, in bytes; NaN where it is unknown.

    From /proc: `getrusage` also counts the parent process.
    """
    if sys.platform != "linux":
        return math.nan
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def reset_peak() -> None:
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def measure_memory(name: str, model: str) -> None:
    """Print the bytes that one run of a contender keeps and must keep; how the peak grows."""
    contender = CONTENDERS[name]
    net, image = network(model)
    with contender.around():
        contender.run(net, image[..., :SMALL, :SMALL])  # torch prepares its kernels
        reset_peak()
        before = peak()
        output = contender.run(net, image)
        growth = peak() - before
    kept = kept_bytes(contender.tensors(output), net)
    print(json.dumps({"kept": kept, "growth": growth, "must": bytes_to_hold(net, image)}))


def memory_of(name: str, model: str, threads: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--memory-of", name, "--models", model]
    command += ["--threads", str(threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def timed(contender: Contender, net: nn.Module, image: Tensor, steps: int) -> float:
    """Milliseconds per run."""
    seconds = 0.0
    with contender.around():
        for _ in range(steps):
            began = time.perf_counter()
            output = contender.run(net, image)
            seconds += time.perf_counter() - began
            del output
    return 1000 * seconds / steps


def times_of(model: str, names: list[str], rounds: int, steps: int) -> dict[str, list[float]]:
    """Milliseconds per run of each contender in each round."""
    net, image = network(model)
    nets = {name: copy.deepcopy(net) for name in names}
    expected = plain(net, image)
    for name in names:
        contender = CONTENDERS[name]
        with contender.around():
            output = contender.tensors(contender.run(nets[name], image))[-1]
        torch.testing.assert_close(output, expected, rtol=0, atol=0)
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in rotated(names, turn):
            times[name].append(timed(CONTENDERS[name], nets[name], image, steps))
    return times


def print_table(model: str, times: dict[str, list[float]], threads: int) -> None:
    head = f"{'ms':26}{'times plain':20}{'times record':20}"
    print(f"\n{model:11}{head}{'kept MiB':>10}{'of needed':>11}{'peak +MiB':>11}{'of needed':>11}")
    for name, milliseconds in times.items():
        ratios = [
            spread([ms / base for ms, base in zip(milliseconds, times[peer], strict=True)])
            for peer in ("plain", "record")
        ]
        size = memory_of(name, model, threads)
        columns = f"{spread(milliseconds, '.1f'):26}{ratios[0]:20}{ratios[1]:20}"
        for measured, width in (("kept", 10), ("growth", 11)):
            columns += (
                f"{size[measured] / MEBIBYTE:{width}.1f}{size[measured] / size['must']:11.2f}"
            )
        print(f"{name:11}{columns}", flush=True)


def main(models: list[str], rounds: int, steps: int, threads: int) -> None:
    has_torchlens = importlib.util.find_spec("torchlens") is not None
    names = [name for name in CONTENDERS if name != "torchlens" or has_torchlens]
    peer = (
        f"torchlens {version('torchlens')}"
        if has_torchlens
        else "torchlens is not installed: skipped"
    )
    print(f"{machine()}; torchvision {version('torchvision')}; {peer}")
    print(f"{rounds} rounds of {steps} runs, {threads} threads; ms a run: median [min-max]")
    for model in models:
        print_table(model, times_of(model, names, rounds, steps), threads)
    print(
        f"\nClaim: record takes at most {CLAIM} times as long as plain, and {MEMORY_CLAIM} times "
        "the memory of all results."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--models", nargs="+", default=["resnet50"], help="names of torchvision's")
    parser.add_argument("--memory-of", choices=CONTENDERS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.memory_of:
        measure_memory(args.memory_of, args.models[0])
    else:
        main(args.models, args.rounds, args.steps, args.threads)
