"""Element by element: addition, multiplication, and their kin; dropout; the join of columns."""

import itertools
import math
import operator

import numpy as np
import torch

from convscope.explanation.operation_view import Index, Step, Unexplained, broadcast
from convscope.explanation.products import exact
from convscope.recording import Source
from convscope.terms import (
    Copy,
    Extreme,
    Function,
    Integers,
    Line,
    Part,
    Sum,
    Terms,
    bracketed,
    number,
    quotient,
)


def _both(step: Step) -> tuple[object, object]:
    """The two operands; raises Unexplained where there are others."""
    one, two = step.given("input", "self", "0"), step.given("other", "dim", "1")
    if one is None or two is None:
        raise Unexplained
    return one, two


def _part(step: Step, source: Source, at: Index, weight: float = 1.0) -> Part:
    return step.part(source, [broadcast(source.shape, at)], weights=weight)


def _value(step: Step, operand: object, at: Index) -> float:
    """What an operand, a tensor or a number, has for the unit."""
    return step.number(operand, broadcast(operand.shape, at) if isinstance(operand, Source) else ())


def add(step: Step, at: Index) -> Sum:
    """y = x + z, also x - z and x + α·z; a number that is no tensor stands as the bias."""
    one, two = _both(step)
    sign = -1.0 if step.operation.kind in ("sub", "rsub") else 1.0
    alpha = step.given("alpha", default=1)
    if not isinstance(alpha, int | float):
        raise Unexplained
    if step.operation.kind == "rsub":
        one, two = two, one
    weighted = [(one, 1.0), (two, sign * alpha)]
    parts = [_part(step, s, at, weight) for s, weight in weighted if isinstance(s, Source)]
    rest = [weight * step.number(s) for s, weight in weighted if not isinstance(s, Source)]
    found = exact(step, Terms(*parts), "y = x − z" if sign < 0 else "y = x + z")
    return Sum(terms=found.terms, formula=found.formula, bias=math.fsum(rest), errors=found.errors)


def multiply(step: Step, at: Index) -> Sum:
    """y = w·x, where w is the operand that the image has no part in, or the second."""
    one, two = _both(step)
    if not isinstance(one, Source) or (
        isinstance(two, Source)
        and one.name not in step.operation.operands
        and two.name in step.operation.operands
    ):
        one, two = two, one
    if not isinstance(one, Source):
        raise Unexplained
    own = broadcast(one.shape, at)
    if not isinstance(two, Source):
        part = step.part(one, [own], weights=step.number(two))
        return exact(step, Terms(part), "y = w·x")
    other = broadcast(two.shape, at)
    part = step.part(one, [own], weights=step.number(two, other), weight=(two, _column(other)))
    return exact(step, Terms(part), "y = w·x")


def _column(at: Index) -> Integers:
    return np.array([at], dtype=np.int64).reshape(1, len(at))


def divide(step: Step, at: Index) -> Sum | Function:
    """y = x / z."""
    one, two = _both(step)
    if step.given("rounding_mode") is not None:
        raise Unexplained
    if step.operation.kind == "rdiv":
        one, two = two, one
    if isinstance(one, Source) and not isinstance(two, Source):
        terms = Terms(_part(step, one, at))
        return Sum(terms=terms, formula="y = x / n", divisor=step.number(two))
    parts = [_part(step, source, at) for source in (one, two) if isinstance(source, Source)]
    above, below = (_value(step, operand, at) for operand in (one, two))
    return Function(
        terms=Terms(*parts),
        formula="y = x / z",
        worked=f"{number(above)} / {bracketed(below)}",
        total=quotient(above, below),
        main=0,
    )


def add_product(step: Step, at: Index) -> Sum:
    """y = x + v·a·b."""
    base, *factors = (step.source(name) for name in ("input", "tensor1", "tensor2"))
    scale = step.number(step.given("value", default=1))
    first, second = factors
    weight = scale * step.number(second, broadcast(second.shape, at))
    own = step.part(first, [broadcast(first.shape, at)], weights=weight)
    return Sum(terms=Terms(_part(step, base, at), own), formula="y = x + v·a·b", roundings=6)


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


def compare(step: Step, at: Index) -> Function:
    """y = 1 where x > z holds, or another relation, else 0."""
    one, two = _both(step)
    sign, holds = _COMPARED[step.operation.kind]
    parts = [_part(step, source, at) for source in (one, two) if isinstance(source, Source)]
    x, z = (_value(step, operand, at) for operand in (one, two))
    return Function(
        terms=Terms(*parts),
        formula=f"y = 1 if x {sign} z else 0",
        worked=f"{number(x)} {sign} {number(z)}",
        total=float(holds(x, z)),
        roundings=0,
    )


def drawn(step: Step, at: Index) -> Copy:
    """A number that the network drew or set, from nothing that could explain it."""
    return Copy(terms=Terms(), formula="y = a number drawn or set", constant=float(step.result[at]))


def negate(step: Step, at: Index) -> Sum:
    """y = -x."""
    return exact(step, Terms(step.part(step.input(), [at], weights=-1.0)), "y = −x")


def extreme(step: Step, at: Index) -> Extreme:
    """y = max(x, z) or min(x, z)."""
    parts = [_part(step, s, at) for s in _both(step) if isinstance(s, Source)]
    if len(parts) < 2:
        raise Unexplained
    which = "maximum" if "max" in step.operation.kind else "minimum"
    return Extreme(which=which, terms=Terms(*parts), formula=f"y = {which[:3]}(x, z)")


def choose(step: Step, at: Index) -> Copy:
    """y = x where the condition holds, else z."""
    condition = step.source("condition")
    if step.given("input") is None or step.given("other") is None:
        raise Unexplained  # `where` of a condition alone tells places
    holds = bool(step.number(condition, broadcast(condition.shape, at)))
    chosen = step.given("input" if holds else "other")
    formula = f"y = {'x' if holds else 'z'}, for {condition.name} is {holds} here"
    if not isinstance(chosen, Source):
        value = torch.tensor(step.number(chosen), dtype=step.result.dtype)
        return Copy(terms=Terms(), formula=formula, constant=float(value))
    return Copy(terms=Terms(_part(step, chosen, at)), formula=formula)


def dropout(step: Step, at: Index) -> Sum | Copy:
    """y = x as it is, or while training m·x with the mask m: 0, or 1 / (1 - p)."""
    rate = step.given("p", "1", default=0.5)
    if not step.given("training", "2", default=True) or not rate:
        return _same(step, at)
    return _masked(step, at, 1 / (1 - rate) if rate < 1 else 0.0)


def drop_path(step: Step, at: Index) -> Sum | Copy:
    """y = p·x with the probability p of survival; while training s·x with s drawn as 1 or 0."""
    layer = step.layer
    survival = 1 - layer.rate
    if layer.training:
        return _masked(step, at, 1 / survival if layer.rescale else 1.0)
    if layer.rescale:
        return _same(step, at)
    return exact(step, Terms(step.part(step.input(), [at], weights=survival)), "y = p·x")


def _same(step: Step, at: Index) -> Copy:
    return Copy(terms=Terms(step.part(step.input(), [at])), formula="y = x")


def _masked(step: Step, at: Index, factor: float) -> Sum:
    """What the mask was is read off the result."""
    left_out = not float(step.result[at])
    terms = Terms(step.part(step.input(), [at], weights=0.0 if left_out else factor))
    line = Line("mask", "left out" if left_out else "kept", 0.0 if left_out else factor)
    return Sum(terms=terms, formula="y = m·x", lines=(line,), roundings=3)


def join(step: Step, at: Index) -> Sum:
    """y = Σ x / n over the columns that arrived and survived; which ones is read off the result."""
    shape = step.operation.shape
    arrived = [s for s in step.given("0") if isinstance(s, Source) and s.shape == shape]
    for count in range(len(arrived), 0, -1):
        for chosen in itertools.combinations(arrived, count):
            first, *rest = (step.tensor(source) for source in chosen)
            mean = sum(rest, first) / count if rest else first
            if torch.equal(mean, step.result):
                terms = Terms(*(step.part(source, [at]) for source in chosen))
                return Sum(terms=terms, formula="y = Σ x / n", divisor=count)
    raise Unexplained
