"""The receptive field of a chain of layers along one axis, ignoring borders."""

from dataclasses import dataclass
from typing import Self

from convscope.errors import RequestError


@dataclass(frozen=True)
class Field:
    """The receptive fields of a layer's units along one axis; `Field()` is that of the image.

    Unit i reads the pixels start + i·jump to start + i·jump + size - 1, even if they are outside
    the image. `Support` is exact at the borders.

    Attributes:
        size: pixels of one receptive field, from the first to the last.
        jump: pixels between the fields of neighboring units; 0 if all units have the same field.
        start: the first pixel of unit 0, negative if padding extends beyond the border.

    Reference: Araujo, Norris & Sim, "Computing Receptive Fields of Convolutional Neural Networks",
    Distill, 2019.
    """

    size: int = 1
    jump: int = 1
    start: int = 0

    @classmethod
    def covering(cls, length: int) -> Self:
        """Return the field of units that all read `length` pixels, as in a dense layer."""
        return cls(size=length, jump=0)

    def compose(
        self, kernel: int, *, stride: int = 1, padding_before: int = 0, dilation: int = 1
    ) -> "Field":
        """Compose with a convolution or pooling that has `padding_before` cells of padding.

        With kernel size F, dilation D, stride S and padding P, size r, jump j and start s become
        r + (F - 1)·D·j, j·S and s - P·j.

            >>> Field().compose(11, stride=4).compose(3, stride=2)
            Field(size=19, jump=8, start=0)
        """
        return Field(
            size=self.size + (kernel - 1) * dilation * self.jump,
            jump=self.jump * stride,
            start=self.start - padding_before * self.jump,
        )

    def union(self, other: "Field") -> "Field":
        """Return the field where two branches meet, in the sum of a skip or a concatenation.

        Raises RequestError if the jumps differ: the union then has a different size at every unit.
        """
        if self.jump != other.jump:
            raise RequestError(
                f"Branches with jumps of {self.jump} and {other.jump} pixels have no common field; "
                "use Support instead."
            )
        start = min(self.start, other.start)
        stop = max(self.start + self.size, other.start + other.size)
        return Field(size=stop - start, jump=self.jump, start=start)

    def box(self, unit: int) -> tuple[int, int]:
        """Return the pixels (start, stop) that a unit reads, even outside the image."""
        start = self.start + unit * self.jump
        return start, start + self.size

    def clipped(self, unit: int, length: int) -> tuple[int, int] | None:
        """Return the part of `box` inside an image of `length` pixels; None if it is empty."""
        start, stop = self.box(unit)
        start, stop = max(start, 0), min(stop, length)
        return (start, stop) if start < stop else None
