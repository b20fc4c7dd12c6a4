"""Keras's dense layers, normalization and dropout."""

from typing import Any

import torch
from torch import Tensor, nn

from convscope.foreign.builder import GraphBuilder, Value
from convscope.foreign.keras.layers.activations import activated, behind_images
from convscope.foreign.keras.layers.windows import named
from convscope.foreign.layer import Layer
from convscope.foreign.modules import Scale


def dense(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """Dense, along the last axis: the kernel is (inputs, units).

    Of flattened maps, the weights are in the order of PyTorch. Of maps it is a 1x1 convolution.
    """
    units, inputs = layer.integer("units"), x.shape[-1]
    kernel, has_bias = layer.weight("kernel", (inputs, units)), layer.flag("use_bias", default=True)
    bias = layer.weight("bias", (units,)) if has_bias else None
    is_map = x.rank == 3 and x.order[0] == 2
    if not is_map and x.order[-1] != x.rank - 1:
        x = graph.plain(x, layer.name)
    weights = None
    if kernel is not None:
        matrix = (kernel if x.index is None else kernel[x.index]).T
        weights = named(weight=matrix[:, :, None, None] if is_map else matrix, bias=bias)
    with torch.device("meta"):
        module: nn.Module = (
            nn.Conv2d(inputs, units, 1, bias=has_bias)
            if is_map
            else nn.Linear(inputs, units, bias=has_bias)
        )
    return activated(layer, graph.apply(layer.name, module, x, weights=weights), graph)


def batch_normalization(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """BatchNormalization; PyTorch's momentum is 1 minus Keras's."""
    if layer.settings.get("renorm"):
        raise layer.refused("has batch renormalization, which convscope does not read.")
    axis = behind_images(layer, _axis(layer), x)
    units = x.shape[axis]
    scale, offset = (layer.flag(key, default=True) for key in ("scale", "center"))
    gamma = layer.weight("gamma", (units,)) if scale else None
    beta = layer.weight("beta", (units,)) if offset else None
    mean = layer.weight("moving_mean", (units,))
    variance = layer.weight("moving_variance", (units,))
    x = _axis_first(layer, x, axis, graph)
    weights = None
    if mean is not None and variance is not None:
        ones, zeros = torch.ones(units), torch.zeros(units)
        state = {
            "weight": ones if gamma is None else gamma,
            "bias": zeros if beta is None else beta,
            "running_mean": mean,
            "running_var": variance,
        }
        weights = {name: _indexed(value, x) for name, value in state.items()}
    kind = nn.BatchNorm2d if x.rank == 3 else nn.BatchNorm1d
    with torch.device("meta"):
        momentum = round(1 - layer.number("momentum", 0.99), 10)
        module = kind(units, layer.number("epsilon", 1e-3), momentum)
    module.weight.requires_grad_(scale)
    module.bias.requires_grad_(offset)
    return graph.apply(layer.name, module, x, index=x.index, weights=weights)


def layer_normalization(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """LayerNormalization, of the last axes."""
    if layer.settings.get("rms_scaling"):
        raise layer.refused("is scaled by the root mean square, which convscope does not read.")
    given: Any = layer.settings.get("axis", -1)
    listed = layer.integers("axis", given if isinstance(given, list) else [given], minimum=-8)
    axes = sorted(behind_images(layer, axis, x) for axis in listed)
    if axes != [*range(x.rank - len(axes), x.rank)]:
        raise layer.refused(f"normalizes the axes {given}; convscope reads that of the last ones.")
    shape = [x.shape[axis] for axis in axes]
    scale, offset = (layer.flag(key, default=True) for key in ("scale", "center"))
    gamma = layer.weight("gamma", shape) if scale else None
    beta = layer.weight("beta", shape) if offset else None
    x = graph.plain(x, layer.name)
    with torch.device("meta"):
        module = nn.LayerNorm(shape, layer.number("epsilon", 1e-3), scale or offset, bias=offset)
    weights = None
    if gamma is not None or beta is not None:
        weights = named(weight=torch.ones(shape) if gamma is None else gamma, bias=beta)
    return graph.apply(layer.name, module, x, weights=weights)


def group_normalization(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """GroupNormalization."""
    axis = behind_images(layer, _axis(layer), x)
    units = x.shape[axis]
    groups = layer.integer("groups", 32, minimum=-1)
    groups = units if groups == -1 else groups
    if groups < 1 or units % groups:
        raise layer.refused(f"has {groups} groups, which do not divide {units} maps.")
    scale, offset = (layer.flag(key, default=True) for key in ("scale", "center"))
    gamma = layer.weight("gamma", (units,)) if scale else None
    beta = layer.weight("beta", (units,)) if offset else None
    if x.meta.numel() == groups:
        raise layer.refused(
            "has groups of one value, of which nothing is left but its bias: it gives the same for "
            "every image. Give it fewer groups, or take BatchNormalization or LayerNormalization."
        )
    x = _axis_first(layer, graph.plain(x, layer.name) if x.index is not None else x, axis, graph)
    with torch.device("meta"):
        module = nn.GroupNorm(groups, units, layer.number("epsilon", 1e-3), affine=scale or offset)
    weights = None
    if gamma is not None or beta is not None:
        weights = named(
            weight=torch.ones(units) if gamma is None else gamma,
            bias=torch.zeros(units) if beta is None else beta,
        )
    return graph.apply(layer.name, module, x, weights=weights)


def dropout(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """Dropout of each kind; it does nothing in eval mode."""
    rate = layer.number("rate", 0.5)
    if not 0 <= rate <= 1:
        raise layer.wrong("rate", rate, "from 0 to 1")
    kinds = {"SpatialDropout2D": nn.Dropout2d, "AlphaDropout": nn.AlphaDropout}
    if layer.kind == "SpatialDropout2D":
        x = _axis_first(
            layer, x, 0 if "first" in str(layer.settings.get("data_format")) else 2, graph
        )
    return graph.apply(layer.name, kinds.get(layer.kind, nn.Dropout)(rate), x, index=x.index)


def layer_scale(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """The LayerScale of Keras's ConvNeXt: each map times a weight."""
    units = layer.integer("projection_dim")
    gamma = layer.weight("gamma", (units,))
    x = graph.plain(x, layer.name) if x.index is not None else x
    if x.shape[-1] != units:
        raise layer.refused(f"has {units} weights, and gets {x.shape[-1]} maps.")
    shape = [units if axis == x.rank - 1 else 1 for axis in x.order]
    with torch.device("meta"):
        module = Scale(shape)
    weights = None if gamma is None else named(weight=gamma.reshape(shape))
    return graph.apply(layer.name, module, x, weights=weights)


def identity(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """A layer that does nothing when it predicts: noise, random augmentation."""
    return graph.apply(layer.name, nn.Identity(), x, index=x.index)


def _axis(layer: Layer) -> int:
    """The setting `axis`, which Keras 2 writes as a list of one."""
    given: Any = layer.settings.get("axis", -1)
    axes = layer.integers("axis", given if isinstance(given, list) else [given], minimum=-8)
    if len(axes) != 1:
        raise layer.wrong("axis", given, "one axis")
    return axes[0]


def _axis_first(layer: Layer, x: Value, axis: int, graph: GraphBuilder) -> Value:
    rest = [one for one in x.order if one != axis]
    return graph.ordered(x, [axis, *rest], layer.name)


def _indexed(weight: Tensor, x: Value) -> Tensor:
    return (weight if x.index is None else weight[x.index]).contiguous()
