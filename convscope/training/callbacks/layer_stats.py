"""Statistics of each layer's activations and gradients at a step: `live/look.safetensors`."""

import math
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from convscope.inference import inference_mode
from convscope.runs.live_files import Live
from convscope.runs.tensor_file import TensorFile
from convscope.training.callbacks.base import Callback
from convscope.training.callbacks.snapshots import least_informative
from convscope.training.callbacks.throttle import Throttle
from convscope.training.config import TrainConfig, decided
from convscope.training.events import FitStart, StepEnd
from convscope.training.executors.base import Inputs
from convscope.training.optimizer import head_of
from convscope.training.state import TrainState

IMAGES = 32  # of a batch whose activations are measured
SHOWN = 16  # of them that are kept to be shown
HISTORY = 64  # captures that are remembered

_POLL = 0.2  # seconds between two checks for somebody who watches
_SECONDS = 1.0  # between two captures


class LayerStatsWriter(Callback):
    """Writes the statistics of each layer while somebody watches the run.

    At most once a second and in 2% of the time.

    Args:
        notify: tells people, once, where a network cannot be measured.
    """

    def __init__(
        self,
        live: Live,
        network: nn.Module,
        inputs: Inputs,
        config: TrainConfig,
        notify: Callable[[str], None],
    ) -> None:
        self.live, self.network, self.inputs, self.config = live, network, inputs, config
        self.notify = notify
        self.stats: LayerStats | None = None
        self._poll, self._throttle = Throttle(_POLL), Throttle(_SECONDS)

    def on_fit_start(self, state: TrainState, event: FitStart) -> None:
        before = self.live.read_snapshot("look")
        self.stats = LayerStats(self.network, before, step=state.step)

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        if self.stats is None or not self._poll.is_due():
            return
        began = time.monotonic()
        is_watched = self._throttle.is_due() and self.live.is_watched()
        self._poll.done(began)
        if is_watched:
            self._write(self.stats, event)
            self._throttle.done(began)

    def _write(self, stats: "LayerStats", event: StepEnd) -> None:
        pixels, classes = event.batch.mixed_pixels, self.inputs.card.classes
        labels = [event.batch.label(i, classes) for i in range(min(SHOWN, len(event.batch)))]
        try:
            captured = stats.capture(
                self.inputs.normalized(pixels[:IMAGES]),
                pixels[:SHOWN],
                labels,
                step=event.step,
                lr=self._layer_lr(event.lr) if self.config.optimizer == "sgd" else None,
            )
        except Exception as error:  # noqa: BLE001 -- statistics must not end a training
            self.stats = None
            self.notify(f"No layer statistics for this network: {error}")
            return
        self.live.write_snapshot("look", captured)

    def _layer_lr(self, lr: float) -> Callable[[str], float]:
        head, scale = head_of(self.network), decided(self.config.backbone_lr_scale)
        return lambda layer: lr if layer == head else lr * scale


class LayerStats:
    """Captures the statistics of a network's layers, and remembers a few numbers of each capture.

    A capture leaves no trace: gradients, weights, buffers, modes and random state are as before.

    Attributes:
        history: `step`, and per layer `gradient`, `std` and `zeros`, at most HISTORY times.
    """

    def __init__(self, network: nn.Module, before: TensorFile | None, *, step: int) -> None:
        self.network = network
        history: list[dict[str, Any]] = before.metadata.get("history", []) if before else []
        self.history = [entry for entry in history if entry["step"] <= step]

    def capture(
        self,
        images: Tensor,
        pixels: Tensor,
        labels: Sequence[str],
        *,
        step: int,
        lr: Callable[[str], float] | None,
    ) -> TensorFile:
        """The network as it is after `step`, with that step's gradients still in place.

        `images` (n, c, h, w) are what it is fed, `pixels` (m, h, w, c) the same as bytes; `lr`
        gives the learning rate of a layer by its name, None where the update does not follow from
        the gradient.
        """
        layers: list[dict[str, Any]] = []
        modules = dict[str, nn.Module](self.network.named_modules())
        for name, stats in activations(self.network, images).items():
            update = _parameter_stats(modules[name], lr and lr(name))
            layers.append({"name": name, "kind": type(modules[name]).__name__, **stats, **update})
        self._remember(step, layers)
        metadata = {"step": step, "labels": [*labels], "layers": layers, "history": self.history}
        return TensorFile({"batch": pixels}, metadata)

    def _remember(self, step: int, layers: Sequence[Mapping[str, Any]]) -> None:
        entry = {
            layer["name"]: {
                "gradient": _rounded(layer["gradient"]),
                "std": _rounded(layer["activation"]["std"]),
                "zeros": _rounded(layer["activation"]["zeros"]),
            }
            for layer in layers
        }
        self.history.append({"step": step, "layers": entry})
        if len(self.history) > HISTORY:
            del self.history[least_informative([entry["step"] for entry in self.history])]


def activations(network: nn.Module, images: Tensor) -> dict[str, dict[str, Any]]:
    """What each layer returns in evaluation, in the order in which layers are called.

    Layers are the modules without children that return a tensor, by name; of one that is called
    twice, the last call counts. For each: `shape` for one image, and in `activation`, over all
    images and positions, the `mean`, the standard deviation `std`, the share `zeros` of exact zeros
    and the `largest` absolute value. A number that is not finite is None.
    """
    shapes: dict[str, list[int]] = {}
    numbers: dict[str, Tensor] = {}

    def measure(name: str, _layer: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim and output.numel():
            shapes[name] = [*output.shape[1:]]
            values = output.float()  # here, for the next layer may write over it
            std, mean = torch.std_mean(values, correction=0)
            zeros, largest = (values == 0).float().mean(), values.abs().max()
            numbers[name] = torch.stack((mean, std, zeros, largest))

    with ExitStack() as stack, preserved_state(network, images.device), inference_mode(network):
        for name, layer in dict[str, nn.Module](network.named_modules()).items():
            if name and not any(layer.children()):
                handle = layer.register_forward_hook(partial(measure, name))
                stack.callback(handle.remove)
        network(images)
    names = ("mean", "std", "zeros", "largest")
    return {
        name: {
            "shape": shapes[name],
            "activation": dict(zip(names, map(_finite, values.tolist()), strict=True)),
        }
        for name, values in numbers.items()
    }


@contextmanager
def preserved_state(network: nn.Module, device: torch.device) -> Generator[None]:
    """Buffers and random state as before, even where a network changes them in evaluation."""
    before = [(buffer, buffer.clone()) for buffer in network.buffers()]
    devices = [torch.cuda.current_device()] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)


def _parameter_stats(layer: nn.Module, lr: float | None) -> dict[str, float | None]:
    """Root mean squares of a layer's parameters together and of their gradients, None without any;
    and the ratio of the update by plain gradient descent at `lr` to the parameters.
    """
    parameters = list(layer.parameters(recurse=False))
    weight = _rms([parameter.detach() for parameter in parameters])
    gradient = _rms([parameter.grad for parameter in parameters if parameter.grad is not None])
    update = None
    if lr is not None and gradient is not None and weight:
        update = lr * gradient / weight
    return {"gradient": gradient, "weight": weight, "update": update}


def _rms(tensors: Sequence[Tensor]) -> float | None:
    if not tensors:
        return None
    norms = torch.stack([torch.linalg.vector_norm(tensor.float()) for tensor in tensors])
    count = sum(tensor.numel() for tensor in tensors)
    return _finite(norms.double().norm().item() / math.sqrt(max(1, count)))


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _rounded(number: float | None) -> float | None:
    """Four digits: a history of many layers is long."""
    return None if number is None else float(f"{number:.4g}")
