"""A network of PyTorch as a model of Keras on JAX, with the same weights, and its training step.

The network's traced operations are translated one by one, so that it need not be `nn.Sequential`.
Volumes have their channels last, and are turned where a network flattens them.
"""

import importlib
import importlib.util
import operator
import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn

HAS_KERAS = all(importlib.util.find_spec(name) is not None for name in ("keras", "jax"))


def keras_step(
    net: nn.Module, images: Tensor, labels: Tensor, *, rate: float, momentum: float
) -> Callable[[], float]:
    """One jitted step of cross-entropy and SGD, which answers with the loss.

    Means and variances that batch norm keeps are part of what a step moves; Keras divides a
    variance by n where PyTorch keeps that by n - 1, which no step of training reads. Raises
    ValueError, naming it, for an operation that is not translated.
    """
    os.environ["KERAS_BACKEND"] = "jax"
    jax: Any = importlib.import_module("jax")  # not before it is asked for: its threads begin here
    keras: Any = importlib.import_module("keras")
    model = twin(net, (images.shape[2], images.shape[3], images.shape[1]))
    optimizer = keras.optimizers.SGD(rate, momentum=momentum)
    optimizer.build(model.trainable_variables)
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    x = jax.numpy.asarray(images.permute(0, 2, 3, 1).contiguous().numpy())
    y = jax.numpy.asarray(labels.numpy())

    def loss_of(weights: Any, kept: Any) -> Any:
        logits, kept = model.stateless_call(weights, kept, x, training=True)
        return entropy(y, logits), kept

    def update(weights: Any, kept: Any, held: Any) -> Any:
        (loss, kept), slopes = jax.value_and_grad(loss_of, has_aux=True)(weights, kept)
        weights, held = optimizer.stateless_apply(held, slopes, weights)
        return loss, (weights, kept, held)

    moved = jax.jit(update)
    parts = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    state: Any = tuple([variable.value for variable in part] for part in parts)

    def step() -> float:
        nonlocal state
        loss, state = moved(*state)
        jax.block_until_ready(state)
        return float(loss)

    return step


def twin(net: nn.Module, shape: tuple[int, int, int]) -> Any:
    """The model of Keras, for images of `shape` (height, width, channels)."""
    keras: Any = importlib.import_module("keras")
    traced = fx.symbolic_trace(net)
    given, values = keras.Input(shape), dict[fx.Node, Any]()
    for node in traced.graph.nodes:
        inputs = [values.get(one) for one in node.args if isinstance(one, fx.Node)]
        if node.op == "placeholder":
            values[node] = given
        elif node.op == "output":
            return keras.Model(given, inputs[0])
        elif node.op == "call_module":
            values[node] = _layer(traced.get_submodule(node.target), inputs[0], keras)
        elif node.target is operator.add:
            values[node] = keras.layers.Add()(inputs)
        elif node.target is torch.relu:
            values[node] = keras.layers.ReLU()(inputs[0])
        else:
            raise ValueError(f"{node.name} has no twin in Keras yet")
    raise ValueError("The network has no answer")


def _layer(layer: nn.Module, x: Any, keras: Any) -> Any:  # noqa: C901, PLR0911 -- a table
    k = keras.layers
    match layer:
        case nn.Conv2d():
            return _convolution(layer, x, k)
        case nn.Linear():
            has_bias = "bias" in dict(layer.named_parameters())
            made = k.Dense(layer.out_features, use_bias=has_bias)
            return _with(made, x, layer.weight.T, layer.bias)
        case nn.BatchNorm2d() if layer.momentum is not None:
            made = k.BatchNormalization(momentum=1 - layer.momentum, epsilon=layer.eps)
            return _with(made, x, layer.weight, layer.bias, layer.running_mean, layer.running_var)
        case nn.Flatten():
            return k.Flatten()(k.Permute((3, 1, 2))(x))
        case nn.MaxPool2d() if _stays_inside(layer):
            return k.MaxPooling2D(layer.kernel_size, layer.stride)(x)
        case nn.AvgPool2d() if _stays_inside(layer):
            return k.AveragePooling2D(layer.kernel_size, layer.stride)(x)
        case nn.AdaptiveAvgPool2d() if layer.output_size == 1:
            return k.GlobalAveragePooling2D(keepdims=True)(x)
        case nn.ZeroPad3d() if not any(layer.padding[:4]):  # its third axis is the maps
            return keras.ops.pad(x, ((0, 0), (0, 0), (0, 0), layer.padding[4:]))
        case nn.Identity():
            return x
        case nn.ReLU() | nn.Tanh():
            return k.Activation(type(layer).__name__.lower())(x)
        case _:
            raise ValueError(f"{layer} has no twin in Keras yet")


def _stays_inside(layer: nn.MaxPool2d | nn.AvgPool2d) -> bool:
    """Whether no window hangs over an edge."""
    return layer.padding == 0 and (not layer.ceil_mode or layer.kernel_size == 1)


def _convolution(layer: nn.Conv2d, x: Any, k: Any) -> Any:
    """At a stride Keras's "same" would pad otherwise than PyTorch: zeros are put there first."""
    padding = layer.padding
    if isinstance(padding, str) or layer.groups > 1 or layer.dilation != (1, 1):
        raise ValueError(f"{layer} has no twin in Keras yet")
    same = layer.stride == (1, 1) and all(
        2 * pad == size - 1 for pad, size in zip(padding, layer.kernel_size, strict=True)
    )
    if any(padding) and not same:
        x = k.ZeroPadding2D(padding)(x)
    made = k.Conv2D(
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        padding="same" if same else "valid",
        use_bias=layer.bias is not None,
    )
    return _with(made, x, layer.weight.permute(2, 3, 1, 0), layer.bias)


def _with(made: Any, x: Any, *weights: Tensor | None) -> Any:
    """The layer's result; from now on it has these weights, but for those that are None."""
    result = made(x)
    made.set_weights([weight.detach().numpy() for weight in weights if weight is not None])
    return result
