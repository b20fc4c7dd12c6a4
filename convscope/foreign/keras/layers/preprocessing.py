"""Keras's layers that prepare pixels: Rescaling and Normalization."""

from typing import Any, cast

import torch
from torch import Tensor

from convscope.foreign.builder import GraphBuilder, Value
from convscope.foreign.keras.layers.activations import behind_images
from convscope.foreign.keras.layers.windows import named
from convscope.foreign.layer import Layer
from convscope.foreign.modules import Rescale

_EPSILON = 1e-7  # of Keras


def rescaling(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """Rescaling: scale x + offset, each a number or one for each map."""
    scale, offset = (_constant(layer, key, x) for key in ("scale", "offset"))
    return _rescaled(layer, scale, offset, x, graph)


def normalization(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """Normalization: (x - mean) / sqrt(variance), or the inverse of that."""
    given: Any = layer.settings.get("axis", -1)
    listed: object = [given] if isinstance(given, int) else given or []
    axes = sorted(
        behind_images(layer, one, x) for one in layer.integers("axis", listed, minimum=-8)
    )
    shape = [x.shape[axis] for axis in axes]
    mean, variance = (_moment(layer, key, shape) for key in ("mean", "variance"))
    if mean is None or variance is None:
        raise layer.refused("has neither a mean and variance nor weights that say them.")
    broadcast = [side if axis in axes else 1 for axis, side in enumerate(x.shape)]
    mean, std = mean.reshape(broadcast), variance.reshape(broadcast).sqrt().clamp(min=_EPSILON)
    if layer.settings.get("invert"):
        return _rescaled(layer, std, mean, x, graph)
    return _rescaled(layer, 1 / std, -mean / std, x, graph)


def _moment(layer: Layer, key: str, shape: list[int]) -> Tensor | None:
    given = _plain(layer.settings.get(key))
    if given is None:
        read = layer.weight(key, shape)
        return None if read is None else read.double()
    value = layer.numbers(key, given).squeeze()
    try:
        return value.expand(shape) if value.dim() <= 1 else value.reshape(shape)
    except RuntimeError as error:
        raise layer.wrong(key, given, f"numbers of shape {tuple(shape)}") from error


def _constant(layer: Layer, key: str, x: Value) -> Tensor:
    value = layer.numbers(key, _plain(layer.settings.get(key, 0.0)))
    try:
        torch.broadcast_shapes(value.shape, x.shape)
    except RuntimeError as error:
        raise layer.wrong(key, value.tolist(), "a number, or one for each map") from error
    if value.dim() > x.rank:
        raise layer.wrong(key, value.tolist(), "a number, or one for each map")
    return value.reshape((1,) * (x.rank - value.dim()) + value.shape)


def _rescaled(layer: Layer, scale: Tensor, offset: Tensor, x: Value, graph: GraphBuilder) -> Value:
    """scale x + offset, the constants with the axes of the file."""
    x = graph.plain(x, layer.name) if x.index is not None else x
    of_both = torch.zeros_like(scale) + torch.zeros_like(offset)
    scale, offset = ((one + of_both).permute(x.order).float() for one in (scale, offset))
    with torch.device("meta"):
        module = Rescale(scale.shape)
    return graph.apply(layer.name, module, x, weights=named(scale=scale, offset=offset))


def _plain(value: Any) -> Any:
    """The numbers of an array, as Keras writes it."""
    if isinstance(value, dict):
        inner: Any = cast("dict[str, Any]", value).get("config")
        return cast("dict[str, Any]", inner).get("value") if isinstance(inner, dict) else inner
    return value
