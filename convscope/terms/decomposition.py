"""How a value decomposes: a sum, an extremum, an identity, an expression, or unsupported.

Every decomposition has `terms`, a `formula`, an `exact_value`, and a `rounding_bound`: how far a
network that rounds may be from the exact value.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np

from convscope.terms.exact import Floats, exact_sum, quotient
from convscope.terms.rounding import Precision
from convscope.terms.term import Location, Term, Terms


class Line(NamedTuple):
    """One line of a calculation: a label, the expression with its numbers, and the value."""

    label: str
    text: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Sum:
    """A sum of products and a bias, divided by a number: (Σ weight · value + bias) / divisor.

    Attributes:
        formula: in the notation of the documentation.
        lines: intermediate results that lead to the weights or the bias, in order.
        roundings, magnitude: see `Precision.bound`; by default enough for a sum of the terms in any
            order, and the sum of their magnitudes.
        rounded: the magnitudes of all intermediate results that are rounded to the type of the
            result, added up.
        error: how far the value may be off before it is rounded, in addition.
        errors: the rounding errors of the products; None for float32 numbers, whose products are
            exact in float64.
    """

    terms: Terms
    formula: str
    bias: float = 0.0
    bias_location: Location | None = None
    divisor: float = 1.0
    lines: tuple[Line, ...] = ()
    roundings: int | None = None
    magnitude: float | None = None
    rounded: float = 0.0
    error: float = 0.0
    errors: Floats | None = None
    kind = "sum"

    @cached_property
    def exact_value(self) -> float:
        lacking: list[float] = [] if self.errors is None else self.errors.tolist()
        return quotient(
            exact_sum([*self.terms.products.tolist(), *lacking, self.bias]), self.divisor
        )

    def rounding_bound(self, precision: Precision) -> float:
        """How far a network that sums in any order may be from the exact value.

        The sum of any of the terms lies between the sum N of the negative and the sum P of the
        positive ones, so each of n additions adds at most u · max(P, |N|) / (1 - n·u) to the error.
        Products, division, and rounding the exact value to float64 add u · Σ|terms| each.

        Reference: Higham, 2002, "Accuracy and Stability of Numerical Algorithms", section 4.2: the
        error of a sum in any order is at most u times the sum of the magnitudes of its partial
        sums. Where n·u is not small: Jeannerod and Rump, 2013, "Improved error bounds for inner
        products in floating-point arithmetic", n · u · Σ|terms| in any order.
        """
        products, divisor = self.terms.products, abs(self.divisor)
        smaller = np.minimum(np.abs(self.terms.weights), np.abs(self.terms.values))
        flushed = float(np.abs(products[smaller < precision.normal]).sum())
        positive = float(products[products > 0].sum()) + max(self.bias, 0.0)
        negative = float(-products[products < 0].sum()) + max(-self.bias, 0.0)
        size = quotient(positive + negative, divisor)
        count = len(products)
        roundings = count + 3 if self.roundings is None else self.roundings
        summed = roundings * (size if self.magnitude is None else self.magnitude)
        if self.roundings is None and count * precision.sums < 0.5:
            largest = quotient(max(positive, negative), divisor)
            summed = min(summed, count * largest / (1 - count * precision.sums) + 3 * size)
        error = self.error + precision.sums * summed + precision.factors * size
        error += roundings * precision.normal + quotient(flushed, divisor)
        return precision.bound(self.exact_value, error, rounded=self.rounded, reached=size)


@dataclass(frozen=True, kw_only=True)
class Extremum:
    """The largest or the smallest of several values, bit for bit.

    Attributes:
        winner: the index of the first term with that value.
        ties: the indices of all others with the same value.
    """

    which: Literal["maximum", "minimum"]
    terms: Terms
    formula: str
    lines: tuple[Line, ...] = ()

    @property
    def kind(self) -> str:
        return self.which

    @cached_property
    def _winners(self) -> list[int]:
        real = self.terms.inside
        values = self.terms.values[real]
        if np.isnan(values).any():  # NaN beats every number, as in torch
            return np.flatnonzero(np.isnan(self.terms.values) & real).tolist()
        best = values.max() if self.which == "maximum" else values.min()
        return np.flatnonzero((self.terms.values == best) & real).tolist()

    @property
    def winner(self) -> int:
        return self._winners[0]

    @property
    def ties(self) -> list[int]:
        return self._winners[1:]

    @property
    def exact_value(self) -> float:
        return float(self.terms.values[self.winner])

    def rounding_bound(self, precision: Precision) -> float:  # noqa: ARG002 -- all have it
        return 0.0


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A value copied from elsewhere, bit for bit; a constant if there are no terms."""

    terms: Terms
    formula: str
    constant: float = 0.0
    lines: tuple[Line, ...] = ()
    kind = "identity"

    @property
    def exact_value(self) -> float:
        return float(self.terms.values[0]) if len(self.terms) else self.constant

    def rounding_bound(self, precision: Precision) -> float:  # noqa: ARG002
        return 0.0


@dataclass(frozen=True, kw_only=True)
class Expression:
    """A value computed from others by a formula, in float64.

    Attributes:
        terms: the operands; the product of a term is its contribution, where that is defined.
        substituted: the formula with the numbers substituted.
        exact_value: the value of the formula, in float64.
        roundings, magnitude, rounded, error: as for a Sum, but by default every rounding is one to
            the type of the result; 0 roundings if the value is the same bit for bit.
        main: the index of the term that the formula transforms.
    """

    terms: Terms
    formula: str
    substituted: str
    exact_value: float
    lines: tuple[Line, ...] = ()
    roundings: int = 4
    magnitude: float = 0.0
    rounded: float | None = None
    error: float = 0.0
    main: int = 0
    kind = "expression"

    def rounding_bound(self, precision: Precision) -> float:
        if not self.roundings:
            return 0.0
        size = max(self.magnitude, abs(self.exact_value))
        error = self.error + self.roundings * (precision.sums * size + precision.normal)
        rounded = self.roundings * size if self.rounded is None else self.rounded
        return precision.bound(self.exact_value, error, rounded=rounded, reached=size)


@dataclass(frozen=True, kw_only=True)
class Unsupported:
    """An operation that convscope cannot decompose: only the names of its operands are known."""

    operands: tuple[str, ...]
    formula: str
    lines: tuple[Line, ...] = ()
    exact_value = math.nan
    kind = "unsupported"

    @property
    def terms(self) -> Terms:
        return Terms()

    def rounding_bound(self, precision: Precision) -> float:  # noqa: ARG002
        return math.nan


Decomposition = Sum | Extremum | Identity | Expression | Unsupported


def to_dict(decomposition: Decomposition, *, max_terms: int | None = None) -> dict[str, Any]:
    """The decomposition as JSON; with `max_terms` only the largest terms."""
    chosen = (
        range(len(decomposition.terms))
        if max_terms is None
        else sorted(decomposition.terms.largest(max_terms))
    )
    payload: dict[str, Any] = {
        "decomposition": decomposition.kind,
        "formula": decomposition.formula,
        "exact_value": json_number(decomposition.exact_value),
        "terms": [_term(decomposition.terms[n]) for n in chosen],
        "num_terms": len(decomposition.terms),
        "lines": [
            {**line._asdict(), "value": json_number(line.value)} for line in decomposition.lines
        ],
    }
    match decomposition:
        case Sum():
            payload |= dict(
                bias=json_number(decomposition.bias), divisor=json_number(decomposition.divisor)
            )
            payload["bias_location"] = (
                None if decomposition.bias_location is None else str(decomposition.bias_location)
            )
        case Extremum():
            payload |= dict(winner=decomposition.winner, ties=decomposition.ties)
        case Expression():
            payload["substituted"] = decomposition.substituted
        case Unsupported():
            payload["operands"] = decomposition.operands
        case Identity():
            pass
    return payload


def json_number(value: float) -> float | str:
    """A number as JSON can represent it: infinities and NaN, which JSON lacks, as strings.

    >>> json_number(0.5), json_number(-math.inf)
    (0.5, '-inf')
    """
    return value if math.isfinite(value) else str(value)


def _term(term: Term) -> dict[str, Any]:
    return {
        "weight": json_number(term.weight),
        "value": json_number(term.value),
        "product": json_number(term.product),
        "location": None if term.location is None else [term.location.source, *term.location.at],
        "weight_location": None if term.weight_location is None else str(term.weight_location),
    }
