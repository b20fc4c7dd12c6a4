"""Elementwise functions that torch itself evaluates: rounding, remainders, logic, rarer ones."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from convscope.explanation.rules.operation_view import (
    Index,
    OperationView,
    UnsupportedOperation,
    broadcast_index,
)
from convscope.recording import Source
from convscope.recording.operation import map_nested
from convscope.terms import Expression, TermGroup, Terms, parenthesized


@dataclass(frozen=True)
class _Function:
    """A function of a few numbers.

    Attributes:
        formula: with the operands in braces, by the names in `operands`.
        operands: a letter for the formula, and the argument that it stands for.
        exact: nothing is computed but in the network's own type, so the values must be equal.
        absolute: the tolerance is relative to the largest operand, 1 or the result, whichever is
            largest; otherwise relative to the result.
    """

    formula: str
    operands: tuple[tuple[str, str], ...] = (("x", "input"),)
    exact: bool = False
    absolute: bool = False


_PAIR = (("x", "input"), ("z", "other"))
_RANGE = (("x", "input"), ("a", "min"), ("b", "max"))


def _one(formula: str, *, absolute: bool = False) -> _Function:
    return _Function(formula, absolute=absolute)


def _selection(formula: str) -> _Function:
    return _Function(formula, exact=True)


def _of_two(formula: str, *, exact: bool = False, absolute: bool = False) -> _Function:
    return _Function(formula, _PAIR, exact=exact, absolute=absolute)


_FUNCTIONS = {
    "sign": _selection("sign({x})"),
    "sgn": _selection("sign({x})"),
    "signbit": _selection("1 if {x} has a minus sign, else 0"),
    "floor": _selection("⌊{x}⌋"),
    "ceil": _selection("⌈{x}⌉"),
    "trunc": _selection("{x} without its fraction"),
    "round": _selection("{x} rounded, halves to the even neighbor"),
    "angle": _one("0 if {x} ≥ 0, else π"),
    "frac": _selection("the fraction of {x}"),
    "isnan": _selection("1 if {x} is NaN, else 0"),
    "isinf": _selection("1 if {x} is infinite, else 0"),
    "isfinite": _selection("1 if {x} is finite, else 0"),
    "isposinf": _selection("1 if {x} is ∞, else 0"),
    "isneginf": _selection("1 if {x} is −∞, else 0"),
    "nan_to_num": _selection("{x}, finite numbers in place of NaN and infinities"),
    "logical_not": _selection("1 if {x} is 0, else 0"),
    "bitwise_not": _selection("not {x}"),
    "logical_and": _of_two("{x} and {z}", exact=True),
    "logical_or": _of_two("{x} or {z}", exact=True),
    "logical_xor": _of_two("either {x} or {z}", exact=True),
    "bitwise_and": _of_two("{x} and {z}", exact=True),
    "bitwise_or": _of_two("{x} or {z}", exact=True),
    "bitwise_xor": _of_two("either {x} or {z}", exact=True),
    "heaviside": _Function(
        "0 if {x} < 0, {z} if {x} = 0, else 1", (("x", "input"), ("z", "values")), exact=True
    ),
    "copysign": _of_two("|{x}| with the sign of {z}", exact=True),
    "fmax": _of_two("the larger of {x} and {z}, the other one where one is NaN", exact=True),
    "fmin": _of_two("the smaller of {x} and {z}, the other one where one is NaN", exact=True),
    "floor_divide": _of_two("⌊{x} / {z}⌋", exact=True),
    "rfloordiv": _of_two("⌊{z} / {x}⌋", exact=True),
    "remainder": _of_two("{x} − {z}·⌊{x} / {z}⌋", absolute=True),
    "rmod": _of_two("{z} − {x}·⌊{z} / {x}⌋", absolute=True),
    "fmod": _of_two("the remainder of {x} / {z}, with the sign of {x}", exact=True),
    "clamp": _Function("min(max({x}, {a}), {b})", _RANGE, exact=True),
    "clamp_min": _Function("max({x}, {a})", _RANGE[:2], exact=True),
    "clamp_max": _Function("min({x}, {b})", (_RANGE[0], _RANGE[2]), exact=True),
    "exp2": _one("2^{x}"),
    "expm1": _one("e^{x} − 1"),
    "log2": _one("log2({x})"),
    "log10": _one("log10({x})"),
    "logit": _Function("ln({x} / (1 − {x}))", absolute=True),
    "tan": _one("tan({x})"),
    "asin": _one("asin({x})"),
    "acos": _one("acos({x})"),
    "atan": _one("atan({x})"),
    "sinh": _one("sinh({x})"),
    "cosh": _one("cosh({x})"),
    "asinh": _one("asinh({x})"),
    "acosh": _one("acosh({x})"),
    "atanh": _one("atanh({x})"),
    "erfc": _one("1 − erf({x})"),
    "erfinv": _one("erf⁻¹({x})"),
    "sinc": _one("sin(π·{x}) / (π·{x})", absolute=True),
    "lgamma": _one("ln Γ({x})", absolute=True),
    "digamma": _one("Γ'({x}) / Γ({x})", absolute=True),
    "i0": _one("I₀({x})"),
    "deg2rad": _one("{x}·π / 180"),
    "rad2deg": _one("{x}·180 / π"),
    "ndtr": _one("Φ({x})", absolute=True),
    "atan2": _of_two("the angle of ({z}, {x})"),
    "hypot": _of_two("√({x}² + {z}²)"),
    "logaddexp": _of_two("ln(e^{x} + e^{z})", absolute=True),
    "logaddexp2": _of_two("log2(2^{x} + 2^{z})", absolute=True),
    "xlogy": _of_two("{x}·ln({z})"),
    "pow": _Function("{x}^{z}", (("x", "input"), ("z", "exponent"))),
    "rpow": _of_two("{z}^{x}"),
    "float_power": _Function("{x}^{z}", (("x", "input"), ("z", "exponent"))),
}
KINDS_OF_FUNCTIONS = tuple(_FUNCTIONS)
"""The kinds of operation that `function` explains."""


_ROUNDED_QUOTIENTS = {
    "floor": _of_two("⌊{x} / {z}⌋", exact=True),
    "trunc": _of_two("{x} / {z} without its fraction", exact=True),
}
"""By torch's `rounding_mode`."""

_MISSING = {"a": -math.inf, "b": math.inf}  # ends of a range


def function(op: OperationView, at: Index) -> Expression:
    """y = f(x) or f(x, z), in float64; what rounds to whole numbers, in the network's own type."""
    return _apply(op, at, _FUNCTIONS[op.operation.kind])


def rounded_quotient(op: OperationView, at: Index) -> Expression:
    """y = x / z, rounded to a whole number."""
    return _apply(op, at, _ROUNDED_QUOTIENTS[op.argument("rounding_mode")])


def _apply(op: OperationView, at: Index, known: _Function) -> Expression:
    operands = {letter: op.argument(name) for letter, name in known.operands}
    terms = Terms(*(_group(op, s, at) for s in operands.values() if isinstance(s, Source)))
    value = _evaluate(op, at, exact=known.exact)
    numbers = {
        letter: _MISSING[letter] if operand is None else _number(op, operand, at)
        for letter, operand in operands.items()
    }
    chosen = (terms.values == value).nonzero()[0]
    largest = max((abs(n) for n in numbers.values() if math.isfinite(n)), default=0.0)
    return Expression(
        terms=terms,
        formula="y = " + known.formula.format(**{letter: letter for letter in numbers}),
        substituted=known.formula.format(**{k: parenthesized(n) for k, n in numbers.items()}),
        exact_value=value,
        roundings=0 if known.exact else 8,
        magnitude=max(largest, 1.0) if known.absolute else 0.0,
        rounded=abs(value) if op.operation.kind == "pow" else None,  # x·x is, of x·x·x
        main=int(chosen[0]) if known.exact and len(chosen) else 0,
    )


def _group(op: OperationView, source: Source, at: Index) -> TermGroup:
    return op.terms_of(source, [broadcast_index(source.shape, at)])


def _number(op: OperationView, operand: object, at: Index) -> float:
    """The value of an operand, a tensor or a number, for the unit."""
    return op.number(
        operand, broadcast_index(operand.shape, at) if isinstance(operand, Source) else ()
    )


def _evaluate(op: OperationView, at: Index, *, exact: bool) -> float:
    """The function itself at one unit."""
    result, call = op.result, op.operation.call
    if result.is_complex():
        raise UnsupportedOperation

    def element(source: Source) -> Tensor:
        unit = op.tensor(source)[broadcast_index(source.shape, at)].detach()
        unit = unit.reshape((1,) * len(source.shape)).clone()
        return unit.double() if in_float64 else unit

    in_float64 = result.is_floating_point() and not exact
    args, kwargs = map_nested((call.args, dict(call.kwargs)), element, of=Source)
    if in_float64:  # torch rounds a number, 0.3 say, to the type of the tensor
        args = tuple(_rounded(value, result.dtype) for value in args)
        kwargs = {name: _rounded(value, result.dtype) for name, value in kwargs.items()}
    with torch.no_grad():
        value: Any = call.function(*args, **{k: v for k, v in kwargs.items() if k != "out"})
    return float(value)


def _rounded(value: object, dtype: torch.dtype) -> Any:
    return float(torch.tensor(value, dtype=dtype)) if isinstance(value, float) else value
