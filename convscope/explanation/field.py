"""The receptive fields of units."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from convscope.receptive import receptive_fields
from convscope.recording import Operation
from convscope.terms import number


@dataclass(frozen=True)
class ReceptiveField:
    """The part of the image that a unit depends on.

    Attributes:
        box: (start, stop) along each axis, vertical first; it may extend beyond the image.
        clipped: the box within the image; None along an axis where it lies entirely outside.
        exact: False where an operation on the way is not supported and the box is an upper bound.
    """

    box: tuple[tuple[int, int], ...]
    clipped: tuple[tuple[int, int] | None, ...]
    exact: bool

    @property
    def fraction(self) -> float:
        """The fraction of the box that lies inside the image, from 0 to 1."""
        size = math.prod(stop - start for start, stop in self.box)
        inside = math.prod(0 if span is None else span[1] - span[0] for span in self.clipped)
        return inside / size if size else 0.0

    def __str__(self) -> str:
        if any(span is None for span in self.clipped):
            return "Receptive field: padding only, no pixel of the image."
        count = len(self.box)
        names = ("plane", "row", "column")[-count:] if 1 < count < 4 else ("position",) * count
        named = ", ".join(
            f"{name} {number(start)}"
            if stop - start == 1
            else f"{name}s {number(start)} to {number(stop - 1)}"
            for name, (start, stop) in zip(names, self.box, strict=True)
        )
        size = "x".join(str(stop - start) for start, stop in self.box)
        inside = "" if self.fraction == 1 else f", {self.fraction:.1%} of it inside the image"
        return f"Receptive field: {'' if self.exact else 'at most '}{named} ({size}{inside})."

    def to_dict(self) -> dict[str, Any]:
        return {
            "box": self.box,
            "clipped": self.clipped,
            "fraction": self.fraction,
            "exact": self.exact,
        }


class ReceptiveFields:
    """The receptive fields of all units of one pass over an image of shape (1, c, h, w)."""

    def __init__(
        self,
        operations: Sequence[Operation],
        image: Sequence[int],
        values: Mapping[str, Tensor] | None = None,
    ) -> None:
        dependent = [operation for operation in operations if operation.operands]
        self.by_operation = receptive_fields(dependent, image, values) if len(image) > 2 else {}

    def of(self, name: str, at: Sequence[int]) -> ReceptiveField | None:
        """The field of the unit `at`, an index with the batch axis; None if it has none."""
        fields = self.by_operation.get(name)
        if fields is None or len(at) != len(fields.shape):
            return None
        outside, clipped = fields.box_without_borders(at), fields.box(at)
        if outside is None:
            return None
        box = tuple(span or inside or (0, 0) for span, inside in zip(outside, clipped, strict=True))
        return ReceptiveField(box, clipped, fields.exact)
