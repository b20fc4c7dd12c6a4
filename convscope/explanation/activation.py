"""Activation functions: one unit from the unit at the same place."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from convscope.explanation.operation_view import Index, OperationView, UnsupportedOperation
from convscope.recording import Source
from convscope.terms import Expression, Terms, number, parenthesized, quotient

Given = Mapping[str, Any]
"""The settings of a function, by torch's names."""


@dataclass(frozen=True)
class _Curve:
    """A function of one number and its settings.

    Attributes:
        of: the function; `exact` where it only chooses and rounds nothing.
        formula: of x and the names of the settings.
        settings: names of the arguments that torch has for them, and their defaults.
        absolute: the rounding is that of numbers as large as x, 1 or the result, whichever is
            largest; else as large as the result.
    """

    of: Callable[[float, Given], float]
    formula: str
    settings: tuple[tuple[str, Any], ...] = ()
    exact: bool = False
    absolute: bool = True


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _softplus(x: float, beta: float = 1.0, threshold: float = 20.0) -> float:
    scaled = beta * x
    if scaled > threshold:
        return x
    return (max(scaled, 0) + math.log1p(math.exp(-abs(scaled)))) / beta


def _gelu(x: float, given: Given) -> float:
    if given["approximate"] == "tanh":
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
    "clamp": _Curve(
        lambda x, s: min(max(x, s["min"]), s["max"]),
        "min(max({min}, x), {max})",
        (("min", -math.inf), ("max", math.inf)),
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
    "softsign": _Curve(lambda x, _: x / (1 + abs(x)), "x / (1 + |x|)", absolute=False),
    "tanhshrink": _Curve(lambda x, _: x - math.tanh(x), "x − tanh(x)"),
    "hardshrink": _Curve(
        lambda x, s: x if abs(x) > s["lambd"] else 0.0,
        "x if |x| > {lambd} else 0",
        (("lambd", 0.5),),
        exact=True,
    ),
    "softshrink": _Curve(
        lambda x, s: math.copysign(max(abs(x) - s["lambd"], 0), x),
        "x shrunk by {lambd}",
        (("lambd", 0.5),),
    ),
    "exp": _Curve(lambda x, _: math.exp(x), "e^x", absolute=False),
    "log": _Curve(lambda x, _: float(np.log(np.float64(x))), "ln(x)"),
    "log1p": _Curve(lambda x, _: float(np.log1p(np.float64(x))), "ln(1 + x)"),
    "sqrt": _Curve(lambda x, _: math.sqrt(x), "√x", absolute=False),
    "rsqrt": _Curve(
        lambda x, _: quotient(1, float(np.sqrt(np.float64(x)))), "1 / √x", absolute=False
    ),
    "reciprocal": _Curve(lambda x, _: quotient(1, x), "1 / x", absolute=False),
    "square": _Curve(lambda x, _: x * x, "x²", absolute=False),
    "abs": _Curve(lambda x, _: abs(x), "|x|", exact=True),
    "erf": _Curve(lambda x, _: math.erf(x), "erf(x)", absolute=False),
    "sin": _Curve(lambda x, _: math.sin(x), "sin(x)"),
    "cos": _Curve(lambda x, _: math.cos(x), "cos(x)"),
}
CURVES = tuple(_CURVES)
"""The kinds that `curve` explains."""


def curve(op: OperationView, at: Index) -> Expression:
    """y = f(x), in float64."""
    kind = op.operation.kind
    found = _CURVES[kind]
    settings = {
        name: op.argument(name, str(place), default=usual)
        for place, (name, usual) in enumerate(found.settings, start=1)
    }
    if any(isinstance(setting, Source) for setting in settings.values()):
        raise UnsupportedOperation
    if found.exact:  # where the curve jumps, at 0.1, say, the network's nearest number counts
        settings = {name: _rounded(op, value) for name, value in settings.items()}
    shown = {
        name: value if isinstance(value, str) else number(value) for name, value in settings.items()
    }
    words = found.formula.format(**shown)
    if settings.get("approximate") == "tanh":
        words = "x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))"
    return _function(op, at, lambda x: found.of(x, settings), words, found.exact, found.absolute)


def _rounded(op: OperationView, value: float) -> float:
    """A number as the network's numbers have it."""
    return float(torch.tensor(value, dtype=op.result.dtype))


def scaled_tanh(op: OperationView, at: Index) -> Expression:
    """y = A·tanh(S·x)."""
    layer = op.layer
    words = f"{number(layer.amplitude)}·tanh({number(layer.slope)}·x)"
    return _function(op, at, lambda x: layer.amplitude * math.tanh(layer.slope * x), words)


def parametric(op: OperationView, at: Index) -> Expression:
    """y = x if x > 0 else a[c]·x, with a trained slope for each map or for all."""
    slopes = op.source("weight")
    one = math.prod(slopes.shape) == 1
    slope = op.number(slopes, (0,) * len(slopes.shape) if one else (at[1],))
    words = f"x if x > 0 else {parenthesized(slope)}·x"
    return _function(op, at, lambda x: x if x > 0 else slope * x, words, absolute=False)


def power(op: OperationView, at: Index) -> Expression:
    """y = x^p."""
    exponent = op.argument("exponent", "1")
    if isinstance(exponent, Source):
        raise UnsupportedOperation
    words = f"x^{number(exponent)}"
    found = _function(op, at, lambda x: x, words, absolute=False)
    with np.errstate(all="ignore"):  # also of NaN, whose power 0 is 1
        total = float(np.power(found.terms.values[0], exponent))
    return replace(found, exact_value=total)


def _function(
    op: OperationView,
    at: Index,
    of: Callable[[float], float],
    words: str,
    exact: bool = False,  # noqa: FBT001, FBT002 -- two facts of the curve
    absolute: bool = True,  # noqa: FBT001, FBT002
) -> Expression:
    terms = Terms(op.terms_of(op.input(), [at]))
    x = float(terms.values[0])
    with np.errstate(all="ignore"):
        total = _calm(of, x)
    if (
        exact
    ):  # where it chooses a setting, 0.1, say, that is rounded to what the network computes in
        total = _rounded(op, total)
    return Expression(
        terms=terms,
        formula=f"y = {words}",
        substituted=_with_number(words, x),
        exact_value=total,
        roundings=0 if exact else 8,
        magnitude=max(abs(x), 1.0) if absolute else 0.0,
    )


def _calm(of: Callable[[float], float], x: float) -> float:
    """The function's value; NaN of NaN, and infinite where Python finds it too large."""
    if math.isnan(x):
        return x
    try:
        return float(of(x))
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


def _with_number(words: str, x: float) -> str:
    """The formula with the number in the place of x; `e^x` and `max(` keep their letters."""
    return "".join(
        parenthesized(x) if letter == "x" and words[max(n - 2, 0) : n] != "ma" else letter
        for n, letter in enumerate(words)
    )
