"""Layers with weights: what makes channels, reads them, or keeps a number for each."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm  # pyright: ignore[reportPrivateUsage]

from convscope.pruning.channels import Maps, Numbers, repeated
from convscope.pruning.follower import Follower
from convscope.recording import Operation, Source

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def convolution(follower: Follower, operation: Operation) -> Maps | None:
    arguments = operation.arguments
    maps = follower.maps(arguments.get("input"))
    found = follower.owner(arguments.get("weight"), _CONVOLUTIONS)
    if found is None or not _has_all_state(operation):
        return _unknown_weights(follower, operation)
    path, layer = found
    numbers = follower.numbers
    if layer.groups == 1:
        _read(follower, operation, path, maps, axis=1)
        return Maps(1, _made(follower, path, layer.out_channels))
    if maps is None or maps.axis != 1:
        return _unknown_weights(follower, operation)
    if layer.groups == layer.in_channels == len(maps.channels):
        kept = repeated(maps.channels, layer.out_channels // layer.in_channels)
        numbers.put(path, "keeps", kept)
        return Maps(1, kept)
    numbers.pin(maps.channels, f"{path} reads them in {layer.groups} groups")
    channels = numbers.new(layer.out_channels)
    numbers.pin(channels, f"{path} makes them in {layer.groups} groups")
    return Maps(1, channels)


def linear(follower: Follower, operation: Operation) -> Maps | None:
    arguments = operation.arguments
    source = arguments.get("input")
    maps = follower.maps(source)
    found = follower.owner(arguments.get("weight"), (nn.Linear,))
    last = len(operation.shape) - 1
    if found is None or not _has_all_state(operation):
        return _unknown_weights(follower, operation, axis=last)
    path, layer = found
    _read(follower, operation, path, maps, axis=last)
    return Maps(last, _made(follower, path, layer.out_features))


def _read(
    follower: Follower, operation: Operation, path: str, maps: Maps | None, *, axis: int
) -> None:
    """A layer reads channels; where nothing is known of them, all have been kept already."""
    if maps is not None and maps.axis == axis:
        follower.numbers.put(path, "reads", maps.channels)
    else:
        follower.pin_inputs(operation, f"{operation.name} needs them all")


def _made(follower: Follower, path: str, count: int) -> Numbers:
    """The channels that a layer makes: the same ones whenever it runs."""
    known = follower.numbers.slot(path, "makes")
    if known is None:
        known = follower.numbers.new(count)
        follower.numbers.put(path, "makes", known)
    return known


def _unknown_weights(follower: Follower, operation: Operation, *, axis: int = 1) -> Maps | None:
    """Weights of no layer of torch.nn's own: no channel can be removed before and behind them."""
    follower.pin_inputs(operation, f"{operation.name} ({operation.kind}) needs them all")
    channels = follower.numbers.new(operation.shape[axis])
    follower.numbers.pin(channels, f"{operation.name} ({operation.kind}) makes them")
    return Maps(axis, channels)


def _has_all_state(operation: Operation) -> bool:
    """Whether an operation reads parameters of one layer alone, and no computed ones."""
    weight, bias = operation.arguments.get("weight"), operation.arguments.get("bias")
    if bias is None:
        return True
    if not isinstance(bias, Source) or not isinstance(weight, Source) or bias.role != "state":
        return False
    return bias.name.rpartition(".")[0] == weight.name.rpartition(".")[0]


def batch_norm(follower: Follower, operation: Operation) -> Maps | None:
    maps = follower.maps(operation.arguments.get("input"))
    if maps is None or maps.axis != 1 or not operation.parameters:
        return None
    path = operation.parameters[0].rpartition(".")[0]
    if not isinstance(follower.modules.get(path), BatchNorm):
        return None
    follower.numbers.put(path, "keeps", maps.channels)
    return maps


def prelu(follower: Follower, operation: Operation) -> Maps | None:
    maps = follower.maps(operation.arguments.get("input"))
    found = follower.owner(operation.arguments.get("weight"), (nn.PReLU,))
    if maps is None or found is None:
        return None
    path, layer = found
    if layer.num_parameters > 1:
        follower.numbers.put(path, "keeps", maps.channels)
    return maps
