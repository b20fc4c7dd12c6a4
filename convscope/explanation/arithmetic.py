"""Element by element: addition, multiplication, and their kin; dropout; the join of columns."""

import itertools
import math
import operator

import numpy as np
import torch

from convscope.explanation.operation_view import (
    Index,
    OperationView,
    UnsupportedOperation,
    broadcast_index,
)
from convscope.explanation.products import sum_of_products
from convscope.recording import Source
from convscope.terms import (
    Expression,
    Extremum,
    Identity,
    Integers,
    Line,
    Sum,
    TermGroup,
    Terms,
    number,
    parenthesized,
    quotient,
)


def _both(op: OperationView) -> tuple[object, object]:
    """The two operands; raises Unexplained where there are others."""
    one, two = op.argument("input", "self", "0"), op.argument("other", "dim", "1")
    if one is None or two is None:
        raise UnsupportedOperation
    return one, two


def _terms_of(op: OperationView, source: Source, at: Index, weight: float = 1.0) -> TermGroup:
    return op.terms_of(source, [broadcast_index(source.shape, at)], weights=weight)


def _value(op: OperationView, operand: object, at: Index) -> float:
    """What an operand, a tensor or a number, has for the unit."""
    return op.number(
        operand, broadcast_index(operand.shape, at) if isinstance(operand, Source) else ()
    )


def add(op: OperationView, at: Index) -> Sum:
    """y = x + z, also x - z and x + α·z; a number that is no tensor stands as the bias."""
    one, two = _both(op)
    sign = -1.0 if op.operation.kind in ("sub", "rsub") else 1.0
    alpha = op.argument("alpha", default=1)
    if not isinstance(alpha, int | float):
        raise UnsupportedOperation
    if op.operation.kind == "rsub":
        one, two = two, one
    weighted = [(one, 1.0), (two, sign * alpha)]
    groups = [_terms_of(op, s, at, weight) for s, weight in weighted if isinstance(s, Source)]
    rest = [weight * op.number(s) for s, weight in weighted if not isinstance(s, Source)]
    found = sum_of_products(op, Terms(*groups), "y = x − z" if sign < 0 else "y = x + z")
    return Sum(terms=found.terms, formula=found.formula, bias=math.fsum(rest), errors=found.errors)


def multiply(op: OperationView, at: Index) -> Sum:
    """y = w·x, where w is the operand that the image has no part in, or the second."""
    one, two = _both(op)
    if not isinstance(one, Source) or (
        isinstance(two, Source)
        and one.name not in op.operation.operands
        and two.name in op.operation.operands
    ):
        one, two = two, one
    if not isinstance(one, Source):
        raise UnsupportedOperation
    own = broadcast_index(one.shape, at)
    if not isinstance(two, Source):
        group = op.terms_of(one, [own], weights=op.number(two))
        return sum_of_products(op, Terms(group), "y = w·x")
    other = broadcast_index(two.shape, at)
    group = op.terms_of(one, [own], weights=op.number(two, other), weight=(two, _column(other)))
    return sum_of_products(op, Terms(group), "y = w·x")


def _column(at: Index) -> Integers:
    return np.array([at], dtype=np.int64).reshape(1, len(at))


def divide(op: OperationView, at: Index) -> Sum | Expression:
    """y = x / z."""
    one, two = _both(op)
    if op.argument("rounding_mode") is not None:
        raise UnsupportedOperation
    if op.operation.kind == "rdiv":
        one, two = two, one
    if isinstance(one, Source) and not isinstance(two, Source):
        terms = Terms(_terms_of(op, one, at))
        return Sum(terms=terms, formula="y = x / n", divisor=op.number(two))
    groups = [_terms_of(op, source, at) for source in (one, two) if isinstance(source, Source)]
    above, below = (_value(op, operand, at) for operand in (one, two))
    return Expression(
        terms=Terms(*groups),
        formula="y = x / z",
        substituted=f"{number(above)} / {parenthesized(below)}",
        exact_value=quotient(above, below),
        main=0,
    )


def add_product(op: OperationView, at: Index) -> Sum:
    """y = x + v·a·b."""
    base, *factors = (op.source(name) for name in ("input", "tensor1", "tensor2"))
    scale = op.number(op.argument("value", default=1))
    first, second = factors
    weight = scale * op.number(second, broadcast_index(second.shape, at))
    own = op.terms_of(first, [broadcast_index(first.shape, at)], weights=weight)
    return Sum(terms=Terms(_terms_of(op, base, at), own), formula="y = x + v·a·b", roundings=6)


_COMPARED = {
    "gt": (">", operator.gt),
    "ge": ("≥", operator.ge),
    "lt": ("<", operator.lt),
    "le": ("≤", operator.le),
    "eq": ("=", operator.eq),
    "ne": ("≠", operator.ne),
}
COMPARISONS = tuple(_COMPARED)
"""The kinds that `compare` explains."""


def compare(op: OperationView, at: Index) -> Expression:
    """y = 1 where x > z holds, or another relation, else 0."""
    one, two = _both(op)
    sign, holds = _COMPARED[op.operation.kind]
    groups = [_terms_of(op, source, at) for source in (one, two) if isinstance(source, Source)]
    x, z = (_value(op, operand, at) for operand in (one, two))
    return Expression(
        terms=Terms(*groups),
        formula=f"y = 1 if x {sign} z else 0",
        substituted=f"{number(x)} {sign} {number(z)}",
        exact_value=float(holds(x, z)),
        roundings=0,
    )


def drawn(op: OperationView, at: Index) -> Identity:
    """A number that the network drew or set, from nothing that could explain it."""
    return Identity(
        terms=Terms(), formula="y = a number drawn or set", constant=float(op.result[at])
    )


def negate(op: OperationView, at: Index) -> Sum:
    """y = -x."""
    return sum_of_products(op, Terms(op.terms_of(op.input(), [at], weights=-1.0)), "y = −x")


def extreme(op: OperationView, at: Index) -> Extremum:
    """y = max(x, z) or min(x, z)."""
    groups = [_terms_of(op, s, at) for s in _both(op) if isinstance(s, Source)]
    if len(groups) < 2:
        raise UnsupportedOperation
    which = "maximum" if "max" in op.operation.kind else "minimum"
    return Extremum(which=which, terms=Terms(*groups), formula=f"y = {which[:3]}(x, z)")


def choose(op: OperationView, at: Index) -> Identity:
    """y = x where the condition holds, else z."""
    condition = op.source("condition")
    if op.argument("input") is None or op.argument("other") is None:
        raise UnsupportedOperation  # `where` of a condition alone tells places
    holds = bool(op.number(condition, broadcast_index(condition.shape, at)))
    chosen = op.argument("input" if holds else "other")
    formula = f"y = {'x' if holds else 'z'}, for {condition.name} is {holds} here"
    if not isinstance(chosen, Source):
        value = torch.tensor(op.number(chosen), dtype=op.result.dtype)
        return Identity(terms=Terms(), formula=formula, constant=float(value))
    return Identity(terms=Terms(_terms_of(op, chosen, at)), formula=formula)


def dropout(op: OperationView, at: Index) -> Sum | Identity:
    """y = x as it is, or while training m·x with the mask m: 0, or 1 / (1 - p)."""
    rate = op.argument("p", "1", default=0.5)
    if not op.argument("training", "2", default=True) or not rate:
        return _same(op, at)
    return _masked(op, at, 1 / (1 - rate) if rate < 1 else 0.0)


def drop_path(op: OperationView, at: Index) -> Sum | Identity:
    """y = p·x with the probability p of survival; while training s·x with s drawn as 1 or 0."""
    layer = op.layer
    survival = 1 - layer.rate
    if layer.training:
        return _masked(op, at, 1 / survival if layer.rescale else 1.0)
    if layer.rescale:
        return _same(op, at)
    return sum_of_products(op, Terms(op.terms_of(op.input(), [at], weights=survival)), "y = p·x")


def _same(op: OperationView, at: Index) -> Identity:
    return Identity(terms=Terms(op.terms_of(op.input(), [at])), formula="y = x")


def _masked(op: OperationView, at: Index, factor: float) -> Sum:
    """What the mask was is read off the result."""
    left_out = not float(op.result[at])
    terms = Terms(op.terms_of(op.input(), [at], weights=0.0 if left_out else factor))
    line = Line("mask", "left out" if left_out else "kept", 0.0 if left_out else factor)
    return Sum(terms=terms, formula="y = m·x", lines=(line,), roundings=3)


def join(op: OperationView, at: Index) -> Sum:
    """y = Σ x / n over the columns that arrived and survived; which ones is read off the result."""
    shape = op.operation.shape
    arrived = [s for s in op.argument("0") if isinstance(s, Source) and s.shape == shape]
    for count in range(len(arrived), 0, -1):
        for chosen in itertools.combinations(arrived, count):
            first, *rest = (op.tensor(source) for source in chosen)
            mean = sum(rest, first) / count if rest else first
            if torch.equal(mean, op.result):
                terms = Terms(*(op.terms_of(source, [at]) for source in chosen))
                return Sum(terms=terms, formula="y = Σ x / n", divisor=count)
    raise UnsupportedOperation
