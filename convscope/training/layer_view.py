"""What each layer holds for one image: activations, weights, and the gradients of both."""

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.card import Card
from convscope.forward import logits_of
from convscope.gradients import contiguous_gradients
from convscope.inference import eval_with_gradients, probabilities
from convscope.runs.tensor_file import TensorFile
from convscope.training.loss import BatchLoss

LAYERS = 16
"""Layers of a view at most: those with weights first, spread evenly."""
TILES = 16
"""Maps of a layer, and filters, at most: the first ones."""
CHANNELS = 8
"""Channels of a filter at most."""
SIDE = 32
"""Rows and columns of a map at most: of larger ones every second value, or every third..."""
UNITS = 128
"""Units of a dense layer at most, and of its inputs."""

_Array = NDArray[np.float32]
_LEVELS = 127
_PLAIN = (nn.Flatten, nn.Identity, nn.Dropout, nn.Dropout2d)  # which change nothing in evaluation
_ANSWERS = 10


def view_layers(
    network: nn.Module, images: Tensor, card: Card, *, target: int | None
) -> TensorFile:
    """The layers of `network` for one image (1, c, h, w), as it would be evaluated.

    `target` is the class whose loss the gradients of the activations are of, None for the predicted
    one; tasks other than one class for each image have none. The gradients of the weights are those
    that lie in the network: of the last step, of its whole batch. Weights, gradients, modes and
    hooks are as before; buffers and random numbers are the caller's to keep.

    The metadata have `answers` (class and probability, the most probable first), `loss` in nats,
    `target`, and of each layer `name`, `kind`, `shape` and `parts`. A part is `activation`,
    `activation_gradient`, `weight` or `weight_gradient`: its `shape`, the lowest and the highest
    value `low` and `high`, and `peak`, the largest magnitude. The tensor INDEX/PART has what is
    shown of it, int8 (tiles, channels, height, width): 127 stands for the peak, -128 for a value
    that is not finite.
    """
    outputs: dict[str, Tensor] = {}
    modules = dict[str, nn.Module](network.named_modules())
    with ExitStack() as stack:
        stack.enter_context(eval_with_gradients(network, of_weights=False))
        for name, module in modules.items():
            if name and not any(module.children()) and not isinstance(module, _PLAIN):
                hook = module.register_forward_hook(partial(_keep, name, outputs))
                stack.callback(hook.remove)
        output = network(images.detach().requires_grad_())
        main = logits_of(output, 1, card.num_outputs, name="The network")
        chosen = _spread(list(outputs), modules)
        loss, target = _loss(main, card, target)
        gradients = _gradients(loss, [outputs[name] for name in chosen])
    layers: list[dict[str, Any]] = []
    tensors: dict[str, Tensor] = {}
    for index, (name, gradient) in enumerate(zip(chosen, gradients, strict=True)):
        output, weight = outputs[name], getattr(modules[name], "weight", None)
        parts = {"activation": (output[0], _maps), "activation_gradient": (gradient, _maps)}
        if isinstance(weight, Tensor):
            parts |= {"weight": (weight, _filters), "weight_gradient": (weight.grad, _filters)}
        told: dict[str, Any] = {}
        for part, (values, shown) in parts.items():
            if values is not None and values.numel():
                told[part], tensors[f"{index}/{part}"] = _pictured(values, shown)
        shape = [*output.shape[1:]]
        kind = type(modules[name]).__name__
        layers.append({"name": name, "kind": kind, "shape": shape, "parts": told})
    metadata = {
        "answers": _answers(main, card),
        "loss": None if loss is None else _finite(float(loss.detach())),
        "target": target,
        "layers": layers,
        "left_out": len(outputs) - len(chosen),
    }
    return TensorFile(tensors, metadata)


def _keep(
    name: str, outputs: dict[str, Tensor], _layer: nn.Module, _inputs: object, output: object
) -> Tensor | None:
    """Keep what a layer returns; the next one gets a copy, for it may write over its input."""
    if not isinstance(output, Tensor) or output.ndim not in (2, 3, 4) or not output.numel():
        return None
    outputs[name] = output
    return output.clone()


def _spread(names: Sequence[str], modules: dict[str, nn.Module]) -> list[str]:
    """At most LAYERS of the layers, in their order."""
    if len(names) <= LAYERS:
        return [*names]
    learned = [name for name in names if isinstance(getattr(modules[name], "weight", None), Tensor)]
    pool = learned if len(learned) >= LAYERS else names
    steps = (len(pool) - 1) / (LAYERS - 1)
    return [pool[round(i * steps)] for i in range(LAYERS)]


def _loss(main: Tensor, card: Card, target: int | None) -> tuple[Tensor | None, int | None]:
    """The loss of the image, and the class that it is of."""
    if card.task not in ("single-label", "ordinal") or card.boxes is not None:
        return None, None
    target = int(main.detach().argmax()) if target is None else target
    loss, _ = BatchLoss(card)(main, torch.tensor([target], device=main.device))
    return loss, target


def _gradients(loss: Tensor | None, outputs: Sequence[Tensor]) -> Sequence[Tensor | None]:
    if loss is None or not loss.requires_grad:
        return [None] * len(outputs)
    found = cast(
        "Sequence[Tensor | None]",
        torch.autograd.grad(contiguous_gradients(loss), list(outputs), allow_unused=True),
    )
    return [None if gradient is None else gradient[0] for gradient in found]


def _answers(main: Tensor, card: Card) -> list[tuple[str, float | None]]:
    if card.boxes is not None:
        return []
    shares = probabilities(main.detach(), card)[0]
    first = np.argsort(-shares.cpu().numpy(), kind="stable")[:_ANSWERS]
    return [(card.classes[index], _finite(float(shares[index]))) for index in map(int, first)]


def _pictured(values: Tensor, shown: Callable[[_Array], _Array]) -> tuple[dict[str, Any], Tensor]:
    """Figures of all values, and those that are shown in 255 levels."""
    array = values.detach().to("cpu", torch.float32).numpy()  # whose calls cost less than torch's
    low, high = float(array.min()), float(array.max())
    peak, tiles = max(abs(low), abs(high)), shown(array)
    if math.isfinite(peak):
        levels = np.rint(tiles * (_LEVELS / (peak or 1.0)))
    else:
        finite = array[np.isfinite(array)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        peak = max(abs(low), abs(high))
        is_finite = np.isfinite(tiles)
        scaled = np.rint(np.where(is_finite, tiles, 0) * (_LEVELS / (peak or 1.0)))
        levels = np.where(is_finite, scaled, -_LEVELS - 1)
    figures = {"shape": [*values.shape], "low": low, "high": high, "peak": peak}
    return figures, torch.from_numpy(np.ascontiguousarray(levels.astype(np.int8)))


def _maps(values: _Array) -> _Array:
    """Of (c, h, w) the first maps, of a vector its first units, of tokens (n, d) one map."""
    if values.ndim == 1 or math.prod(values.shape[-2:]) == 1:
        return values.reshape(-1)[:UNITS, None, None, None]
    maps = values[None] if values.ndim == 2 else values[:TILES]
    return _thinned(maps)[:, None]


def _filters(weight: _Array) -> _Array:
    """Of filters (k, c, h, w) the first ones, of a matrix and of a vector its first numbers."""
    if weight.ndim == 1:
        return weight[:UNITS, None, None, None]
    if weight.ndim == 4:
        return _thinned(weight[:TILES, :CHANNELS])
    return weight.reshape(len(weight), -1)[None, None, :UNITS, :UNITS]


def _thinned(maps: _Array) -> _Array:
    step = -(-max(maps.shape[-2:]) // SIDE)
    return maps[..., ::step, ::step]


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
