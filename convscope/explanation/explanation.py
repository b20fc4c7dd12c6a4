"""The arithmetic behind one unit, as an object that prints, serializes and shows itself."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from convscope.terms import (
    Decomposition,
    Extremum,
    Floats,
    Location,
    Sum,
    Terms,
    as_dict,
    exact_sum,
    json_number,
)


@dataclass(frozen=True)
class ReceptiveField:
    """What a unit sees of the image.

    Attributes:
        box: (first, end) along each axis, vertical first, also where it lies outside the image.
        clipped: the same inside the image; None along an axis of which it sees nothing.
        exact: False where an operation on the way is not known and this is an upper bound.
    """

    box: tuple[tuple[int, int], ...]
    clipped: tuple[tuple[int, int] | None, ...]
    exact: bool

    @property
    def fraction(self) -> float:
        """How much of the box lies inside the image, from 0 to 1."""
        whole = math.prod(end - first for first, end in self.box)
        inside = math.prod(0 if part is None else part[1] - part[0] for part in self.clipped)
        return inside / whole if whole else 0.0


@dataclass(frozen=True)
class Explanation:
    """What one unit's value is made of.

    Attributes:
        name, at: the operation and the index of the unit, without the batch axis.
        kind: of the operation: `conv2d`, `batch_norm`, `add`.
        decomposition: the calculation.
        model_value: the value that the network computed.
        epsilon: the spacing of the network's numbers at 1: 2^-23 for float32.
        operands: the operations whose results it took.
        receptive_field: None for what the image has no part in, as the zeros of a padding.
    """

    name: str
    at: tuple[int, ...]
    kind: str
    decomposition: Decomposition
    model_value: float
    epsilon: float
    operands: tuple[str, ...]
    receptive_field: ReceptiveField | None

    @property
    def terms(self) -> Terms:
        return self.decomposition.terms

    @property
    def exact_value(self) -> float:
        """The value, computed exactly, or in float64 where it cannot be exact; NaN if unknown."""
        return self.decomposition.exact_value

    @property
    def difference(self) -> float:
        """By how much the network's own rounding moved the value: model_value - exact_value."""
        return 0.0 if self.model_value == self.exact_value else self.model_value - self.exact_value

    @property
    def tolerance(self) -> float:
        """How large the difference may be by rounding alone; 0 where the value is equal to the bit.

        For a sum of n terms it is n·ε·Σ|terms|.
        """
        return (
            self.decomposition.tolerance(self.epsilon) if math.isfinite(self.exact_value) else 0.0
        )

    @property
    def is_within_tolerance(self) -> bool:
        """Whether the difference is within the bound; never for an unknown operation."""
        if math.isnan(self.exact_value) or math.isinf(self.exact_value):
            both = math.isnan(self.exact_value) and math.isnan(self.model_value)
            return self.decomposition.kind != "unsupported" and (
                both or self.exact_value == self.model_value
            )
        return abs(self.difference) <= self.tolerance + _TINY

    @property
    def formula(self) -> str:
        """In the lecture's letters."""
        return self.decomposition.formula

    @cached_property
    def patch(self) -> Floats | None:
        """The operands under the window: (channels, height, width) for a convolution; with zeros
        for the padding. One dimension where the operands are no window."""
        return self._arrays(self.terms.values)

    @cached_property
    def filter(self) -> Floats | None:
        """The weights, in the shape of the patch; None where nothing is weighted."""
        if all(part.weight_source is None for part in self.terms.groups):
            return None
        return self._arrays(self.terms.weights)

    def _arrays(self, column: Floats) -> Floats | None:
        if not self.terms.groups:
            return None
        shape = self.terms.groups[0].shape
        return column.reshape(shape) if len(self.terms.groups) == 1 and shape else column

    @property
    def im2col(self) -> tuple[Floats, Floats]:
        """The filter and the patch as the two columns w and x of wᵀx: the im2col view."""
        return self.terms.weights, self.terms.values

    @property
    def channel_sums(self) -> Floats | None:
        """The exact sum of each channel's products, which with the bias add up to the total."""
        if not isinstance(self.decomposition, Sum) or self.patch is None or self.patch.ndim < 3:
            return None
        products = self.terms.products.reshape(len(self.patch), -1)
        return np.array([exact_sum(row.tolist()) for row in products]) / self.decomposition.divisor

    @property
    def top_terms(self) -> list[int]:
        """The places of the terms worth following, the largest contribution first."""
        if isinstance(self.decomposition, Extremum):
            return [self.decomposition.winner]
        main = getattr(self.decomposition, "main", None)
        largest = self.terms.largest(len(self.terms))
        return largest if main is None else [main, *(n for n in largest if n != main)]

    @property
    def location(self) -> Location:
        return Location(self.name, self.at)

    def __str__(self) -> str:
        from convscope.explanation.text import to_text  # noqa: PLC0415 -- what it shows is this

        return to_text(self)

    def _repr_html_(self) -> str:
        from convscope.explanation.html import to_html  # noqa: PLC0415

        return to_html(self)

    def to_dict(self, *, max_terms: int | None = None) -> dict[str, Any]:
        """The explanation for machines; of the terms at most the `max_terms` largest."""
        field = self.receptive_field
        return {
            "name": self.name,
            "at": self.at,
            "kind": self.kind,
            **as_dict(self.decomposition, max_terms=max_terms),
            "model_value": json_number(self.model_value),
            "difference": json_number(self.difference),
            "tolerance": self.tolerance,
            "operands": self.operands,
            "receptive_field": field
            and {
                "box": field.box,
                "clipped": field.clipped,
                "fraction": field.fraction,
                "exact": field.exact,
            },
        }


_TINY = 2.0**-126
"""Below it float32 loses digits: smaller differences say nothing."""
