"""Keras's layers with windows: convolutions and pooling."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from convscope.foreign.builder import IMAGE, GraphBuilder, Value, Weights
from convscope.foreign.keras.layers.activations import activated
from convscope.foreign.layer import Layer
from convscope.foreign.modules import AveragePoolInside, Crop2d

Pair = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """The window of a layer; `edges` is the padding, (left, right, top, bottom)."""

    size: Pair
    stride: Pair
    dilation: Pair
    edges: tuple[int, int, int, int]

    @property
    def symmetric(self) -> Pair | None:
        """The padding as PyTorch takes it, (vertical, horizontal); None: it has none such."""
        left, right, top, bottom = self.edges
        return (top, left) if (left, top) == (right, bottom) else None


def as_maps(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """The value with its maps first, wherever the layer has them."""
    if x.rank != 3:
        raise layer.refused(f"takes maps of 3 axes, and gets a value of {x.rank}.")
    return graph.ordered(x, map_order(layer), layer.name)


def map_order(layer: Layer) -> tuple[int, ...]:
    """The order of maps in PyTorch for a layer."""
    formats = ("channels_last", "channels_first")
    is_last = layer.choice("data_format", "channels_last", formats) == "channels_last"
    return IMAGE if is_last else (0, 1, 2)


def conv2d(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """Conv2D: the kernel is (height, width, maps, filters)."""
    x = as_maps(layer, x, graph)
    maps, filters, groups = x.meta.shape[1], layer.integer("filters"), layer.integer("groups", 1)
    if maps % groups or filters % groups:
        raise layer.refused(f"has {groups} groups, which do not divide {maps} maps.")
    window = _window(layer, x, "kernel_size")
    kernel = layer.weight("kernel", (*window.size, maps // groups, filters))
    bias = _bias(layer, filters)
    weights = None if kernel is None else named(weight=kernel.permute(3, 2, 0, 1), bias=bias)
    has_bias = layer.flag("use_bias", default=True)
    x = _convolved(layer.name, window, x, graph, filters, groups, has_bias, weights)
    return activated(layer, x, graph)


def depthwise_conv2d(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """DepthwiseConv2D: the kernel is (height, width, maps, filters of each map)."""
    x = as_maps(layer, x, graph)
    maps, each = x.meta.shape[1], layer.integer("depth_multiplier", 1)
    window = _window(layer, x, "kernel_size")
    kernel = layer.weight("kernel", (*window.size, maps, each), older="depthwise_kernel")
    bias = _bias(layer, maps * each)
    weights = None if kernel is None else named(weight=_depthwise(kernel), bias=bias)
    has_bias = layer.flag("use_bias", default=True)
    x = _convolved(layer.name, window, x, graph, maps * each, maps, has_bias, weights)
    return activated(layer, x, graph)


def separable_conv2d(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """SeparableConv2D, as two layers: NAME_depthwise, and NAME, which is 1x1."""
    x = as_maps(layer, x, graph)
    maps, filters = x.meta.shape[1], layer.integer("filters")
    each = layer.integer("depth_multiplier", 1)
    window = _window(layer, x, "kernel_size")
    depthwise = layer.weight("depthwise_kernel", (*window.size, maps, each))
    pointwise = layer.weight("pointwise_kernel", (1, 1, maps * each, filters))
    bias, has_bias = _bias(layer, filters), layer.flag("use_bias", default=True)
    first = second = None
    if depthwise is not None and pointwise is not None:
        first = named(weight=_depthwise(depthwise))
        second = named(weight=pointwise.permute(3, 2, 0, 1), bias=bias)
    name = f"{layer.name}_depthwise"
    x = _convolved(name, window, x, graph, maps * each, maps, has_bias=False, weights=first)
    one = Window((1, 1), (1, 1), (1, 1), (0, 0, 0, 0))
    x = _convolved(layer.name, one, x, graph, filters, 1, has_bias=has_bias, weights=second)
    return activated(layer, x, graph)


def conv2d_transpose(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """Conv2DTranspose: the kernel is (height, width, filters, maps).

    Every window is kept, and what goes beyond the size that Keras gives is cut off.
    """
    x = as_maps(layer, x, graph)
    maps, filters = x.meta.shape[1], layer.integer("filters")
    size, stride = layer.pair("kernel_size"), layer.pair("strides", 1)
    dilation = layer.pair("dilation_rate", 1)
    is_same = layer.choice("padding", "valid", ("valid", "same")) == "same"
    kernel = layer.weight("kernel", (*size, filters, maps))
    bias, has_bias = _bias(layer, filters), layer.flag("use_bias", default=True)
    weights = None if kernel is None else named(weight=kernel.permute(3, 2, 0, 1), bias=bias)
    extra: list[int] = []
    crops: list[Pair] = []
    given = layer.settings.get("output_padding")
    for axis, sides in enumerate(x.meta.shape[2:]):
        covered = (size[axis] - 1) * dilation[axis] + 1
        full = (sides - 1) * stride[axis] + covered
        if given is not None:
            more = layer.pair("output_padding", minimum=0)[axis]
            before = covered // 2 if is_same else 0
            out = full - 2 * before + more
        else:
            out = (
                sides * stride[axis]
                if is_same
                else sides * stride[axis] + max(covered - stride[axis], 0)
            )
            before = max(covered - stride[axis], 0) // 2 if is_same else 0
        extra.append(max(out + before - full, 0))
        crops.append((before, full + extra[-1] - before - out))
    if any(pad >= max(step, wide) for pad, step, wide in zip(extra, stride, dilation, strict=True)):
        raise layer.refused("pads its output by its stride or more, which PyTorch does not.")
    (top, bottom), (left, right) = crops
    is_even = top == bottom and left == right and not any(extra)
    with torch.device("meta"):
        module = nn.ConvTranspose2d(
            maps,
            filters,
            size,
            stride,
            padding=(top, left) if is_even else 0,
            output_padding=(extra[0], extra[1]),
            bias=has_bias,
            dilation=dilation,
        )
    x = graph.apply(layer.name, module, x, weights=weights)
    if not is_even and any((left, right, top, bottom)):
        x = graph.apply(f"{layer.name}_crop", Crop2d(left, right, top, bottom), x)
    return activated(layer, x, graph)


def max_pooling2d(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """MaxPooling2D; padding is never the largest."""
    x = as_maps(layer, x, graph)
    window = _window(layer, x, "pool_size")
    padding, ceil_mode = _pool_padding(window, x)
    if padding is None:
        pad = nn.ConstantPad2d(window.edges, -math.inf)
        x, padding = graph.apply(f"{layer.name}_pad", pad, x), (0, 0)
    module = nn.MaxPool2d(window.size, window.stride, padding, ceil_mode=ceil_mode)
    return graph.apply(layer.name, module, x)


def average_pooling2d(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """AveragePooling2D; padding is left out of the average."""
    x = as_maps(layer, x, graph)
    window = _window(layer, x, "pool_size")
    padding, ceil_mode = _pool_padding(window, x)
    if padding is None:
        module: nn.Module = AveragePoolInside(
            window.size, stride=window.stride, padding=window.edges
        )
    else:
        module = nn.AvgPool2d(
            window.size, window.stride, padding, ceil_mode=ceil_mode, count_include_pad=False
        )
    return graph.apply(layer.name, module, x)


def global_pooling2d(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """GlobalAveragePooling2D and GlobalMaxPooling2D, as one value for each map or 1x1 maps."""
    x = as_maps(layer, x, graph)
    is_max = "Max" in layer.kind
    pool: nn.Module = nn.AdaptiveMaxPool2d(1) if is_max else nn.AdaptiveAvgPool2d(1)
    x = graph.apply(layer.name, pool, x)
    if layer.flag("keepdims", default=False):
        return x
    return graph.apply(f"{layer.name}_flatten", nn.Flatten(), x, order=(0,))


def _window(layer: Layer, x: Value, size_key: str) -> Window:
    size = layer.pair(size_key, 2 if size_key == "pool_size" else (1, 1))
    is_pool = size_key == "pool_size"
    stride = size if is_pool and layer.settings.get("strides") is None else layer.pair("strides", 1)
    dilation = (1, 1) if is_pool else layer.pair("dilation_rate", 1)
    if layer.choice("padding", "valid", ("valid", "same")) == "valid":
        return Window(size, stride, dilation, (0, 0, 0, 0))
    height, width = x.meta.shape[2:]
    top, bottom = _same(height, size[0], stride[0], dilation[0])
    left, right = _same(width, size[1], stride[1], dilation[1])
    return Window(size, stride, dilation, (left, right, top, bottom))


def _same(side: int, size: int, stride: int, dilation: int) -> Pair:
    """TensorFlow's padding for ⌈side / stride⌉ windows: the odd one is at the end."""
    windows = -(-side // stride)
    total = max((windows - 1) * stride + (size - 1) * dilation + 1 - side, 0)
    return total // 2, total - total // 2


def _pool_padding(window: Window, x: Value) -> tuple[Pair | None, bool]:
    """Padding and `ceil_mode` for PyTorch's pooling; None where it has none such."""
    left, right, top, bottom = window.edges
    padding = window.symmetric
    if padding is not None:
        fits = all(2 * pad <= size for pad, size in zip(padding, window.size, strict=True))
        return (padding if fits else None), False
    if (left, top) == (0, 0) and all(
        -(-(side - size) // stride) == (side + after - size) // stride
        for side, size, stride, after in zip(
            x.meta.shape[2:], window.size, window.stride, (bottom, right), strict=True
        )
    ):
        return (0, 0), True
    return None, False


def _convolved(
    name: str,
    window: Window,
    x: Value,
    graph: GraphBuilder,
    filters: int,
    groups: int,
    has_bias: bool,  # noqa: FBT001 -- private
    weights: Weights,
) -> Value:
    padding = window.symmetric
    if padding is None:
        x = graph.apply(f"{name}_pad", nn.ZeroPad2d(window.edges), x)
        padding = (0, 0)
    with torch.device("meta"):
        module = nn.Conv2d(
            x.meta.shape[1],
            filters,
            window.size,
            window.stride,
            padding,
            window.dilation,
            groups,
            bias=has_bias,
        )
    return graph.apply(name, module, x, weights=weights)


def _bias(layer: Layer, units: int) -> Tensor | None:
    return layer.weight("bias", (units,)) if layer.flag("use_bias", default=True) else None


def _depthwise(kernel: Tensor) -> Tensor:
    height, width, maps, each = kernel.shape
    return kernel.permute(2, 3, 0, 1).reshape(maps * each, 1, height, width)


def named(**weights: Tensor | None) -> Weights:
    """The weights that there are, each in memory of its own."""
    return {name: value.contiguous() for name, value in weights.items() if value is not None}
