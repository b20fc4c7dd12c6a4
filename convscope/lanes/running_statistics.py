"""The running statistics of a network's batch norms, in memory that the engine and they share."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from convscope.errors import RequestError
from convscope.lanes.graph import BatchNorm
from convscope.lanes.writing import NormOffsets


def norm_offsets(
    norms: Sequence[BatchNorm], begins: dict[nn.Parameter, int]
) -> dict[str, NormOffsets]:
    """Where each layer's numbers lie, by its name."""
    found: dict[str, NormOffsets] = {}
    start = 0
    for number, node in enumerate(norms):
        weight, bias = (None if w is None else begins[w] for w in (node.weight, node.bias))
        found[node.name] = NormOffsets(number, start, weight, bias)
        start += 2 * node.shape[0]
    return found


class RunningStatistics:
    """`values` are the means and variances of all layers; the layers' buffers become views.

    `counts` are the batches so far, and `momenta` the shares that the next one has in each layer's
    statistics, in float64.
    """

    def __init__(self, net: nn.Module, norms: Sequence[BatchNorm]) -> None:
        self.norms = norms
        self.layers = [_layer(net, node.path) for node in norms]
        self.values = torch.zeros(2 * sum(node.shape[0] for node in norms))
        self.counts = torch.zeros(len(norms), dtype=torch.int64)
        self.momenta = np.zeros(len(norms))
        start = 0
        for number, layer in enumerate(self.layers):
            for name in ("running_mean", "running_var"):
                end = start + layer.num_features
                _share(layer, name, self.values[start:end])
                start = end
            if layer.num_batches_tracked is not None:
                _share(layer, "num_batches_tracked", self.counts[number])

    def count_batch(self) -> None:
        """Before a step: one more batch, and its share, which without a momentum is 1/count."""
        if self.layers:
            self.counts += 1
            for number, layer in enumerate(self.layers):
                share = layer.momentum
                self.momenta[number] = 1 / self.counts[number] if share is None else share

    def check(self, images: int) -> None:
        """Raises RequestError where torch would raise: a channel has only one value."""
        for node in self.norms:
            if images * node.shape[1] * node.shape[2] == 1:
                raise RequestError(
                    f"{node.path} needs more than one value per channel: choose another "
                    "`batch_size`."
                )


def _layer(net: nn.Module, path: str) -> nn.BatchNorm2d | nn.BatchNorm1d:
    layer = net.get_submodule(path)
    assert isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d)
    return layer


def _share(layer: nn.Module, name: str, view: Tensor) -> None:
    view.copy_(layer.get_buffer(name))
    setattr(layer, name, view)
