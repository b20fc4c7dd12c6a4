"""The receptive field of a chain of layers along one axis, borders not considered."""

from dataclasses import dataclass
from typing import Self

from convscope.errors import RequestError


@dataclass(frozen=True)
class Field:
    """The pixels that the units of a layer look at, along one axis: `Field()` is the image's own.

    Unit i looks at the pixels start + i·jump to start + i·jump + size - 1, also where they lie
    outside the image. What a unit at the border really sees is `Support`'s to say.

    Attributes:
        size: pixels that one unit looks at, from the first to the last.
        jump: pixels between the fields of two neighbors; 0 where all look at the same.
        start: the first pixel of unit 0, negative where padding reaches over the border.

    Reference: Araujo, Norris & Sim, "Computing Receptive Fields of Convolutional Neural Networks",
    Distill, 2019.
    """

    size: int = 1
    jump: int = 1
    start: int = 0

    @classmethod
    def covering(cls, length: int) -> Self:
        """The field of units that all look at an image of `length` pixels: of a dense layer."""
        return cls(size=length, jump=0)

    def compose(
        self, kernel: int, *, stride: int = 1, padding_before: int = 0, dilation: int = 1
    ) -> "Field":
        """The field behind a convolution or pooling with `before` cells of padding before it.

        With kernel size F, dilation D, stride S and padding P, size r, jump j and start s become
        r + (F - 1)·D·j, j·S and s - P·j.

            >>> Field().through(11, stride=4).through(3, stride=2)
            Field(size=19, jump=8, start=0)
        """
        return Field(
            size=self.size + (kernel - 1) * dilation * self.jump,
            jump=self.jump * stride,
            start=self.start - padding_before * self.jump,
        )

    def union(self, other: "Field") -> "Field":
        """The field where two branches meet: in the sum of a skip, or in a concatenation.

        Raises RequestError where the jumps differ: the union then has another size at every unit.
        """
        if self.jump != other.jump:
            raise RequestError(
                f"Branches with jumps of {self.jump} and {other.jump} pixels have no field in "
                "common; ask for the Support of each unit."
            )
        start = min(self.start, other.start)
        end = max(self.start + self.size, other.start + other.size)
        return Field(size=end - start, jump=self.jump, start=start)

    def box(self, unit: int) -> tuple[int, int]:
        """The pixels (first, end) that a unit looks at, also outside the image."""
        first = self.start + unit * self.jump
        return first, first + self.size

    def clipped(self, unit: int, length: int) -> tuple[int, int] | None:
        """The pixels (first, end) of `box` inside an image of `length` pixels; None without any."""
        first, end = self.box(unit)
        first, end = max(first, 0), min(end, length)
        return (first, end) if first < end else None
