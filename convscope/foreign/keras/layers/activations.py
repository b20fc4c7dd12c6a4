"""Keras's activations: functions by name, and layers with settings."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import nn

from convscope.errors import nearest
from convscope.foreign.builder import GraphBuilder, Value
from convscope.foreign.layer import Layer
from convscope.foreign.modules import BoundedReLU, Function, HardSigmoid2, ParametricReLU
from convscope.strict import shown

_FUNCTIONS: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "sigmoid": nn.Sigmoid,
    "hard_sigmoid": nn.Hardsigmoid,
    "log_sigmoid": nn.LogSigmoid,
    "tanh": nn.Tanh,
    "hard_tanh": nn.Hardtanh,
    "tanh_shrink": nn.Tanhshrink,
    "hard_shrink": nn.Hardshrink,
    "soft_shrink": nn.Softshrink,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "silu": nn.SiLU,
    "swish": nn.SiLU,
    "hard_silu": nn.Hardswish,
    "hard_swish": nn.Hardswish,
    "mish": nn.Mish,
    "gelu": nn.GELU,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "exponential": lambda: Function("exp"),
}
_ALONG_AXIS = {"softmax": nn.Softmax, "log_softmax": nn.LogSoftmax}


def activated(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """The value after the activation that a layer has, as a layer NAME_ACTIVATION."""
    name = activation_name(layer)
    return x if name == "linear" else apply_function(name, layer, f"{layer.name}_{name}", x, graph)


def activation(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """Activation: a function by its name."""
    name = activation_name(layer)
    if name == "linear":
        return graph.apply(layer.name, nn.Identity(), x, index=x.index)
    return apply_function(name, layer, layer.name, x, graph)


def activation_name(layer: Layer) -> str:
    """The name of the function in a layer's settings; no function is "linear"."""
    value: Any = layer.settings.get("activation")
    if isinstance(value, dict):
        value = cast("dict[str, Any]", value)
        own = value.get("class_name")
        value = value.get("config") if own == "function" else own
        if isinstance(value, dict):
            value = cast("dict[str, Any]", value).get("name")
        value = {"ReLU": "relu", "Softmax": "softmax", "Activation": None}.get(value, value)
    if value is None:
        return "linear"
    if not isinstance(value, str) or value not in {*_FUNCTIONS, *_ALONG_AXIS, "linear"}:
        hint = nearest(value, _FUNCTIONS) if isinstance(value, str) else ""
        raise layer.refused(
            f"has the activation {shown(value)}, which convscope does not have.{hint} Use one of "
            "Keras's own, and save the network again."
        )
    return value


def apply_function(
    function: str, layer: Layer, name: str, x: Value, graph: GraphBuilder, axis: int = -1
) -> Value:
    """The value after a function of Keras, as a layer `name`."""
    along = _ALONG_AXIS.get(function)
    if along is not None:
        return graph.apply(name, along(dim=x.dim(axis)), x, index=x.index)
    is_older = function == "hard_sigmoid" and layer.is_old
    module = HardSigmoid2() if is_older else _FUNCTIONS[function]()
    return graph.apply(name, module, x, index=x.index)


def softmax(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """Softmax, along an axis, or several."""
    axis: Any = layer.settings.get("axis", -1)
    if isinstance(axis, list | tuple):
        axes = layer.integers("axis", axis, minimum=-8)
        if len(axes) != 1:
            raise layer.refused("is a softmax along several axes, which convscope does not read.")
        axis = axes[0]
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise layer.wrong("axis", axis, "an integer")
    return apply_function("softmax", layer, layer.name, x, graph, behind_images(layer, axis, x))


def behind_images(layer: Layer, axis: int, x: Value) -> int:
    """An axis without that of images, from one that counts it."""
    own = axis - 1 if axis >= 0 else axis + x.rank
    if not 0 <= own < x.rank:
        raise layer.wrong("axis", axis, f"one of the {x.rank} axes behind that of images")
    return own


def relu(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """ReLU, with the largest value, the slope below 0 and the threshold."""
    given: Any = layer.settings.get("max_value")
    largest = None if given is None else layer.number("max_value")
    slope = _number(layer, 0.0, "negative_slope")
    threshold = _number(layer, 0.0, "threshold")
    if threshold or (slope and largest is not None) or largest not in (None, 6.0):
        module: nn.Module = BoundedReLU(largest=largest, slope=slope, threshold=threshold)
    elif largest is not None:
        module = nn.ReLU6()
    else:
        module = nn.LeakyReLU(slope) if slope else nn.ReLU()
    return graph.apply(layer.name, module, x, index=x.index)


def leaky_relu(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """LeakyReLU; Keras 2 called its slope alpha."""
    slope = _number(layer, 0.3, "negative_slope", "alpha")
    return graph.apply(layer.name, nn.LeakyReLU(slope), x, index=x.index)


def elu(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """ELU."""
    return graph.apply(layer.name, nn.ELU(_number(layer, 1.0, "alpha")), x, index=x.index)


def prelu(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """PReLU, with one slope for each unit, or shared along axes."""
    x = graph.plain(x, layer.name) if x.index is not None else x
    given: Any = layer.settings.get("shared_axes")
    shared = {a - 1 for a in layer.integers("shared_axes", given or [], minimum=1)}
    shape = [1 if axis in shared else side for axis, side in enumerate(x.shape)]
    alpha = layer.weight("alpha", shape)
    sides = [shape[axis] for axis in x.order]
    maps, *others = sides
    if set(others) <= {1}:
        with torch.device("meta"):
            module: nn.Module = nn.PReLU(maps)
        weights = None if alpha is None else {"weight": alpha.permute(x.order).reshape(maps)}
    else:
        with torch.device("meta"):
            module = ParametricReLU(sides)
        weights = None if alpha is None else {"weight": alpha.permute(x.order).contiguous()}
    return graph.apply(layer.name, module, x, weights=weights)


def _number(layer: Layer, default: float, *keys: str) -> float:
    """The first setting that is there; null is the default."""
    for key in keys:
        if layer.settings.get(key) is not None:
            return layer.number(key)
    return default
