"""The gradient, operation by operation, and what of a value it leaves to biases and to curves.

A piecewise linear network is linear around an image: its output is the gradient times the image,
plus what biases add. Each operation tells how much it adds, so that the parts add up to the output.

Reference: Srinivas & Fleuret, Full-Gradient Representation for Neural Network Visualization, 2019,
https://arxiv.org/abs/1905.00780, section 3.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import grad

from convscope.attribution.steps import Step
from convscope.recording import get_kind


def gradient(step: Step, quantity: Tensor) -> Mapping[str, Tensor]:
    """The gradient by each operand, given that by the result."""
    fast = _FAST.get(step.kind)
    is_plain = len(step.operands) == 1 or step.kind == "add"
    found = fast(step, quantity) if fast and is_plain else None
    return step.pull_back(quantity) if found is None else found


def _relu(step: Step, quantity: Tensor) -> Mapping[str, Tensor] | None:
    (name,) = step.operands
    return {name: torch.ops.aten.threshold_backward(quantity, step.output, 0)}


def _conv2d(step: Step, quantity: Tensor) -> Mapping[str, Tensor] | None:
    (name,) = step.operands
    source, weight = step.argument("input"), step.argument("weight")
    padding = step.argument("padding", 0)
    if source is not step.values.get(name) or weight is None or isinstance(padding, str):
        return None
    gradient = grad.conv2d_input(
        tuple(source.shape),
        weight.detach(),
        quantity,
        step.argument("stride", 1),
        padding,
        step.argument("dilation", 1),
        step.argument("groups", 1),
    )
    return {name: gradient}


def _linear(step: Step, quantity: Tensor) -> Mapping[str, Tensor] | None:
    (name,) = step.operands
    if step.argument("input") is not step.values.get(name):
        return None
    return {name: quantity @ step.argument("weight").detach()}


def _batch_norm(step: Step, quantity: Tensor) -> Mapping[str, Tensor] | None:
    (name,) = step.operands
    found = step.norm_scale
    return None if found is None else {name: quantity * found}


def _add(step: Step, quantity: Tensor) -> Mapping[str, Tensor] | None:
    shapes = {operand.shape for operand in step.operands.values()}
    if shapes != {quantity.shape} or step.argument("alpha", 1) != 1 or len(step.operands) != 2:
        return None
    return dict.fromkeys(step.operands, quantity)


_FAST = {
    "add": _add,
    "relu": _relu,
    "conv2d": _conv2d,
    "linear": _linear,
    "batch_norm": _batch_norm,
}


def shift_of_batch_norm(step: Step) -> Tensor | None:
    """What batch norm adds to each channel, (c,); None where it uses its batch's statistics."""
    scale = step.norm_scale
    if scale is None:
        return None
    bias = step.argument("bias")
    shift = -step.argument("running_mean").double() * scale.flatten().double()
    return shift if bias is None else shift + bias.double()


def unexplained(step: Step, quantity: Tensor, parts: Mapping[str, Tensor]) -> float:
    """What a result adds to the output that the gradient by its operands does not: g·y - Σ g·x.

    It is 0 for what is linear without a bias, the bias's share for what is linear with one, and for
    a curve, or a product of two results, the error of taking it for linear.
    """
    if is_homogeneous(step):
        return 0.0
    bias = step.argument("bias") if step.kind in _WITH_BIAS else None
    if step.kind in _WITH_BIAS:
        axes = (
            [0, *range(2, quantity.ndim)] if step.kind != "linear" else [*range(quantity.ndim - 1)]
        )
        return 0.0 if bias is None else dot(quantity.sum(axes), bias)
    if step.kind == "batch_norm" and (shift := shift_of_batch_norm(step)) is not None:
        axes = [0, *range(2, quantity.ndim)]
        return dot(quantity.sum(axes), shift)
    return dot(quantity, step.output) - sum(
        dot(part, step.operands[name]) for name, part in parts.items()
    )


def dot(a: Tensor, b: Tensor) -> float:
    """The sum of the products of two tensors' numbers, in float64."""
    return float(torch.dot(a.detach().double().flatten(), b.detach().double().flatten()))


_WITH_BIAS = ("conv1d", "conv2d", "conv3d", "linear")

_HOMOGENEOUS = frozenset(
    {
        *("relu", "leaky_relu", "prelu", "neg", "abs", "dropout", "dropout2d", "DropPath"),
        *("max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool2d", "MinPool2d"),
        *("avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool2d", "adaptive_avg_pool1d"),
        *("mean", "sum", "amax", "amin", "maximum", "minimum", "interpolate", "FractalJoin"),
    }
)
"""Kinds for which f(t·x) = t·f(x) for every t > 0, whatever their arguments."""

_AFFINE = frozenset(
    {
        *_WITH_BIAS,
        *("batch_norm", "relu6", "hardtanh", "clamp", "clamp_min", "clamp_max", "threshold"),
        *("conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "Subsampling2d"),
        *("LocallyConnected2d", "SparseConnectionConv2d", "ZCAWhitening", "pad", "masked_fill"),
    }
)
"""Kinds that are linear around a point, up to a constant."""

_SUMS = ("add", "sub", "rsub")
_ONE_FACTOR = ("mul", "matmul", "mm", "bmm", "div")


def is_homogeneous(step: Step) -> bool:
    """Whether the result is linear around the operands, without a constant."""
    rule = get_kind(step.kind).rule
    if step.kind in _HOMOGENEOUS or (rule in ("move", "cast") and step.kind not in _AFFINE):
        return True
    if step.kind in _SUMS:
        return not _has_constant(step)
    return step.kind in _ONE_FACTOR and _is_linear_product(step)


def is_piecewise_linear(step: Step) -> bool:
    """Whether the result is linear around the operands, up to a constant."""
    if step.kind == "batch_norm" and step.norm_scale is None:
        return False
    return is_homogeneous(step) or step.kind in _AFFINE or step.kind in _SUMS


def _is_linear_product(step: Step) -> bool:
    """Whether one of two factors alone depends on the image, and of a quotient not the divisor."""
    named = step.operation.arguments
    dependent = [key for key, value in named.items() if _name(value) in step.operands]
    return len(dependent) == 1 and (step.kind != "div" or dependent == ["input"])


def _has_constant(step: Step) -> bool:
    """Whether a sum has a summand that does not depend on the image."""
    named = step.operation.arguments
    summands = [value for key, value in named.items() if key in ("input", "other")]
    return len(summands) < 2 or any(_name(value) not in step.operands for value in summands)


def _name(value: object) -> str:
    return str(getattr(value, "name", ""))
