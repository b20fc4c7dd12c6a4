"""The arithmetic behind one unit, as an object that prints, serializes and shows itself."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from convscope.terms import Extreme, Floats, Made, Place, Sum, Terms, as_dict, exact_sum, told


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
        made: the calculation.
        recorded: the value that the network computed.
        epsilon: the spacing of the network's numbers at 1: 2^-23 for float32.
        operands: the operations whose results it took.
        receptive_field: None for what the image has no part in, as the zeros of a padding.
    """

    name: str
    at: tuple[int, ...]
    kind: str
    made: Made
    recorded: float
    epsilon: float
    operands: tuple[str, ...]
    receptive_field: ReceptiveField | None

    @property
    def terms(self) -> Terms:
        return self.made.terms

    @property
    def total(self) -> float:
        """The value, computed exactly, or in float64 where it cannot be exact; NaN if unknown."""
        return self.made.total

    @property
    def difference(self) -> float:
        """By how much the network's own rounding moved the value: recorded - total."""
        return 0.0 if self.recorded == self.total else self.recorded - self.total

    @property
    def bound(self) -> float:
        """How large the difference may be by rounding alone; 0 where the value is equal to the bit.

        For a sum of n terms it is n·ε·Σ|terms|.
        """
        return self.made.bound(self.epsilon) if math.isfinite(self.total) else 0.0

    @property
    def agrees(self) -> bool:
        """Whether the difference is within the bound; never for an unknown operation."""
        if math.isnan(self.total) or math.isinf(self.total):
            both = math.isnan(self.total) and math.isnan(self.recorded)
            return self.made.kind != "unknown" and (both or self.total == self.recorded)
        return abs(self.difference) <= self.bound + _TINY

    @property
    def formula(self) -> str:
        """In the lecture's letters."""
        return self.made.formula

    @cached_property
    def patch(self) -> Floats | None:
        """The operands under the window: (channels, height, width) for a convolution; with zeros
        for the padding. One dimension where the operands are no window."""
        return self._arrays(self.terms.values)

    @cached_property
    def filter(self) -> Floats | None:
        """The weights, in the shape of the patch; None where nothing is weighted."""
        if all(part.weight_source is None for part in self.terms.parts):
            return None
        return self._arrays(self.terms.weights)

    def _arrays(self, column: Floats) -> Floats | None:
        if not self.terms.parts:
            return None
        shape = self.terms.parts[0].shape
        return column.reshape(shape) if len(self.terms.parts) == 1 and shape else column

    @property
    def columns(self) -> tuple[Floats, Floats]:
        """The filter and the patch as the two columns w and x of wᵀx: the im2col view."""
        return self.terms.weights, self.terms.values

    @property
    def channel_sums(self) -> Floats | None:
        """The exact sum of each channel's products, which with the bias add up to the total."""
        if not isinstance(self.made, Sum) or self.patch is None or self.patch.ndim < 3:
            return None
        products = self.terms.products.reshape(len(self.patch), -1)
        return np.array([exact_sum(row.tolist()) for row in products]) / self.made.divisor

    @property
    def follow(self) -> list[int]:
        """The places of the terms worth following, the largest contribution first."""
        if isinstance(self.made, Extreme):
            return [self.made.winner]
        main = getattr(self.made, "main", None)
        largest = self.terms.largest(len(self.terms))
        return largest if main is None else [main, *(n for n in largest if n != main)]

    @property
    def place(self) -> Place:
        return Place(self.name, self.at)

    def __str__(self) -> str:
        from convscope.explanation.text import to_text  # noqa: PLC0415 -- what it shows is this

        return to_text(self)

    def _repr_html_(self) -> str:
        from convscope.explanation.html import to_html  # noqa: PLC0415

        return to_html(self)

    def to_dict(self, *, most: int | None = None) -> dict[str, Any]:
        """The explanation for machines; of the terms at most the `most` largest."""
        field = self.receptive_field
        return {
            "name": self.name,
            "at": self.at,
            "kind": self.kind,
            **as_dict(self.made, most=most),
            "recorded": told(self.recorded),
            "difference": told(self.difference),
            "bound": self.bound,
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
