"""Layers of PyTorch, and ours, as nodes of the engine."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn

from convscope.arithmetic import output_size
from convscope.lanes.graph import (
    BatchNorm,
    Both,
    ChannelPad,
    Convolution,
    Pool,
    Shape,
)
from convscope.layers import LocallyConnected2d, MinPool2d, ScaledTanh


class Unsupported(Exception):
    """What the engine does not cover, in words that follow "because"."""


def weights_of(name: str, layer: nn.Conv2d | nn.Linear | LocallyConnected2d) -> dict[str, Any]:
    """Weight and bias, unless they are computed from others at every step."""
    for weight in (layer.weight, layer.bias):
        if weight is not None and not isinstance(weight, nn.Parameter):
            raise Unsupported(f"{name} computes its weights from others")
    return {"weight": layer.weight, "bias": layer.bias}


_PLAIN = {"relu6": nn.ReLU6, "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


def activation_of(module: nn.Module) -> tuple[str, tuple[float, ...]] | None:
    """What an activation layer computes, with its numbers; None for another module."""
    for kind, plain in _PLAIN.items():
        if isinstance(module, plain):
            return kind, ()
    match module:
        case nn.LeakyReLU() if module.negative_slope > 0:
            return "leaky", (module.negative_slope,)
        case nn.ELU() if module.alpha > 0:
            return "elu", (module.alpha,)
        case ScaledTanh() if module.amplitude > 0 and module.slope > 0:
            return "tanh", (module.amplitude, module.slope)
        case _:
            return None


def _pair(value: Any) -> Both:
    one, two = _pair_or_none(value)
    return int(one or 0), int(two or 0)


def convolution(
    name: str, index: int, shape: Shape, layer: nn.Conv2d | LocallyConnected2d
) -> Convolution:
    if layer.in_channels != shape[0]:
        raise Unsupported(f"{name} takes {layer.in_channels} channels, not {shape[0]}")
    if isinstance(layer, LocallyConnected2d) and layer.input_size != shape[1:]:
        raise Unsupported(f"{name} has filters for maps of another size")
    if isinstance(layer, nn.Conv2d) and layer.padding_mode != "zeros":
        raise Unsupported(f"{name} pads with {layer.padding_mode}")
    if isinstance(layer.padding, str) and layer.padding != "valid":
        raise Unsupported(f"{name} pads to the same size")
    padding = (0, 0) if isinstance(layer.padding, str) else _pair(layer.padding)
    kernel, stride = _pair(layer.kernel_size), _pair(layer.stride)
    dilation = _pair(layer.dilation)
    local = isinstance(layer, LocallyConnected2d)
    height, width = _sides(shape, kernel, stride, padding, dilation)
    return Convolution(
        name=name,
        inputs=(index,),
        shape=(layer.out_channels, height, width),
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        **weights_of(name, layer),
        groups=layer.groups,
        local=local,
        dense=not local and kernel == shape[1:] and padding == (0, 0) and layer.groups == 1,
    )


def batch_norm(
    name: str,
    index: int,
    shape: Shape,
    layer: nn.BatchNorm2d | nn.BatchNorm1d,
    *,
    path: str,
    flat: bool,
) -> BatchNorm:
    """A batch norm that is trained; `flat` says whether its input is a vector."""
    one = isinstance(layer, nn.BatchNorm1d)
    if type(layer) is not (nn.BatchNorm1d if one else nn.BatchNorm2d):
        raise Unsupported(f"{name} is a {type(layer).__name__}")
    if one != flat or (flat and shape[1:] != (1, 1)):
        raise Unsupported(f"{name} is a {type(layer).__name__} of another number of axes")
    if layer.num_features != shape[0]:
        raise Unsupported(f"{name} takes {layer.num_features} channels, not {shape[0]}")
    if layer.running_mean is None or layer.running_var is None:
        raise Unsupported(f"{name} keeps no running statistics, and would evaluate by the batch's")
    if layer.running_mean.dtype != torch.float32:
        raise Unsupported(f"{name} keeps statistics of {layer.running_mean.dtype}")
    weight, bias = (cast("nn.Parameter | None", w) for w in (layer.weight, layer.bias))
    return BatchNorm(
        name=name,
        inputs=(index,),
        shape=shape,
        path=path,
        eps=layer.eps,
        weight=weight,
        bias=bias,
    )


def channel_pad(name: str, index: int, shape: Shape, layer: nn.ZeroPad3d) -> ChannelPad:
    """Zeros before and after an image's maps, which are the third axis from behind."""
    left, right, top, bottom, before, after = layer.padding
    if left or right or top or bottom or before < 0 or after < 0:
        raise Unsupported(f"{name} pads more than channels")
    padded = (before + shape[0] + after, *shape[1:])
    return ChannelPad(name=name, inputs=(index,), shape=padded, before=before)


def pool(name: str, index: int, shape: Shape, layer: nn.MaxPool2d | MinPool2d, kind: str) -> Pool:
    if isinstance(layer, nn.MaxPool2d) and layer.return_indices:
        raise Unsupported(f"{name} answers with indices")
    return _window_pool(
        name,
        index,
        shape,
        kind=kind,
        kernel=_pair(layer.kernel_size),
        stride=_pair(layer.stride),
        padding=_pair(layer.padding),
        dilation=_pair(layer.dilation),
        ceil=layer.ceil_mode,
    )


def pool_of(
    name: str,
    index: int,
    shape: Shape,
    layer: nn.MaxPool2d | MinPool2d | nn.AvgPool2d | nn.AdaptiveAvgPool2d,
) -> Pool:
    """What a layer of any kind pools."""
    if isinstance(layer, nn.AvgPool2d):
        return mean_pool(name, index, shape, layer)
    if isinstance(layer, nn.AdaptiveAvgPool2d):
        return adaptive_pool(name, index, shape, layer.output_size)
    return pool(name, index, shape, layer, "max" if isinstance(layer, nn.MaxPool2d) else "min")


def mean_pool(name: str, index: int, shape: Shape, layer: nn.AvgPool2d) -> Pool:
    return _window_pool(
        name,
        index,
        shape,
        kind="mean",
        kernel=_pair(layer.kernel_size),
        stride=_pair(layer.stride),
        padding=_pair(layer.padding),
        dilation=(1, 1),
        ceil=layer.ceil_mode,
        counts_padding=layer.count_include_pad,
        divisor=layer.divisor_override,
    )


def adaptive_pool(name: str, index: int, shape: Shape, wanted: Any) -> Pool:
    sides = shape[1:]
    size = [side or local for side, local in zip(_pair_or_none(wanted), sides, strict=True)]
    if any(local % side for side, local in zip(size, sides, strict=True)):
        raise Unsupported(f"{name} pools windows of different sizes")
    kernel = (shape[1] // size[0], shape[2] // size[1])
    return _window_pool(
        name,
        index,
        shape,
        kind="mean",
        kernel=kernel,
        stride=kernel,
        padding=(0, 0),
        dilation=(1, 1),
        ceil=False,
    )


def _pair_or_none(value: Any) -> tuple[int | None, int | None]:
    pair = cast("Sequence[int | None]", value) if isinstance(value, Sequence) else (value, value)
    return pair[0], pair[1]


def _window_pool(
    name: str,
    index: int,
    shape: Shape,
    *,
    kind: str,
    kernel: Both,
    stride: Both,
    padding: Both,
    dilation: Both,
    ceil: bool,
    counts_padding: bool = True,
    divisor: int | None = None,
) -> Pool:
    height, width = _sides(shape, kernel, stride, padding, dilation, ceil=ceil)
    return Pool(
        name=name,
        inputs=(index,),
        shape=(shape[0], height, width),
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        kind=kind,
        counts_padding=counts_padding,
        divisor=divisor,
    )


def _sides(
    shape: Shape, kernel: Both, stride: Both, padding: Both, dilation: Both, *, ceil: bool = False
) -> list[int]:
    """Height and width of what a window makes of a volume."""
    axes = zip(shape[1:], kernel, stride, padding, dilation, strict=True)
    return [
        output_size(side, k, stride=s, padding=p, dilation=d, ceil_mode=ceil)
        for side, k, s, p, d in axes
    ]
