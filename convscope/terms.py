"""What a number is made of: records without torch that can be added up, printed and serialised.

The numbers of a network are float32; the product of two of them fits a float64, and `math.fsum`
rounds once. So a total here is the exact sum of what was stored, to the last bit of a float64.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Place(NamedTuple):
    """One number of a result, a parameter or the image: `conv1[0,3,2]`.

    Attributes:
        source: the name of the operation or parameter, or "image".
        at: the index, without the batch axis.
    """

    source: str
    at: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.source}[{','.join(map(str, self.at))}]" if self.at else self.source


class Term(NamedTuple):
    """One operand of a number, what it was multiplied by, and what that gives.

    Attributes:
        weight: of the value; 1 where it is taken as it is.
        product: what it contributes: weight times value, but for what Distance says.
        place: where the value lies; None for the padding, which lies nowhere.
        weight_place: where the weight lies; None where it is no parameter and no result.
    """

    weight: float
    value: float
    product: float
    place: Place | None
    weight_place: Place | None = None


@dataclass(frozen=True, eq=False)
class Part:
    """Terms whose values lie in one result, as columns.

    Attributes:
        source: the result's name.
        values, weights: (n,), float64.
        at: (n, dimensions), where the values lie.
        inside: (n,), False for padding; None where all are inside.
        weight_source, weight_at: the same of the weights; None where they lie nowhere.
        shape: of the patch that the values are, (channels, height, width) for most; () for none.
        axes: what the dimensions of `shape` are called.
    """

    source: str
    values: Floats
    weights: Floats
    at: Integers
    inside: NDArray[np.bool_] | None = None
    weight_source: str | None = None
    weight_at: Integers | None = None
    shape: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    def place(self, n: int) -> Place | None:
        if self.inside is not None and not self.inside[n]:
            return None
        return Place(self.source, tuple(self.at[n].tolist()))

    def weight_place(self, n: int) -> Place | None:
        if self.weight_source is None or self.weight_at is None:
            return None
        return Place(self.weight_source, tuple(self.weight_at[n].tolist()))


class Terms(Sequence[Term]):
    """All terms of a number, in order; made one by one only when asked for."""

    def __init__(self, *parts: Part, product: Callable[[Floats, Floats], Floats] = np.multiply):
        self.parts = parts
        self.values = np.concatenate([part.values for part in parts]) if parts else np.empty(0)
        self.weights = np.concatenate([part.weights for part in parts]) if parts else np.empty(0)
        with np.errstate(all="ignore"):  # 0 · ∞ is NaN here as in the network
            self.products = product(self.weights, self.values)
        self.inside = np.concatenate(
            [np.ones(len(p), bool) if p.inside is None else p.inside for p in parts]
            or [np.ones(0, bool)]
        )
        self._starts = np.cumsum([0, *map(len, parts)])

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, n: int) -> Term: ...
    @overload
    def __getitem__(self, n: slice) -> list[Term]: ...
    def __getitem__(self, n: int | slice) -> Term | list[Term]:
        if isinstance(n, slice):
            return [self[place] for place in range(len(self))[n]]
        n = range(len(self))[n]
        which = int(np.searchsorted(self._starts, n, side="right")) - 1
        part, inner = self.parts[which], n - int(self._starts[which])
        return Term(
            float(self.weights[n]),
            float(self.values[n]),
            float(self.products[n]),
            part.place(inner),
            part.weight_place(inner),
        )

    def __iter__(self) -> Iterator[Term]:
        return (self[n] for n in range(len(self)))

    def largest(self, count: int) -> list[int]:
        """The places of the terms that contribute most, by magnitude, padding left out."""
        sizes = np.abs(self.products)
        order = np.argsort(-np.where(np.isnan(sizes), np.inf, sizes), kind="stable")
        return [int(n) for n in order if self.inside[n]][:count]


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


def exact_sum(numbers: Sequence[float]) -> float:
    """The sum, rounded once; of infinities and NaN what float arithmetic says.

    >>> exact_sum([1e16, 1.0, -1e16])
    1.0
    """
    try:
        return math.fsum(numbers)
    except (OverflowError, ValueError):  # too large on the way, or ∞ - ∞
        pass
    if not all(map(math.isfinite, numbers)):
        with np.errstate(all="ignore"):
            return float(np.sum(numbers))
    total = sum(map(Fraction, numbers))
    try:
        return float(total)
    except OverflowError:
        return math.copysign(math.inf, total)


def quotient(above: float, below: float) -> float:
    """above / below, as float arithmetic has it also where below is zero.

    >>> quotient(1.0, -0.0), quotient(6.0, 4.0)
    (-inf, 1.5)
    """
    with np.errstate(all="ignore"):
        return float(np.float64(above) / np.float64(below))


def product_errors(one: Floats, two: Floats) -> Floats:
    """What the float64 products of float64 numbers lack to be exact.

    Reference: Dekker, 1971, "A floating-point technique for extending the available precision".
    """
    with np.errstate(all="ignore"):
        # Numbers near the end of the range are halved often enough, and what is lacking doubled.
        small, other = (np.where(np.abs(x) > 2.0**900, 2.0**-100, 1.0) for x in (one, two))
        (high, low), (other_high, other_low) = _halves(one * small), _halves(two * other)
        product = (one * small) * (two * other)
        lacking = low * other_low - (
            product - high * other_high - low * other_high - high * other_low
        )
        lacking = lacking / small / other
    return np.where(np.isfinite(lacking) & np.isfinite(one * two), lacking, 0.0)


def _halves(numbers: Floats) -> tuple[Floats, Floats]:
    scaled = numbers * 134217729.0  # 2^27 + 1: halves of 26 bits, whose products are exact
    high = scaled - (scaled - numbers)
    return high, numbers - high


def number(value: float, *, signs: int = 6) -> str:
    """A number for people, with a true minus, and no sign before a zero.

    >>> number(-0.1234567), number(2.0), number(-17.0)
    ('−0.123457', '2', '−17')
    """
    return _minus(f"{value:.{signs}g}")


def fixed(value: float, after: int) -> str:
    """A number with so many digits after the point.

    >>> fixed(-0.126, 2), fixed(-0.001, 2)
    ('−0.13', '0.00')
    """
    written = f"{value:.{after}f}"
    return _minus(written if written.strip("-0.") else written.lstrip("-"))


def _minus(written: str) -> str:
    return "0" if written == "-0" else written.replace("-", "\N{MINUS SIGN}")


def bracketed(value: float, *, first: bool = False) -> str:
    """The number, in brackets where it is negative and does not stand first."""
    written = number(value)
    return f"({written})" if written.startswith("\N{MINUS SIGN}") and not first else written


def as_dict(made: Made, *, most: int | None = None) -> dict[str, Any]:
    """The record for machines; at most so many terms, the largest, where `most` is given."""
    chosen = range(len(made.terms)) if most is None else sorted(made.terms.largest(most))
    told: dict[str, Any] = {
        "made": made.kind,
        "formula": made.formula,
        "total": made.total,
        "terms": [_term(made.terms[n]) for n in chosen],
        "all_terms": len(made.terms),
        "lines": [line._asdict() for line in made.lines],
    }
    match made:
        case Sum():
            told |= dict(bias=made.bias, divisor=made.divisor)
            told["bias_place"] = None if made.bias_place is None else str(made.bias_place)
        case Extreme():
            told |= dict(winner=made.winner, ties=made.ties)
        case Function():
            told["worked"] = made.worked
        case Unknown():
            told["operands"] = made.operands
        case Copy():
            pass
    return told


def _term(term: Term) -> dict[str, Any]:
    return {
        "weight": term.weight,
        "value": term.value,
        "product": term.product,
        "place": None if term.place is None else [term.place.source, *term.place.at],
        "weight_place": None if term.weight_place is None else str(term.weight_place),
    }
