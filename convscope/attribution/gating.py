"""What decides how much of a signal passes, and counts as a constant: gates, attention, scales.

A gate is what a sigmoid returns, or a hard one; attention weights are what a softmax returns; the
deviation of a normalization divides. All relevance is the signal's: what decides has no share of
what is there.

References: for gates Arras, Montavon, Müller & Samek, Explaining Recurrent Neural Network
Predictions in Sentiment Analysis, 2017, https://arxiv.org/abs/1706.07206, section 3.1; for
attention and layer normalization Ali, Schnake, Eberle, Montavon, Müller & Wolf, XAI for
Transformers: Better Explanations through Conservative Propagation, 2022,
https://arxiv.org/abs/2202.07304, section 4.
"""

from collections.abc import Set as AbstractSet
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from convscope.attribution.steps import Step, Tape
from convscope.recording import get_kind

_GATES = frozenset({"sigmoid", "hardsigmoid"})
_WEIGHTS = frozenset({"softmax"})
_IDLE = ("move", "cast")  # rules of what only lays values out anew
_DROPOUT = "dropout"  # which does nothing in eval mode

_PRODUCTS = frozenset({"matmul", "bmm", "einsum"})
_BY_DEVIATION = frozenset({"layer_norm", "group_norm", "instance_norm"})
_BY_ROOT_MEAN_SQUARE = frozenset({"rms_norm"})
NORMALIZATIONS = _BY_DEVIATION | _BY_ROOT_MEAN_SQUARE
"""Kinds whose divisor is computed from the image, and has a rule."""

ATTENTION = "scaled_dot_product_attention"


def gated_signal(step: Step, tape: Tape) -> str | None:
    """The operand that a gate multiplies; None where the result is not such a product."""
    if get_kind(step.kind).rule != "multiply":
        return None
    signal = _other_than(_GATES, step, tape)
    return signal if signal and step.operands[signal].shape == step.output.shape else None


def attended_signal(step: Step, tape: Tape) -> str | None:
    """The operand of a product of matrices that attention weights multiply; None for others."""
    return _other_than(_WEIGHTS, step, tape) if step.kind in _PRODUCTS else None


def attended(step: Step, gradient: Tensor) -> dict[str, Tensor]:
    """Of attention as one operation: the gradient by its values, with the weights as constants."""
    given: dict[str, Any] = {name: step.argument(name) for name in step.operation.arguments}
    value: Tensor = given["value"].detach().clone().requires_grad_()
    given["value"] = value
    with torch.enable_grad():
        output: Tensor = F.scaled_dot_product_attention(**given)
    (found,) = torch.autograd.grad(output, value, gradient.contiguous())
    return {step.operation.arguments["value"].name: found}


def normalized(step: Step, gradient: Tensor) -> dict[str, Tensor]:
    """Of a normalization: the gradient by its input, with its divisor as a constant.

    y = w · (x - mean) / deviation + b, over the axes that it normalizes; without the mean for one
    by the root mean square.
    """
    if not step.argument("use_input_stats", default=True):
        return step.pull_back(gradient)  # instance norm by running statistics, which is linear
    (name,) = step.operands
    source = step.operands[name].detach().clone().requires_grad_()
    with torch.enable_grad():
        divided = _over_constant(step, source)
        weight = step.argument("weight")
        if weight is not None:
            is_last = step.kind in ("layer_norm", "rms_norm")
            shape = weight.shape if is_last else (-1, *(1,) * (source.ndim - 2))
            divided = divided * weight.detach().reshape(shape)
    (found,) = torch.autograd.grad(divided, source, gradient.contiguous())
    return {name: found}


def _over_constant(step: Step, source: Tensor) -> Tensor:
    """(x - mean) / deviation, with a deviation through which no gradient goes."""
    rows = source
    if step.kind in ("layer_norm", "rms_norm"):
        rows = source.flatten(-len(step.argument("normalized_shape")))
    elif step.kind == "group_norm":
        rows = source.reshape(source.shape[0], step.argument("num_groups"), -1)
    else:
        rows = source.flatten(2)
    eps = step.argument("eps", 1e-5)
    if step.kind in _BY_ROOT_MEAN_SQUARE:
        eps = torch.finfo(source.dtype).eps if eps is None else eps
        divisor = (rows.square().mean(-1, keepdim=True) + eps).sqrt()
    else:
        rows = rows - rows.mean(-1, keepdim=True)
        divisor = (rows.square().mean(-1, keepdim=True) + eps).sqrt()
    return (rows / divisor.detach()).reshape(source.shape)


def _other_than(deciding: AbstractSet[str], step: Step, tape: Tape) -> str | None:
    """The one of two operands that is not what an operation of these kinds returned."""
    if len(step.operands) != 2:
        return None
    others = [name for name in step.operands if not _comes_from(deciding, name, tape)]
    return others[0] if len(others) == 1 else None


def _comes_from(kinds: AbstractSet[str], name: str, tape: Tape) -> bool:
    while name in tape.operations:
        operation = tape.operations[name]
        if operation.kind in kinds:
            return True
        is_idle = get_kind(operation.kind).rule in _IDLE or operation.kind == _DROPOUT
        if not is_idle or len(operation.operands) != 1:
            return False
        name = operation.operands[0]
    return False
