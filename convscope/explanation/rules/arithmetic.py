"""Elementwise arithmetic, comparisons, dropout, and the join of FractalNet's columns."""

import itertools
import math
import operator
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from convscope.explanation.rules.functions import rounded_quotient
from convscope.explanation.rules.operation_view import (
    Index,
    OperationView,
    UnsupportedOperation,
    broadcast_index,
)
from convscope.explanation.rules.products import sum_of_products
from convscope.recording import Source
from convscope.recording.operation import Shape, sources_in
from convscope.terms import (
    Expression,
    Extremum,
    Identity,
    Line,
    Sum,
    TermGroup,
    Terms,
    number,
    parenthesized,
    quotient,
)


def _operands(op: OperationView) -> tuple[object, object]:
    """The two operands. Raises UnsupportedOperation where one is missing."""
    left, right = op.argument("input", "self", "0"), op.argument("other", "dim", "1")
    if left is None or right is None:
        raise UnsupportedOperation
    return left, right


def _terms_of(op: OperationView, source: Source, at: Index, weight: float = 1.0) -> TermGroup:
    return op.terms_of(source, [broadcast_index(source.shape, at)], weights=weight)


def _value(op: OperationView, operand: object, at: Index) -> float:
    """The value of an operand, a tensor or a number, for the unit."""
    return op.number(
        operand, broadcast_index(operand.shape, at) if isinstance(operand, Source) else ()
    )


def add(op: OperationView, at: Index) -> Sum:
    """y = x + z, x - z or x + α·z; an operand that is a plain number becomes the bias."""
    left, right = _operands(op)
    sign = -1.0 if op.operation.kind in ("sub", "rsub") else 1.0
    alpha = op.argument("alpha", default=1)
    if not isinstance(alpha, int | float):
        raise UnsupportedOperation
    if op.operation.kind == "rsub":
        left, right = right, left
    weighted = [(left, 1.0), (right, sign * alpha)]
    groups = [_terms_of(op, s, at, weight) for s, weight in weighted if isinstance(s, Source)]
    numbers = [weight * op.number(s) for s, weight in weighted if not isinstance(s, Source)]
    total = sum_of_products(op, Terms(*groups), "y = x − z" if sign < 0 else "y = x + z")
    return replace(total, bias=math.fsum(numbers), rounded=_rounded_addends(op, at, weighted))


def _rounded_addends(
    op: OperationView, at: Index, weighted: Sequence[tuple[object, float]]
) -> float:
    """The magnitudes of what may be rounded before it is added: a number; α, and then α·z."""
    rounded = 0.0
    for operand, weight in weighted:
        if not isinstance(operand, Source):
            rounded += abs(weight * op.number(operand))
        elif abs(weight) != 1:
            rounded += 2 * abs(weight * _value(op, operand, at))
    return rounded


def multiply(op: OperationView, at: Index) -> Sum:
    """y = w·x, where w is the operand that does not depend on the image, or else the second."""
    x, w = _operands(op)
    if not isinstance(x, Source) or (
        isinstance(w, Source)
        and x.name not in op.operation.operands
        and w.name in op.operation.operands
    ):
        x, w = w, x
    if not isinstance(x, Source):
        raise UnsupportedOperation
    x_at = broadcast_index(x.shape, at)
    if not isinstance(w, Source):
        group = op.terms_of(x, [x_at], weights=op.number(w))
        return sum_of_products(op, Terms(group), "y = w·x")
    w_at = broadcast_index(w.shape, at)
    indices = np.array([w_at], dtype=np.int64).reshape(1, len(w_at))
    group = op.terms_of(x, [x_at], weights=op.number(w, w_at), weight=(w, indices))
    return sum_of_products(op, Terms(group), "y = w·x")


def divide(op: OperationView, at: Index) -> Sum | Expression:
    """y = x / z."""
    x, z = _operands(op)
    if op.argument("rounding_mode") is not None:
        return rounded_quotient(op, at)
    if op.operation.kind == "rdiv":
        x, z = z, x
    if isinstance(x, Source) and not isinstance(z, Source):
        return Sum(terms=Terms(_terms_of(op, x, at)), formula="y = x / n", divisor=op.number(z))
    groups = [_terms_of(op, source, at) for source in (x, z) if isinstance(source, Source)]
    numerator, denominator = (_value(op, operand, at) for operand in (x, z))
    return Expression(
        terms=Terms(*groups),
        formula="y = x / z",
        substituted=f"{number(numerator)} / {parenthesized(denominator)}",
        exact_value=quotient(numerator, denominator),
        rounded=0.0 if isinstance(x, Source) else 2 * abs(quotient(numerator, denominator)),
        main=0,
    )


def addcmul(op: OperationView, at: Index) -> Sum:
    """y = x + v·a·b."""
    base, *factors = (op.source(name) for name in ("input", "tensor1", "tensor2"))
    scale = op.number(op.argument("value", default=1))
    first, second = sorted(factors, key=lambda factor: factor.name not in op.operation.operands)
    weight = scale * op.number(second, broadcast_index(second.shape, at))
    product = op.terms_of(first, [broadcast_index(first.shape, at)], weights=weight)
    return Sum(terms=Terms(_terms_of(op, base, at), product), formula="y = x + v·a·b", roundings=6)


_COMPARISONS = {
    "gt": (">", operator.gt),
    "ge": ("≥", operator.ge),
    "lt": ("<", operator.lt),
    "le": ("≤", operator.le),
    "eq": ("=", operator.eq),
    "ne": ("≠", operator.ne),
}


def comparison(op: OperationView, at: Index) -> Expression:
    """y = 1 if x > z, or another comparison, holds; else 0."""
    operands = _operands(op)
    sign, holds = _COMPARISONS[op.operation.kind]
    groups = [_terms_of(op, source, at) for source in operands if isinstance(source, Source)]
    x, z = (_as_compared(op, operand, at, operands) for operand in operands)
    return Expression(
        terms=Terms(*groups),
        formula=f"y = 1 if x {sign} z else 0",
        substituted=f"{number(x)} {sign} {number(z)}",
        exact_value=float(holds(x, z)),
        roundings=0,
    )


def one_hot(op: OperationView, at: Index) -> Expression:
    """y[..., k] = 1 if x = k, else 0."""
    source, (*place, k) = op.input(), at
    x = op.number(source, tuple(place))
    return Expression(
        terms=Terms(op.terms_of(source, [tuple(place)])),
        formula=f"y = 1 if x = {k} else 0",
        substituted=f"{number(x)} = {k}",
        exact_value=float(x == k),
        roundings=0,
    )


def _as_compared(
    op: OperationView, operand: object, at: Index, operands: tuple[object, object]
) -> float:
    """An operand of a comparison; torch rounds a number to the type of the tensor."""
    if isinstance(operand, Source):
        return _value(op, operand, at)
    (tensor,) = (op.tensor(other) for other in operands if isinstance(other, Source))
    dtype = torch.result_type(tensor, op.number(operand))
    return float(torch.tensor(operand, dtype=dtype))


def generated(op: OperationView, at: Index) -> Identity:
    """A random number or a constant that the network generated; a unit where `fill_` takes one."""
    for source in sources_in(list(op.operation.arguments.values())[1:]):
        if source.name in op.operation.operands and not source.shape:
            return Identity(terms=Terms(op.terms_of(source, [()])), formula="y = x")
    for name in op.operation.numbers:
        number = Source("unknown", name, Shape(()))
        return Identity(terms=Terms(op.terms_of(number, [()])), formula="y = x")
    return Identity(
        terms=Terms(), formula="y = a random number or a constant", constant=float(op.result[at])
    )


def negate(op: OperationView, at: Index) -> Sum:
    """y = -x."""
    return sum_of_products(op, Terms(op.terms_of(op.input(), [at], weights=-1.0)), "y = −x")


def maximum(op: OperationView, at: Index) -> Extremum:
    """y = max(x, z) or min(x, z)."""
    groups = [_terms_of(op, s, at) for s in _operands(op) if isinstance(s, Source)]
    if len(groups) < 2:
        raise UnsupportedOperation
    which = "maximum" if "max" in op.operation.kind else "minimum"
    return Extremum(which=which, terms=Terms(*groups), formula=f"y = {which[:3]}(x, z)")


def where(op: OperationView, at: Index) -> Identity:
    """y = x if the condition holds, else z."""
    condition = op.source("condition")
    if op.argument("input") is None or op.argument("other") is None:
        raise UnsupportedOperation  # `where` of a condition alone returns indices
    holds = bool(op.number(condition, broadcast_index(condition.shape, at)))
    chosen = op.argument("input" if holds else "other")
    formula = f"y = {'x' if holds else 'z'}, because {condition.name} is {holds} here"
    if not isinstance(chosen, Source):
        value = torch.tensor(op.number(chosen), dtype=op.result.dtype)
        return Identity(terms=Terms(), formula=formula, constant=float(value))
    return Identity(terms=Terms(_terms_of(op, chosen, at)), formula=formula)


def dropout(op: OperationView, at: Index) -> Sum | Identity:
    """y = x; in training mode m·x, with the mask m either 0 or 1 / (1 - p)."""
    rate = op.argument("p", "1", default=0.5)
    if not op.argument("training", "2", default=True) or not rate:
        return _unchanged(op, at)
    return _masked(op, at, 1 / (1 - rate) if rate < 1 else 0.0)


def drop_path(op: OperationView, at: Index) -> Sum | Identity:
    """y = p·x with the survival probability p; in training mode s·x, with s drawn as 1 or 0."""
    layer = op.layer
    survival = 1 - layer.drop_prob
    if layer.training:
        return _masked(op, at, 1 / survival if layer.scale_by_keep else 1.0)
    if layer.scale_by_keep:
        return _unchanged(op, at)
    return sum_of_products(op, Terms(op.terms_of(op.input(), [at], weights=survival)), "y = p·x")


def _unchanged(op: OperationView, at: Index) -> Identity:
    return Identity(terms=Terms(op.terms_of(op.input(), [at])), formula="y = x")


def _masked(op: OperationView, at: Index, factor: float) -> Sum:
    """The mask is inferred from the result."""
    dropped = not float(op.result[at])
    terms = Terms(op.terms_of(op.input(), [at], weights=0.0 if dropped else factor))
    line = Line("mask", "dropped" if dropped else "kept", 0.0 if dropped else factor)
    return Sum(
        terms=terms, formula="y = m·x", lines=(line,), rounded=float(np.abs(terms.products).sum())
    )


def fractal_join(op: OperationView, at: Index) -> Sum:
    """y = Σ x / n over the columns that were not dropped, which are inferred from the result."""
    shape = op.operation.shape
    columns = [s for s in op.argument("0") if isinstance(s, Source) and s.shape == shape]
    for count in range(len(columns), 0, -1):
        for chosen in itertools.combinations(columns, count):
            first, *rest = (op.tensor(source) for source in chosen)
            mean = sum(rest, first) / count if rest else first
            if torch.equal(mean, op.result):
                terms = Terms(*(op.terms_of(source, [at]) for source in chosen))
                partial_sums = float(np.abs(terms.values).sum())  # each of them at most n · mean
                return Sum(terms=terms, formula="y = Σ x / n", divisor=count, rounded=partial_sums)
    raise UnsupportedOperation
