"""A few operands, each weighted by what others say: quotients added, interpolation, gates."""

import math

from convscope.explanation.rules.operation_view import (
    Index,
    OperationView,
    UnsupportedOperation,
    broadcast_index,
)
from convscope.recording import Source
from convscope.terms import Expression, Sum, Terms, number, quotient


def addcdiv(op: OperationView, at: Index) -> Sum:
    """y = x + v·a / b."""
    base, first, second = (op.source(name) for name in ("input", "tensor1", "tensor2"))
    divisor = op.number(second, broadcast_index(second.shape, at))
    weight = quotient(op.number(op.argument("value", default=1)), divisor)
    return Sum(
        terms=Terms(
            op.terms_of(base, [broadcast_index(base.shape, at)]),
            op.terms_of(first, [broadcast_index(first.shape, at)], weights=weight),
        ),
        formula="y = x + v·a / b",
        roundings=6,
    )


def lerp(op: OperationView, at: Index) -> Sum:
    """y = (1 − w)·x + w·z, with a number or a tensor of weights."""
    start, end, weight = op.source("input"), op.source("end"), op.argument("weight")
    share = op.number(
        weight, broadcast_index(weight.shape, at) if isinstance(weight, Source) else ()
    )
    groups = [
        op.terms_of(source, [broadcast_index(source.shape, at)], weights=part)
        for source, part in ((start, 1 - share), (end, share))
    ]
    size = sum(abs(float(group.values[0])) for group in groups)
    return Sum(
        terms=Terms(*groups),
        formula="y = (1 − w)·x + w·z",
        roundings=6,
        magnitude=(1 + abs(share)) * size if math.isfinite(size) else 0.0,
    )


def gated_linear_unit(op: OperationView, at: Index) -> Expression:
    """y = a / (1 + e^−b): along a dimension a is in the first half of units, b in the other."""
    source, dim = op.input(), op.argument("dim", default=-1)
    if not isinstance(dim, int):
        raise UnsupportedOperation
    half = [0] * len(at)
    half[dim] = source.shape[dim] // 2
    gate_at = tuple(n + shift for n, shift in zip(at, half, strict=True))
    terms = Terms(op.terms_of(source, [at, gate_at]))
    value, gate = terms.values.tolist()
    open_by = _sigmoid(gate)
    return Expression(
        terms=terms,
        formula="y = a / (1 + e^−b)",
        substituted=f"{number(value)} · {number(open_by)}",
        exact_value=value * open_by,
        roundings=12 + math.ceil(min(abs(gate), 1e6)) if math.isfinite(gate) else 12,
    )


def _sigmoid(x: float) -> float:
    """1 / (1 + e^−x), without overflow."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
