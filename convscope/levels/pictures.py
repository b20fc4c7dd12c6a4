"""The weights of filters as pictures."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.features.colors import colorize
from convscope.features.unit_layers import UnitLayer
from convscope.recording import IMAGE, ForwardPass, Operation, get_kind

Pixels = NDArray[np.uint8]

_KEEPS_FILTERS = frozenset({"max_pool", "avg_pool", "min_pool", "dropout", "drop_path", "cast"})


def weights_of_image(recorded: ForwardPass, layer: UnitLayer) -> Tensor | None:
    """The weights (k, c, h, w) of a convolution that reads an image of 1 or 3 channels, or None."""
    operation = _operation(recorded.operations, layer.name)
    weights = None if operation is None else _weights(recorded, operation)
    if operation is None or weights is None or operation.operands != (IMAGE,):
        return None
    return weights if weights.shape[1] in (1, 3) else None


def weights_of_maps(recorded: ForwardPass, layer: UnitLayer, lower: UnitLayer) -> Tensor | None:
    """The weights (k, c, h, w) of a convolution that reads the maps of `lower`, pooled or not.

    None where anything else lies between, and for windows of one unit.
    """
    operations = recorded.operations
    by_name = {operation.name: number for number, operation in enumerate(operations)}
    operation = _operation(operations, layer.name)
    weights = None if operation is None else _weights(recorded, operation)
    if operation is None or weights is None or weights.shape[1] != lower.shape[0]:
        return None
    at = by_name.get(operation.operands[0], -1)
    while at > lower.number and get_kind(operations[at].kind).rule in _KEEPS_FILTERS:
        at = by_name.get(operations[at].operands[0], -1)
    return weights if at == lower.number and weights[0, 0].numel() > 1 else None


def draw_weights(weights: Tensor) -> Pixels:
    """The weights (c, h, w) of one filter, by their largest magnitude.

    Of one channel white at 0, orange below, blue above; of three, colors around mid-gray.
    """
    values = weights.detach().float().cpu()
    values = values / values.abs().max().clamp_min(torch.finfo(torch.float32).tiny)
    if len(values) == 1:
        return colorize(values[0].numpy())
    return (127.5 + 127.5 * values.movedim(0, -1)).round().to(torch.uint8).numpy()


def draw_kernel(weights: Tensor, channel: int) -> Pixels:
    """One channel of the weights (c, h, w) of a filter, by the largest magnitude of all."""
    values = weights.detach().float().cpu()
    extent = values.abs().max().clamp_min(torch.finfo(torch.float32).tiny)
    return colorize((values[channel] / extent).numpy())


def _operation(operations: Sequence[Operation], name: str) -> Operation | None:
    return next((own for own in operations if own.name == name), None)


def _weights(recorded: ForwardPass, operation: Operation) -> Tensor | None:
    if get_kind(operation.kind).rule != "convolution" or len(operation.operands) != 1:
        return None
    names = [name for name in operation.parameters if name.rpartition(".")[2] == "weight"]
    weights = recorded.state[names[0]] if len(names) == 1 else None
    return weights if weights is not None and weights.ndim == 4 else None
