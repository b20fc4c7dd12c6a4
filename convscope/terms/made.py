"""What a number is made of: a sum, an extreme, a copy, a function, or nobody knows."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np

from convscope.terms.exact import Floats, exact_sum, quotient
from convscope.terms.term import Place, Term, Terms


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
    bias_place: Place | None = None
    divisor: float = 1.0
    lines: tuple[Line, ...] = ()
    roundings: int = 0
    magnitude: float = 0.0
    errors: Floats | None = None
    kind = "sum"

    @cached_property
    def total(self) -> float:
        lacking: list[float] = [] if self.errors is None else self.errors.tolist()
        return quotient(
            exact_sum([*self.terms.products.tolist(), *lacking, self.bias]), self.divisor
        )

    def bound(self, epsilon: float) -> float:
        """How far a calculation that rounds by `epsilon` may lie from the total."""
        count = self.roundings or len(self.terms) + 2
        size = float(np.abs(self.terms.products).sum()) + abs(self.bias)
        return count * epsilon * (self.magnitude or quotient(size, abs(self.divisor)))


@dataclass(frozen=True, kw_only=True)
class Extreme:
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
    def total(self) -> float:
        return float(self.terms.values[self.winner])

    def bound(self, epsilon: float) -> float:  # noqa: ARG002 -- every record has a bound
        return 0.0


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A value taken from elsewhere, to the bit; or a constant, where there is no term."""

    terms: Terms
    formula: str
    constant: float = 0.0
    lines: tuple[Line, ...] = ()
    kind = "copy"

    @property
    def total(self) -> float:
        return float(self.terms.values[0]) if len(self.terms) else self.constant

    def bound(self, epsilon: float) -> float:  # noqa: ARG002
        return 0.0


@dataclass(frozen=True, kw_only=True)
class Function:
    """A value computed from others by a formula, in float64.

    Attributes:
        terms: what it is computed from; a product is what the term contributes, where that has a
            meaning.
        worked: the formula with the numbers put in.
        total: what it gives.
        roundings, magnitude: as of a Sum; 0 roundings where it only chooses.
        main: the place of the term that the formula is about.
    """

    terms: Terms
    formula: str
    worked: str
    total: float
    lines: tuple[Line, ...] = ()
    roundings: int = 4
    magnitude: float = 0.0
    main: int = 0
    kind = "function"

    def bound(self, epsilon: float) -> float:
        if not self.roundings:
            return 0.0
        return self.roundings * epsilon * max(self.magnitude, abs(self.total))


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """An operation that convscope does not know: what it took, by name, and nothing more."""

    operands: tuple[str, ...]
    formula: str
    lines: tuple[Line, ...] = ()
    total = math.nan
    kind = "unknown"

    @property
    def terms(self) -> Terms:
        return Terms()

    def bound(self, epsilon: float) -> float:  # noqa: ARG002
        return math.nan


Made = Sum | Extreme | Copy | Function | Unknown


def as_dict(made: Made, *, most: int | None = None) -> dict[str, Any]:
    """The record for machines; at most so many terms, the largest, where `most` is given."""
    chosen = range(len(made.terms)) if most is None else sorted(made.terms.largest(most))
    facts: dict[str, Any] = {
        "made": made.kind,
        "formula": made.formula,
        "total": told(made.total),
        "terms": [_term(made.terms[n]) for n in chosen],
        "all_terms": len(made.terms),
        "lines": [{**line._asdict(), "value": told(line.value)} for line in made.lines],
    }
    match made:
        case Sum():
            facts |= dict(bias=told(made.bias), divisor=told(made.divisor))
            facts["bias_place"] = None if made.bias_place is None else str(made.bias_place)
        case Extreme():
            facts |= dict(winner=made.winner, ties=made.ties)
        case Function():
            facts["worked"] = made.worked
        case Unknown():
            facts["operands"] = made.operands
        case Copy():
            pass
    return facts


def told(value: float) -> float | str:
    """A number as JSON can have it, which knows no infinity and no NaN: those by their names.

    >>> told(0.5), told(-math.inf)
    (0.5, '-inf')
    """
    return value if math.isfinite(value) else str(value)


def _term(term: Term) -> dict[str, Any]:
    return {
        "weight": told(term.weight),
        "value": told(term.value),
        "product": told(term.product),
        "place": None if term.place is None else [term.place.source, *term.place.at],
        "weight_place": None if term.weight_place is None else str(term.weight_place),
    }
