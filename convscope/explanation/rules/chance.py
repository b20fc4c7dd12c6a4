"""Layers that draw random numbers in training; what was drawn is inferred from the result."""

import math

from convscope.explanation.rules.operation_view import Index, OperationView
from convscope.terms import Expression, Identity, Line, Sum, Terms, number, parenthesized

_SATURATION = -1.7580993408473766
"""What SELU tends to: −1.0507 · 1.6733."""


def alpha_dropout(op: OperationView, at: Index) -> Sum | Identity:
    """y = a·x + b, or a·α + b for a unit that was dropped; y = x outside training.

    α is the value that SELU tends to; a and b keep mean and variance.

    Reference: Klambauer et al., 2017, "Self-Normalizing Neural Networks".
    """
    rate = op.argument("p", "1", default=0.5)
    terms = Terms(op.terms_of(op.input(), [at]))
    if not op.argument("training", "train", "2", default=False) or not rate:
        return Identity(terms=terms, formula="y = x")
    scale = 0.0 if rate == 1 else 1 / math.sqrt((1 - rate) * (1 + rate * _SATURATION**2))
    shift = -scale * _SATURATION * rate
    dropped, kept = scale * _SATURATION + shift, scale * float(terms.values[0]) + shift
    recorded = float(op.result[at])
    is_dropped = abs(recorded - dropped) < abs(recorded - kept) or rate == 1
    weight = 0.0 if is_dropped else scale
    size = abs(scale * float(terms.values[0])) + abs(scale * _SATURATION) + abs(shift)
    return Sum(
        terms=Terms(op.terms_of(op.input(), [at], weights=weight)),
        formula="y = a·α + b" if is_dropped else "y = a·x + b",
        bias=dropped if is_dropped else shift,
        lines=(Line("mask", "dropped" if is_dropped else "kept", weight),),
        roundings=8,
        magnitude=size,
        rounded=4 * size,
    )


def rrelu(op: OperationView, at: Index) -> Expression | Sum:
    """y = x if x ≥ 0 else a·x, with the mean of two slopes; in training one drawn in between."""
    lower, upper = op.argument("lower", default=1 / 8), op.argument("upper", default=1 / 3)
    terms = Terms(op.terms_of(op.input(), [at]))
    x = float(terms.values[0])
    if op.argument("training", default=False) and x < 0:
        slope = float(op.result[at]) / x
        slope = min(max(slope, lower), upper) if math.isfinite(slope) else slope
        return Sum(
            terms=Terms(op.terms_of(op.input(), [at], weights=slope)),
            formula="y = a·x",
            lines=(Line("slope", f"drawn between {number(lower)} and {number(upper)}", slope),),
            roundings=4,
        )
    slope = (lower + upper) / 2
    return Expression(
        terms=terms,
        formula=f"y = x if x > 0 else {number(slope)}·x",
        substituted=number(x) if x >= 0 else f"{number(slope)}·{parenthesized(x)}",
        exact_value=x if x >= 0 or math.isnan(x) else slope * x,
    )
