"""The arithmetic behind one unit: an object that prints, serializes and displays itself."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from convscope.explanation.field import ReceptiveField
from convscope.explanation.rendering.blocks import Block, Paragraph
from convscope.explanation.rendering.html import to_html
from convscope.explanation.rendering.layout import calculation, totals
from convscope.explanation.rendering.text import to_text
from convscope.terms import (
    Decomposition,
    Extremum,
    Floats,
    Location,
    Precision,
    Sum,
    Terms,
    exact_sum,
    json_number,
    number,
    to_dict,
)
from convscope.words import visible


@dataclass(frozen=True, repr=False)
class Explanation:
    """How the value of one unit is computed.

    Attributes:
        name, at: the operation, and the index of the unit without the batch axis.
        kind: of the operation: `conv2d`, `batch_norm`, `add`.
        decomposition: the terms of the value and how they combine.
        model_value: the value that the network computed.
        precision: how the operation rounded.
        operands: the operations whose results are the inputs.
        receptive_field: None for a value that does not depend on the image, such as padding.
    """

    name: str
    at: tuple[int, ...]
    kind: str
    decomposition: Decomposition
    model_value: float
    precision: Precision
    operands: tuple[str, ...]
    receptive_field: ReceptiveField | None

    @property
    def location(self) -> Location:
        return Location(self.name, self.at)

    @property
    def terms(self) -> Terms:
        return self.decomposition.terms

    @property
    def formula(self) -> str:
        return self.decomposition.formula

    @property
    def exact_value(self) -> float:
        """The value without intermediate rounding, or in float64 where no exact value exists; NaN
        for an unsupported operation."""
        return self.decomposition.exact_value

    @property
    def difference(self) -> float:
        """What the network's own rounding changed: model_value - exact_value."""
        return 0.0 if self.model_value == self.exact_value else self.model_value - self.exact_value

    @property
    def rounding_bound(self) -> float:
        """How large the difference may be by rounding alone; 0 where the values must be equal,
        infinite where the result, or an intermediate result, exceeds the range of its type.

        For a sum of n terms it is n·u·Σ|terms| with the unit roundoff u of float32, or of float64
        for a float64 network, and the rounding of the result to the network's type.
        """
        if not math.isfinite(self.exact_value):
            return 0.0
        return self.decomposition.rounding_bound(self.precision)

    @property
    def is_within_tolerance(self) -> bool:
        """Whether rounding alone explains the difference; False for an unsupported operation."""
        if math.isnan(self.exact_value) or math.isinf(self.exact_value):
            both_nan = math.isnan(self.exact_value) and math.isnan(self.model_value)
            equal = both_nan or self.exact_value == self.model_value
            return self.decomposition.kind != "unsupported" and equal
        bound = self.rounding_bound
        return math.isinf(bound) or abs(self.difference) <= bound

    @cached_property
    def patch(self) -> Floats | None:
        """The inputs under the window, (channels, height, width) for a convolution, padding
        included; one dimension where they form no window, None without terms."""
        return self.terms.patch

    @cached_property
    def filter(self) -> Floats | None:
        """The weights in the shape of the patch; None where nothing is weighted."""
        return self.terms.filter

    @property
    def im2col(self) -> tuple[Floats, Floats]:
        """The filter and the patch as the two columns w and x of wᵀx."""
        return self.terms.weights, self.terms.values

    @property
    def channel_sums(self) -> Floats | None:
        """The exact sum of the products of each channel; with the bias they add up to the value."""
        planes = self.terms.planes_shape
        if not isinstance(self.decomposition, Sum) or planes is None:
            return None
        if len(self.terms.groups[0].shape) == self.terms.groups[0].window:
            return None  # the window of one map
        products = self.terms.products.reshape(planes[0], -1)
        return np.array([exact_sum(row.tolist()) for row in products]) / self.decomposition.divisor

    @property
    def top_terms(self) -> list[int]:
        """The indices of the terms to trace back, the largest contribution first."""
        if isinstance(self.decomposition, Extremum):
            return [self.decomposition.winner]
        main = getattr(self.decomposition, "main", None)
        largest = self.terms.largest(len(self.terms))
        return largest if main is None else [main, *(n for n in largest if n != main)]

    def blocks(self, *, top: int = 4) -> list[Block]:
        """The explanation as text; the `top` largest channels or terms are written out."""
        blocks: list[Block] = [
            Paragraph(self._title()),
            Paragraph(self.formula),
            *calculation(self.decomposition, top=top),
            totals(
                self.decomposition,
                model_value=self.model_value,
                difference=self.difference,
                rounding_bound=self.rounding_bound,
                is_within_tolerance=self.is_within_tolerance,
            ),
        ]
        if not self.is_within_tolerance and self.decomposition.kind != "unsupported":
            blocks.append(Paragraph(_TOO_FAR))
        if self.receptive_field is not None:
            blocks.append(Paragraph(str(self.receptive_field)))
        return blocks

    def _title(self) -> str:
        inputs = f" of {', '.join(self.operands)}" if self.operands else ""
        unit = self.formula.partition(" = ")[0] if self.kind == "difference" else self.location
        return f"{unit} = {number(self.model_value)}   ({self.kind}{inputs})"

    def to_text(self, *, top: int = 4) -> str:
        return to_text(self.blocks(top=top))

    def to_html(self, *, top: int = 4) -> str:
        return to_html(self.blocks(top=top))

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return f"<Explanation of {visible(self._title())}>"

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_dict(self, *, max_terms: int | None = None) -> dict[str, Any]:
        """The explanation as JSON; with `max_terms` only the largest terms."""
        field = self.receptive_field
        return {
            "name": self.name,
            "at": self.at,
            "kind": self.kind,
            **to_dict(self.decomposition, max_terms=max_terms),
            "model_value": json_number(self.model_value),
            "difference": json_number(self.difference),
            "rounding_bound": json_number(self.rounding_bound),
            "operands": self.operands,
            "receptive_field": None if field is None else field.to_dict(),
        }


_TOO_FAR = "Rounding does not explain this: were parameters changed after the recording?"
