"""Layer-wise relevance propagation: a value handed back, operation by operation, in shares.

Reference: Bach et al., On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise
Relevance Propagation, 2015, https://doi.org/10.1371/journal.pone.0130140; the rules are called as
in Montavon et al., Layer-Wise Relevance Propagation: An Overview, 2019, section 10.2.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

from convscope.attribution.gating import (
    ATTENTION,
    NORMALIZATIONS,
    attended,
    attended_signal,
    gated_signal,
    normalized,
)
from convscope.attribution.gradient_rule import gradient, is_piecewise_linear
from convscope.attribution.steps import Step, Tape
from convscope.errors import RequestError
from convscope.recording import get_kind

LrpRule = Literal["composite", "epsilon", "z-plus"]
"""How relevance is divided among the operands x of z = Σ w·x + b.

- `epsilon`: by w·x / z everywhere; what b adds to z is nobody's, and is counted as that of biases.
- `z-plus`: by the positive ones among the w·x alone (α=1, β=0); nothing goes to biases.
- `composite`: z-plus for convolutions and for sums of two results, as in residual blocks, epsilon
  for all else; batch norm that belongs to no convolution hands on what it gets. Where something is
  normalized by its own statistics, as in transformers, sums have terms of both signs by design, and
  are divided by epsilon.
"""

_STABILIZER = 1e-6  # of the root mean square of z, which keeps 0 out of the denominator

Parts = Mapping[str, Tensor]
PullBack = Callable[[Step, Tensor], Parts]
"""The gradient by each operand, given that by the result."""


class RelevanceRules:
    """The rule of each operation of a pass; batch norm is folded into the convolution before it.

    Functions of single units that map 0 to 0 (ReLU, tanh, GELU, dropout) hand on what they get, and
    so does local response normalization, whose divisor counts as a constant. Max pooling gives all
    to the largest unit. Of a gate or of attention weights and what they multiply, the latter gets
    all, and the divisor of a normalization counts as a constant: see `gating`.
    """

    def __init__(self, tape: Tape, rule: LrpRule) -> None:
        self._rule = rule
        self._folded = folded_norms(tape)
        self._norms = {norm: convolution for convolution, norm in self._folded.items()}
        self._tape = tape
        kinds = {operation.kind for operation in tape.operations.values()}
        self._has_signed_sums = not kinds.isdisjoint(NORMALIZATIONS)

    def __call__(self, step: Step, relevance: Tensor) -> Parts:
        """What each operand gets of the relevance of a result.

        Raises RequestError, naming the operation, where no rule is known.
        """
        if step.operation.name in self._norms or step.kind in _UNCHANGED:
            return self._unchanged(step, relevance)
        if step.kind in _WINNERS or get_kind(step.kind).rule in ("move", "cast"):
            return step.pull_back(relevance)
        decided = self._by_constants(step, relevance)
        if decided is not None:
            return decided
        if not is_piecewise_linear(step):
            raise RequestError(
                f"LRP has no rule for {step.kind} ({step.operation.name}). Methods that take any "
                "network: integrated-gradients, occlusion, grad-cam."
            )
        if step.kind == "batch_norm" and self._rule != "epsilon":
            return self._unchanged(step, relevance)
        is_positive = self._rule == "composite" and step.kind == "add" and not self._has_signed_sums
        is_positive |= self._rule != "epsilon" and step.kind in _CONVOLUTIONS
        is_positive |= self._rule == "z-plus" and step.kind in ("linear", "add")
        divide = _by_positive_terms if is_positive else _by_terms
        return divide(step, relevance, self._scale(step))

    def _by_constants(self, step: Step, relevance: Tensor) -> Parts | None:
        """The parts where something decides how much passes; None for any other operation."""
        if step.kind in NORMALIZATIONS:
            return _by_terms(step, relevance, None, normalized)
        if step.kind == ATTENTION:
            return _by_terms(step, relevance, None, attended)
        if (signal := gated_signal(step, self._tape)) is not None:
            return {signal: relevance}
        if (signal := attended_signal(step, self._tape)) is not None:
            return {signal: _by_terms(step, relevance, None)[signal]}
        return None

    def loses_to_bias(self, step: Step) -> bool:
        """Whether what is lost at an operation is the share of its bias."""
        if step.kind == "batch_norm":
            return self._rule == "epsilon"
        if step.kind in NORMALIZATIONS:
            return True
        is_epsilon = self._rule == "epsilon" or (
            self._rule == "composite"
            and (step.kind == "linear" or (step.kind == "add" and self._has_signed_sums))
        )
        return is_epsilon and step.operation.name not in self._norms

    def _unchanged(self, step: Step, relevance: Tensor) -> Parts:
        if len(step.operands) != 1:
            raise RequestError(
                f"LRP has no rule for {step.kind} of several results ({step.operation.name}). "
                "Methods that take any network: integrated-gradients, occlusion, grad-cam."
            )
        return dict.fromkeys(step.operands, relevance)

    def _scale(self, step: Step) -> "Folded":
        """Of a convolution with a batch norm: by what it multiplies, and what comes out of it."""
        norm = self._folded.get(step.operation.name)
        if norm is None:
            return None
        folded = self._tape.step(norm)
        scale = folded.norm_scale
        return None if scale is None else (scale, folded.output)


Folded = tuple[Tensor, Tensor] | None


def folded_norms(tape: Tape) -> Mapping[str, str]:
    """The batch norm in eval mode that alone reads each convolution, by its name."""
    folded: dict[str, str] = {}
    for name, operation in tape.operations.items():
        readers = tape.users[name]
        if operation.kind in _CONVOLUTIONS and len(readers) == 1:
            norm = tape.operations[readers[0]]
            if norm.kind == "batch_norm" and tape.step(norm.name).norm_scale is not None:
                folded[name] = norm.name
    return folded


def _by_terms(
    step: Step, relevance: Tensor, folded: Folded, pull_back: PullBack = gradient
) -> Parts:
    """Rule epsilon: x · ∂z/∂x · R / z."""
    total = step.output if folded is None else folded[1]
    shares = relevance / _stabilized(total)
    if folded is not None:
        shares = shares * folded[0]
    return {name: step.operands[name] * part for name, part in pull_back(step, shares).items()}


def _stabilized(total: Tensor) -> Tensor:
    scale = total.square().mean().sqrt()
    tiny = torch.finfo(total.dtype).tiny
    return total + torch.where(total < 0, -1.0, 1.0) * (_STABILIZER * scale + tiny)


def _by_positive_terms(step: Step, relevance: Tensor, folded: Folded) -> Parts:
    """Rule z-plus: R divided by the positive ones among the terms w·x."""
    if step.kind == "add":
        return _by_positive_summands(step, relevance)
    weight = step.argument("weight").detach()
    if folded is not None:
        weight = _scaled(weight, folded[0], step)
    signs = [1.0] if not any(bool((x < 0).any()) for x in step.operands.values()) else [1.0, -1.0]
    halves = [_half(step, weight, sign) for sign in signs]
    total = halves[0].output if len(halves) == 1 else halves[0].output + halves[1].output
    shares = torch.where(total > 0, relevance / torch.where(total > 0, total, 1), 0)
    parts: dict[str, Tensor] = {}
    for half in halves:
        for name, part in gradient(half, shares).items():
            found = half.operands[name] * part
            parts[name] = parts[name] + found if name in parts else found
    return parts


def _half(step: Step, weight: Tensor, sign: float) -> Step:
    """The step with the weights and the operands of one sign, and without its bias."""
    arguments = step.operation.arguments
    replaced = {arguments["weight"].name: sign * (sign * weight).clamp_min(0)}
    for name, operand in step.operands.items():
        replaced[name] = sign * (sign * operand).clamp_min(0)
    bias = step.argument("bias")
    if bias is not None:
        replaced[arguments["bias"].name] = torch.zeros_like(bias)
    half = step.reading(replaced)
    with torch.no_grad():
        return half.with_output(half.run(half.operands))


def _scaled(weight: Tensor, scale: Tensor, step: Step) -> Tensor:
    """A convolution's weight (out, in, ...) with the scale of the batch norm behind it."""
    if step.kind.startswith("conv_transpose"):
        groups = step.argument("groups", 1)
        by_group = scale.flatten().reshape(groups, 1, -1)
        shape = (weight.shape[0], weight.shape[1], *(1,) * (weight.ndim - 2))
        rows = weight.shape[0] // groups
        return weight * by_group.expand(groups, rows, -1).reshape(shape)
    return weight * scale.flatten().reshape(-1, *(1,) * (weight.ndim - 1))


def _by_positive_summands(step: Step, relevance: Tensor) -> Parts:
    """Of a sum of results: R divided by the positive ones among them."""
    parts = {
        n: gain * step.operands[n] for n, gain in gradient(step, torch.ones_like(relevance)).items()
    }
    if any(part.shape != relevance.shape for part in parts.values()):
        return _by_terms(step, relevance, None)
    positive = {name: part.clamp_min(0) for name, part in parts.items()}
    total = torch.stack(list(positive.values())).sum(0)
    shares = torch.where(total > 0, relevance / torch.where(total > 0, total, 1), 0)
    return {name: part * shares for name, part in positive.items()}


_CONVOLUTIONS = (*(f"conv{n}d" for n in (1, 2, 3)), *(f"conv_transpose{n}d" for n in (1, 2, 3)))
_WINNERS = frozenset(
    {
        *(f"max_pool{n}d" for n in (1, 2, 3)),
        *(f"adaptive_max_pool{n}d" for n in (1, 2, 3)),
        *("MinPool2d", "maximum", "minimum", "amax", "amin"),
    }
)
_UNCHANGED = frozenset(
    {
        *("relu", "relu6", "leaky_relu", "prelu", "elu", "selu", "celu", "gelu", "silu", "mish"),
        *("hardtanh", "hardswish", "tanh", "softsign", "tanhshrink", "ScaledTanh", "clamp_min"),
        *("dropout", "dropout2d", "dropout3d", "feature_dropout", "DropPath"),
        *("local_response_norm", "LocalResponseNorm"),
    }
)
