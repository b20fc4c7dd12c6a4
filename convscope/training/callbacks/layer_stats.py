"""What goes on inside a network at one step: its activations and gradients, layer by layer."""

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from convscope.inference import inference_mode
from convscope.runs.tensor_file import TensorFile

IMAGES = 32  # of a batch whose activations are looked at
SHOWN = 16  # of them that are kept to be seen
HISTORY = 64  # looks that are remembered


class Looks:
    """One look after the other, and a few numbers of those before.

    A look leaves no trace: gradients, weights, buffers, modes and the random state are as before.

    Attributes:
        history: `step`, and per layer `gradient`, `std` and `zeros`, at most HISTORY times.
    """

    def __init__(self, net: nn.Module, before: TensorFile | None, *, step: int) -> None:
        self.net = net
        told: list[dict[str, Any]] = before.metadata.get("history", []) if before else []
        self.history = [one for one in told if one["step"] <= step]

    def look(
        self,
        images: Tensor,
        pixels: Tensor,
        labels: Sequence[str],
        *,
        step: int,
        rate: Callable[[str], float] | None,
    ) -> TensorFile:
        """The network as it is after `step`, with that step's gradients still in place.

        `images` (n, c, h, w) are what it is fed, `pixels` (m, h, w, c) the same as bytes; `rate`
        gives the learning rate of a layer by its name, None where that does not tell how far a
        weight moves.
        """
        layers: list[dict[str, Any]] = []
        modules = dict[str, nn.Module](self.net.named_modules())
        for name, facts in activations(self.net, images).items():
            moved = _moved(modules[name], rate and rate(name))
            layers.append({"name": name, "kind": type(modules[name]).__name__, **facts, **moved})
        self._remember(step, layers)
        facts = {"step": step, "labels": [*labels], "layers": layers, "history": self.history}
        return TensorFile({"batch": pixels}, facts)

    def _remember(self, step: int, layers: Sequence[Mapping[str, Any]]) -> None:
        line = {
            layer["name"]: {
                "gradient": _short(layer["gradient"]),
                "std": _short(layer["activation"]["std"]),
                "zeros": _short(layer["activation"]["zeros"]),
            }
            for layer in layers
        }
        self.history.append({"step": step, "layers": line})
        if len(self.history) > HISTORY:
            del self.history[crowded([one["step"] for one in self.history])]


def crowded(places: Sequence[float]) -> int:
    """Which of some ascending places is missed least: neither the first nor the last of them."""
    return min(range(1, len(places) - 1), key=lambda i: places[i + 1] - places[i - 1])


def activations(net: nn.Module, images: Tensor) -> dict[str, dict[str, Any]]:
    """What each layer gives in evaluation, in the order in which they come to work.

    Layers are the modules without modules inside that give a tensor, by name; one that works twice
    counts as it did the last time. Of each: `shape` for one image, and in `activation` over all
    images and places the `mean`, the standard deviation `std`, the share `zeros` of exact zeros and
    the `largest` absolute value. A number that is not finite is None.
    """
    shapes: dict[str, list[int]] = {}
    numbers: dict[str, Tensor] = {}

    def see(name: str, _layer: nn.Module, _given: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim and output.numel():
            shapes[name] = [*output.shape[1:]]
            values = output.float()  # here, for the next layer may write over it
            std, mean = torch.std_mean(values, correction=0)
            zeros, largest = (values == 0).float().mean(), values.abs().max()
            numbers[name] = torch.stack((mean, std, zeros, largest))

    with ExitStack() as stack, _untouched(net, images.device), inference_mode(net):
        for name, layer in dict[str, nn.Module](net.named_modules()).items():
            if name and not any(layer.children()):
                handle = layer.register_forward_hook(partial(see, name))
                stack.callback(handle.remove)
        net(images)
    names = ("mean", "std", "zeros", "largest")
    return {
        name: {
            "shape": shapes[name],
            "activation": dict(zip(names, map(_finite, seen.tolist()), strict=True)),
        }
        for name, seen in numbers.items()
    }


@contextmanager
def _untouched(net: nn.Module, device: torch.device) -> Generator[None]:
    """Buffers and random state as before, even where a network changes them in evaluation."""
    before = [(buffer, buffer.clone()) for buffer in net.buffers()]
    devices = [torch.cuda.current_device()] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)


def _moved(layer: nn.Module, rate: float | None) -> dict[str, float | None]:
    """Root mean squares of a layer's own parameters together and of their gradients, None where
    there are none; and the share of it that plain descent at `rate` moves in one step.
    """
    own = list(layer.parameters(recurse=False))
    weight = _rms([one.detach() for one in own])
    gradient = _rms([one.grad for one in own if one.grad is not None])
    update = None
    if rate is not None and gradient is not None and weight:
        update = rate * gradient / weight
    return {"gradient": gradient, "weight": weight, "update": update}


def _rms(tensors: Sequence[Tensor]) -> float | None:
    if not tensors:
        return None
    norms = torch.stack([torch.linalg.vector_norm(one.float()) for one in tensors])
    count = sum(one.numel() for one in tensors)
    return _finite(norms.double().norm().item() / math.sqrt(max(1, count)))


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _short(number: float | None) -> float | None:
    """Four figures: a history of many layers is long."""
    return None if number is None else float(f"{number:.4g}")
