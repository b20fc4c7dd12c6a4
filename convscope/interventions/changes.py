"""What a change did to the numbers behind it, operation by operation and term by term."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from convscope.errors import RequestError
from convscope.explanation.recording import Recording
from convscope.terms import Location, Sum


@dataclass(frozen=True)
class OperationChange:
    """How an operation's result differs: units changed, of all, and by how much."""

    name: str
    kind: str
    changed: int
    units: int
    largest: float
    rms: float


@dataclass(frozen=True)
class TermChange:
    """How a term of a sum differs: a weight times another value of what it reads."""

    location: Location
    weight: float
    before: float
    after: float
    change: float


@dataclass(frozen=True)
class UnitChange:
    """Why a unit has another value: the sum of what its terms changed by.

    Attributes:
        before, after: the values as recorded.
        terms: those that changed, the largest first.
        sum_of_changes: of all terms, rounded once; `after - before` up to the network's rounding.
    """

    name: str
    at: tuple[int, ...]
    before: float
    after: float
    terms: tuple[TermChange, ...]
    sum_of_changes: float

    def to_dict(self, top: int) -> dict[str, Any]:
        """As values of JSON, with the `top` largest terms."""
        return {
            "unit": str(Location(self.name, self.at)),
            "before": self.before,
            "after": self.after,
            "sum_of_changes": self.sum_of_changes,
            "terms": [{**vars(term), "location": str(term.location)} for term in self.terms[:top]],
        }


def operation_changes(before: Recording, after: Recording) -> list[OperationChange]:
    """Every operation whose result differs, in the order of execution."""
    found: list[OperationChange] = []
    for name in before.names:
        old, new = before[name].tensor.double(), after[name].tensor.double()
        difference = new - old
        changed = int((difference != 0).sum())
        if changed:
            rms = math.sqrt(float(difference.square().mean()))
            largest = float(difference.abs().max())
            kind = before[name].kind
            found.append(OperationChange(name, kind, changed, old.numel(), largest, rms))
    return found


def unit_change(before: Recording, after: Recording, name: str, at: tuple[int, ...]) -> UnitChange:
    """The change of a unit as a sum over its terms, of a convolution, a dense layer or a sum.

    Raises RequestError for a unit that is no sum of terms.
    """
    old, new = before.explain(name, at), after.explain(name, at)
    if not isinstance(old.decomposition, Sum) or not isinstance(new.decomposition, Sum):
        raise RequestError(
            f"{Location(name, at)} is no sum of products; name a layer with weights."
        )
    products = new.terms.products / new.decomposition.divisor
    changes = products - old.terms.products / old.decomposition.divisor
    order = np.argsort(-np.abs(changes), kind="stable")
    terms: list[TermChange] = []
    for number in order[np.abs(changes[order]) > 0]:
        a, b = old.terms[int(number)], new.terms[int(number)]
        location = a.location or b.location or Location("padding", ())
        terms.append(
            TermChange(location, float(b.weight), float(a.value), float(b.value),
                       float(changes[number]))
        )  # fmt: skip
    total = math.fsum([*changes.tolist(), new.decomposition.bias, -old.decomposition.bias])
    return UnitChange(name, tuple(at), old.model_value, new.model_value, tuple(terms), total)
