"""Keras's layers that move units: padding, cropping, flattening, reshaping, scaling."""

import math
from typing import Any

import torch
from torch import nn

from convscope.foreign.builder import GraphBuilder, Value
from convscope.foreign.keras.layers.windows import as_maps
from convscope.foreign.layer import Layer
from convscope.foreign.modules import Crop2d, Resize


def zero_padding2d(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """ZeroPadding2D."""
    x = as_maps(layer, x, graph)
    return graph.apply(layer.name, nn.ZeroPad2d(layer.edges("padding")), x)


def cropping2d(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """Cropping2D."""
    x = as_maps(layer, x, graph)
    return graph.apply(layer.name, Crop2d(*layer.edges("cropping")), x)


def up_sampling2d(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """UpSampling2D, nearest or bilinear."""
    x = as_maps(layer, x, graph)
    mode = layer.choice("interpolation", "nearest", ("nearest", "bilinear"))
    vertical, horizontal = layer.pair("size", 2)
    factors = (float(vertical), float(horizontal))
    return graph.apply(layer.name, nn.Upsample(scale_factor=factors, mode=mode), x)


def resizing(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """Resizing, bilinear or nearest, without a filter against aliasing."""
    x = as_maps(layer, x, graph)
    for key in ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias"):
        if layer.settings.get(key):
            raise layer.refused(f"has {key}, which convscope does not read. Leave the layer out.")
    mode = layer.choice("interpolation", "bilinear", ("bilinear", "nearest"))
    size = (layer.integer("height"), layer.integer("width"))
    return graph.apply(
        layer.name, Resize(size, "bilinear" if mode == "bilinear" else "nearest-exact"), x
    )


def center_crop(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """CenterCrop, of maps that are large enough."""
    x = as_maps(layer, x, graph)
    height, width = x.meta.shape[2:]
    below, beside = height - layer.integer("height"), width - layer.integer("width")
    if min(below, beside) < 0:
        raise layer.refused(f"crops maps of {height}x{width}, which are smaller.")
    top, left = below // 2, beside // 2
    return graph.apply(layer.name, Crop2d(left, beside - left, top, below - top), x)


def flatten(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """Flatten: a vector in PyTorch's order, with that of the file as its index."""
    if x.rank == 1:
        return graph.apply(layer.name, nn.Identity(), x, index=x.index)
    units = torch.arange(math.prod(x.shape))
    if x.rank > 1 and layer.settings.get("data_format") == "channels_first":
        axes = [*range(1, x.rank), 0]  # Keras moves the maps to the end first
        positions = units.reshape([x.shape[axis] for axis in axes])
        positions = positions.permute([axes.index(axis) for axis in range(x.rank)])
    else:
        positions = units.reshape(x.shape)
    index = positions.permute(x.order).flatten()
    index = None if torch.equal(index, units) else index
    return graph.apply(layer.name, nn.Flatten(), x, order=(0,), index=index)


def reshape(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """Reshape, with one axis that may be -1."""
    given: Any = layer.settings.get("target_shape")
    shape, units = layer.integers("target_shape", given), math.prod(x.shape)
    known = math.prod(side for side in shape if side != -1)
    if shape.count(-1) == 1 and known and units % known == 0:
        shape[shape.index(-1)] = units // known
    if not 1 <= len(shape) <= 6 or min(shape) < 1 or math.prod(shape) != units:
        raise layer.wrong("target_shape", given, f"a shape of {units:,} units")
    return graph.reshaped(x, tuple(shape), layer.name)


def permute(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """Permute: PyTorch's tensor stays, its axes have other numbers in the file."""
    given: Any = layer.settings.get("dims")
    axes = [axis - 1 for axis in layer.integers("dims", given)]
    if sorted(axes) != [*range(x.rank)]:
        raise layer.wrong("dims", given, f"the numbers 1 to {x.rank}")
    order = tuple(axes.index(axis) for axis in x.order)
    return graph.apply(layer.name, nn.Identity(), x, order=order, index=x.index)
