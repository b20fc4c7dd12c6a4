"""What a number is made of: a sum, an extreme, a copy, a function, or nobody knows."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np

from convscope.terms.exact import Floats, exact_sum, quotient
from convscope.terms.term import Location, Term, Terms


class Line(NamedTuple):
    """One line of a calculation: what is computed, from which numbers, and what comes out."""

    label: str
    text: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Sum:
    """Products added up, a bias, perhaps divided: (Σ weight · value + bias) / divisor.

    Attributes:
        formula: in the lecture's letters.
        lines: further steps to the total or to the weights, in order.
        roundings, magnitude: what a float32 calculation may be off by is roundings · ε · magnitude,
            with ε = 2^-23; here the number of terms, and the sum of their magnitudes.
        errors: what the products lack to be exact: nothing for float32 numbers.
    """

    terms: Terms
    formula: str
    bias: float = 0.0
    bias_location: Location | None = None
    divisor: float = 1.0
    lines: tuple[Line, ...] = ()
    roundings: int = 0
    magnitude: float = 0.0
    errors: Floats | None = None
    kind = "sum"

    @cached_property
    def exact_value(self) -> float:
        lacking: list[float] = [] if self.errors is None else self.errors.tolist()
        return quotient(
            exact_sum([*self.terms.products.tolist(), *lacking, self.bias]), self.divisor
        )

    def tolerance(self, epsilon: float) -> float:
        """How far a calculation that rounds by `epsilon` may lie from the total."""
        count = self.roundings or len(self.terms) + 2
        size = float(np.abs(self.terms.products).sum()) + abs(self.bias)
        return count * epsilon * (self.magnitude or quotient(size, abs(self.divisor)))


@dataclass(frozen=True, kw_only=True)
class Extremum:
    """The largest, or the smallest, of several values: one of them, to the bit.

    Attributes:
        winner: the place of the first term that has the value.
        ties: the places of the others that have it too.
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
        if np.isnan(values).any():  # which win over every number, as in torch
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

    def tolerance(self, epsilon: float) -> float:  # noqa: ARG002 -- every record has a bound
        return 0.0


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A value taken from elsewhere, to the bit; or a constant, where there is no term."""

    terms: Terms
    formula: str
    constant: float = 0.0
    lines: tuple[Line, ...] = ()
    kind = "identity"

    @property
    def exact_value(self) -> float:
        return float(self.terms.values[0]) if len(self.terms) else self.constant

    def tolerance(self, epsilon: float) -> float:  # noqa: ARG002
        return 0.0


@dataclass(frozen=True, kw_only=True)
class Expression:
    """A value computed from others by a formula, in float64.

    Attributes:
        terms: what it is computed from; a product is what the term contributes, where that has a
            meaning.
        substituted: the formula with the numbers put in.
        exact_value: what it gives.
        roundings, magnitude: as of a Sum; 0 roundings where it only chooses.
        main: the place of the term that the formula is about.
    """

    terms: Terms
    formula: str
    substituted: str
    exact_value: float
    lines: tuple[Line, ...] = ()
    roundings: int = 4
    magnitude: float = 0.0
    main: int = 0
    kind = "expression"

    def tolerance(self, epsilon: float) -> float:
        if not self.roundings:
            return 0.0
        return self.roundings * epsilon * max(self.magnitude, abs(self.exact_value))


@dataclass(frozen=True, kw_only=True)
class Unsupported:
    """An operation that convscope does not know: what it took, by name, and nothing more."""

    operands: tuple[str, ...]
    formula: str
    lines: tuple[Line, ...] = ()
    exact_value = math.nan
    kind = "unsupported"

    @property
    def terms(self) -> Terms:
        return Terms()

    def tolerance(self, epsilon: float) -> float:  # noqa: ARG002
        return math.nan


Decomposition = Sum | Extremum | Identity | Expression | Unsupported


def as_dict(decomposition: Decomposition, *, max_terms: int | None = None) -> dict[str, Any]:
    """The record for machines; at most so many terms, the largest, where `max_terms` is given."""
    chosen = (
        range(len(decomposition.terms))
        if max_terms is None
        else sorted(decomposition.terms.largest(max_terms))
    )
    facts: dict[str, Any] = {
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
            facts |= dict(
                bias=json_number(decomposition.bias), divisor=json_number(decomposition.divisor)
            )
            facts["bias_location"] = (
                None if decomposition.bias_location is None else str(decomposition.bias_location)
            )
        case Extremum():
            facts |= dict(winner=decomposition.winner, ties=decomposition.ties)
        case Expression():
            facts["substituted"] = decomposition.substituted
        case Unsupported():
            facts["operands"] = decomposition.operands
        case Identity():
            pass
    return facts


def json_number(value: float) -> float | str:
    """A number as JSON can have it, which knows no infinity and no NaN: those by their names.

    >>> told(0.5), told(-math.inf)
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
