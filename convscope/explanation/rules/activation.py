"""Elementwise functions: a unit is a function of the unit at the same index."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from convscope.explanation.rules.operation_view import Index, OperationView, UnsupportedOperation
from convscope.recording import Source
from convscope.terms import Expression, Terms, number, parenthesized, quotient

Parameters = Mapping[str, Any]
"""The parameters of a function, by torch's names."""


@dataclass(frozen=True)
class _Curve:
    """A function of one number and its parameters.

    Attributes:
        of: the function; `exact` if it only selects a value and rounds nothing.
        formula: in x and the names of the parameters.
        parameters: torch's names of the arguments, and their defaults.
        absolute: the error is relative to x, 1 or the result, whichever is largest; otherwise
            relative to the result.
        rounded: the magnitudes of intermediate results that torch rounds to the type of the result,
            added up, by x and the result.
    """

    of: Callable[[float, Parameters], float]
    formula: str
    parameters: tuple[tuple[str, Any], ...] = ()
    exact: bool = False
    absolute: bool = True
    rounded: Callable[[float, float], float] = lambda _x, _y: 0.0


def _once_more(_x: float, y: float) -> float:
    return abs(y)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _softplus(x: float, beta: float = 1.0, threshold: float = 20.0) -> float:
    scaled = beta * x
    if scaled > threshold:
        return x
    return (max(scaled, 0) + math.log1p(math.exp(-abs(scaled)))) / beta


def _gelu(x: float, parameters: Parameters) -> float:
    if parameters["approximate"] == "tanh":
        return x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return x / 2 * math.erfc(-x / math.sqrt(2))


def _elu(x: float, alpha: float) -> float:
    return x if x > 0 else alpha * math.expm1(x)


_SELU = 1.6732632423543772, 1.0507009873554805  # alpha and scale: Klambauer et al., 2017

_CURVES = {
    "relu": _Curve(lambda x, _: max(x, 0.0), "max(0, x)", exact=True),
    "relu6": _Curve(lambda x, _: min(max(x, 0.0), 6.0), "min(max(0, x), 6)", exact=True),
    "hardtanh": _Curve(
        lambda x, s: min(max(x, s["min_val"]), s["max_val"]),
        "min(max({min_val}, x), {max_val})",
        (("min_val", -1.0), ("max_val", 1.0)),
        exact=True,
    ),
    "threshold": _Curve(
        lambda x, s: x if x > s["threshold"] else s["value"],
        "x if x > {threshold} else {value}",
        (("threshold", 0.0), ("value", 0.0)),
        exact=True,
    ),
    "leaky_relu": _Curve(
        lambda x, s: x if x > 0 else s["negative_slope"] * x,
        "x if x > 0 else {negative_slope}·x",
        (("negative_slope", 0.01),),
        absolute=False,
    ),
    "elu": _Curve(
        lambda x, s: _elu(x, s["alpha"]), "x if x > 0 else {alpha}·(e^x − 1)", (("alpha", 1.0),)
    ),
    "celu": _Curve(
        lambda x, s: x if x > 0 else s["alpha"] * math.expm1(x / s["alpha"]),
        "x if x > 0 else {alpha}·(e^(x/{alpha}) − 1)",
        (("alpha", 1.0),),
    ),
    "selu": _Curve(
        lambda x, _: _SELU[1] * _elu(x, _SELU[0]), "1.0507·(x if x > 0 else 1.6733·(e^x − 1))"
    ),
    "gelu": _Curve(_gelu, "x·Φ(x)", (("approximate", "none"),)),
    "silu": _Curve(lambda x, _: x * _sigmoid(x), "x / (1 + e^−x)"),
    "mish": _Curve(lambda x, _: x * math.tanh(_softplus(x, 1, 20)), "x·tanh(ln(1 + e^x))"),
    "hardswish": _Curve(lambda x, _: x * min(max(x + 3, 0), 6) / 6, "x·min(max(0, x + 3), 6) / 6"),
    "hardsigmoid": _Curve(lambda x, _: min(max(x + 3, 0), 6) / 6, "min(max(0, x + 3), 6) / 6"),
    "tanh": _Curve(lambda x, _: math.tanh(x), "tanh(x)", absolute=False),
    "sigmoid": _Curve(lambda x, _: _sigmoid(x), "1 / (1 + e^−x)"),
    "logsigmoid": _Curve(lambda x, _: -_softplus(-x, 1, math.inf), "−ln(1 + e^−x)"),
    "softplus": _Curve(
        lambda x, s: _softplus(x, s["beta"], s["threshold"]),
        "ln(1 + e^({beta}·x)) / {beta}",
        (("beta", 1.0), ("threshold", 20.0)),
    ),
    "softsign": _Curve(
        lambda x, _: x / (1 + abs(x)), "x / (1 + |x|)", absolute=False, rounded=_once_more
    ),
    "tanhshrink": _Curve(
        lambda x, _: x - math.tanh(x), "x − tanh(x)", rounded=lambda x, _: abs(math.tanh(x))
    ),
    "hardshrink": _Curve(
        lambda x, s: x if abs(x) > s["lambd"] else 0.0,
        "x if |x| > {lambd} else 0",
        (("lambd", 0.5),),
        exact=True,
    ),
    "softshrink": _Curve(
        lambda x, s: math.copysign(max(abs(x) - s["lambd"], 0), x),
        "sign(x)·max(0, |x| − {lambd})",
        (("lambd", 0.5),),
    ),
    "exp": _Curve(lambda x, _: math.exp(x), "e^x", absolute=False),
    "log": _Curve(lambda x, _: float(np.log(np.float64(x))), "ln(x)"),
    "log1p": _Curve(lambda x, _: float(np.log1p(np.float64(x))), "ln(1 + x)"),
    "sqrt": _Curve(lambda x, _: math.sqrt(x), "√x", absolute=False),
    "rsqrt": _Curve(
        lambda x, _: quotient(1, float(np.sqrt(np.float64(x)))),
        "1 / √x",
        absolute=False,
        rounded=_once_more,
    ),
    "reciprocal": _Curve(lambda x, _: quotient(1, x), "1 / x", absolute=False),
    "square": _Curve(lambda x, _: x * x, "x²", absolute=False),
    "abs": _Curve(lambda x, _: abs(x), "|x|", exact=True),
    "erf": _Curve(lambda x, _: math.erf(x), "erf(x)"),
    "sin": _Curve(lambda x, _: math.sin(x), "sin(x)"),
    "cos": _Curve(lambda x, _: math.cos(x), "cos(x)"),
}
CURVES = tuple(_CURVES)
"""The kinds of operation that `curve` explains."""


def curve(op: OperationView, at: Index) -> Expression:
    """y = f(x), in float64."""
    kind = op.operation.kind
    function = _CURVES[kind]
    parameters = {
        name: op.argument(name, str(position), default=default)
        for position, (name, default) in enumerate(function.parameters, start=1)
    }
    if any(isinstance(parameter, Source) for parameter in parameters.values()):
        raise UnsupportedOperation
    if function.exact:  # a threshold, 0.1 say, counts as the nearest number of the network
        parameters = {name: _rounded(op, value) for name, value in parameters.items()}
    shown = {
        name: value if isinstance(value, str) else number(value)
        for name, value in parameters.items()
    }
    formula = function.formula.format(**shown)
    if parameters.get("approximate") == "tanh":
        formula = "x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))"
    y = _function(
        op, at, lambda x: function.of(x, parameters), formula, function.exact, function.absolute
    )
    return replace(y, rounded=function.rounded(float(y.terms.values[0]), y.exact_value))


def _rounded(op: OperationView, value: float) -> float:
    """A number rounded to the network's precision."""
    return float(torch.tensor(value, dtype=op.result.dtype))


def scaled_tanh(op: OperationView, at: Index) -> Expression:
    """y = A·tanh(S·x)."""
    layer = op.layer
    formula = f"{number(layer.amplitude)}·tanh({number(layer.slope)}·x)"
    y = _function(op, at, lambda x: layer.amplitude * math.tanh(layer.slope * x), formula)
    return replace(y, rounded=2 * abs(y.exact_value))


def prelu(op: OperationView, at: Index) -> Expression:
    """y = x if x > 0 else a[c]·x, with a learned slope for each channel or for all."""
    slopes = op.source("weight")
    is_shared = math.prod(slopes.shape) == 1
    slope = op.number(slopes, (0,) * len(slopes.shape) if is_shared else (at[1],))
    formula = f"x if x > 0 else {parenthesized(slope)}·x"
    return _function(op, at, lambda x: x if x > 0 else slope * x, formula, absolute=False)


def _function(
    op: OperationView,
    at: Index,
    of: Callable[[float], float],
    formula: str,
    exact: bool = False,  # noqa: FBT001, FBT002 -- two properties of the curve
    absolute: bool = True,  # noqa: FBT001, FBT002
) -> Expression:
    terms = Terms(op.terms_of(op.input(), [at]))
    x = float(terms.values[0])
    with np.errstate(all="ignore"):
        total = _evaluate(of, x)
    if exact:  # it may select a parameter, 0.1 say, which the network rounds to its precision
        total = _rounded(op, total)
    return Expression(
        terms=terms,
        formula=f"y = {formula}",
        substituted=_substitute(formula, x),
        exact_value=total,
        roundings=0 if exact else 8,
        magnitude=max(abs(x), 1.0) if absolute else 0.0,
        rounded=0.0,
    )


def _evaluate(of: Callable[[float], float], x: float) -> float:
    """The value of the function; NaN for NaN, infinity on overflow, NaN outside its domain."""
    if math.isnan(x):
        return x
    try:
        return float(of(x))
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


def _substitute(formula: str, x: float) -> str:
    """The formula with the number substituted for x, but not for the x of `max(`."""
    return "".join(
        parenthesized(x) if letter == "x" and formula[max(n - 2, 0) : n] != "ma" else letter
        for n, letter in enumerate(formula)
    )
