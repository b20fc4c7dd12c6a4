"""Remove groups of channels from a network's layers."""

import copy
from collections.abc import Collection, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.pruning.structure import Structure
from convscope.zoo.narrowed import Widths, resize_layer, set_tensor, sizes_of

Mask = NDArray[np.bool_]


def without_groups(
    net: nn.Module, structure: Structure, removed: Collection[int]
) -> tuple[nn.Module, Widths]:
    """A copy of a network without some groups, and the sizes of the layers that are narrower.

    What the removed maps contributed is gone: the copy computes what the network would if every
    weight that reads them were zero. See `silence` for that.
    """
    net = copy.deepcopy(net)
    layers = dict(net.named_modules())
    before = {path: sizes_of(layer) for path, layer in layers.items()}
    for (path, role), left in structure.left(removed).items():
        if not left.all():
            _cut(layers[path], role, left)
    widths = {
        path: {name: size for name, size in now.items() if size != before[path][name]}
        for path, now in ((path, sizes_of(layer)) for path, layer in layers.items())
        if now != before[path]
    }
    return net, widths


def silence(net: nn.Module, structure: Structure, removed: Collection[int]) -> nn.Module:
    """A copy of a network of the same shape in which nothing reads the maps of some groups."""
    net = copy.deepcopy(net)
    layers = dict(net.named_modules())
    for (path, role), left in structure.left(removed).items():
        if role == "reads":
            weight = layers[path].get_parameter("weight")
            with torch.no_grad():
                weight[:, _indices(~left)] = 0
    return net


def _cut(layer: nn.Module, role: str, left: Mask) -> None:
    """Keep some positions along an axis of a layer."""
    count, indices = int(left.sum()), _indices(left)
    match layer, role:
        case nn.Linear(), "makes":
            _keep(layer, indices, ("weight", "bias"))
            layer.out_features = count
        case nn.Linear(), "reads":
            set_tensor(layer, "weight", layer.weight.detach()[:, indices].clone())
            layer.in_features = count
        case ((nn.Conv1d() | nn.Conv2d() | nn.Conv3d()), "makes"):
            _keep(layer, indices, ("weight", "bias"))
            layer.out_channels = count
        case ((nn.Conv1d() | nn.Conv2d() | nn.Conv3d()), "reads"):
            set_tensor(layer, "weight", layer.weight.detach()[:, indices].clone())
            layer.in_channels = count
        case ((nn.Conv1d() | nn.Conv2d() | nn.Conv3d()), "keeps"):
            _keep(layer, indices, ("weight", "bias"))
            times = layer.out_channels // layer.in_channels
            layer.out_channels, layer.in_channels = count, count // times
            layer.groups = layer.in_channels
        case ((nn.BatchNorm1d() | nn.BatchNorm2d() | nn.BatchNorm3d()), "keeps"):
            _keep(layer, indices, ("weight", "bias", "running_mean", "running_var"))
            layer.num_features = count
        case nn.PReLU(), "keeps":
            _keep(layer, indices, ("weight",))
            layer.num_parameters = count
        case ((nn.ZeroPad2d() | nn.ZeroPad3d() | nn.ConstantPad3d()), "fills"):
            resize_layer(layer, {"padding": _padding(layer.padding, left)})
        case _:
            raise AssertionError(f"{type(layer).__name__} {role}")


def _keep(layer: nn.Module, indices: Tensor, names: Sequence[str]) -> None:
    for name in names:
        tensor = getattr(layer, name, None)
        if isinstance(tensor, Tensor):
            set_tensor(layer, name, tensor.detach()[indices].clone())


def _padding(padding: Sequence[int], left: Mask) -> tuple[int, ...]:
    """What is left of the channels that the last two numbers of a padding add."""
    before = padding[-2]
    return (*padding[:-2], int(left[:before].sum()), int(left[before:].sum()))


def _indices(mask: Mask) -> Tensor:
    return torch.from_numpy(np.flatnonzero(mask))


def narrowed_sizes(widths: Widths) -> dict[str, dict[str, int | list[int]]]:
    """The same as plain numbers and lists, as TOML has them."""
    return {
        path: {name: size if isinstance(size, int) else list(size) for name, size in each.items()}
        for path, each in widths.items()
    }
