"""The correct answer to an exercise, and how it is written."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from convscope.lessons.exercises.words import decimals, figure, sides, volume

AnswerKind = Literal["volume", "size", "whole", "number", "choice"]
Value = Fraction | tuple[int, ...] | str

_FORMS: dict[AnswerKind, tuple[str, str]] = {
    "volume": ("6@28×28", "16@10×10"),
    "size": ("28×28", "10×10"),
    "whole": ("1,234", "42"),
    "number": ("0.25 or 1/4", "0.5 or 1/2"),
    "choice": ("", ""),
}
_EXACT = 6  # decimals: a correct answer with more, or with infinitely many, may be rounded


@dataclass(frozen=True)
class Answer:
    """An exact value: (channels, height, width) of a volume, (height, width) of a size, a number,
    or the text of a choice.

    Two answers are equal if their kinds and values are.
    """

    kind: AnswerKind
    value: Value

    @property
    def text(self) -> str:
        """The answer as the page shows it."""
        match self.value:
            case str():
                return self.value
            case Fraction() if self.endless:
                return f"{figure(self.value)} ≈ {float(self.value):.3g}".replace("-", "−")
            case Fraction():
                return figure(self.value)
            case (height, width):
                return sides(height, width)
            case (channels, height, width):
                return volume(channels, height, width)
            case _:
                raise ValueError(f"{self.value} is no answer")

    @property
    def form(self) -> str:
        """An example of how to answer, never the answer itself."""
        first, second = _FORMS[self.kind]
        return second if self.text in first.replace(" or ", "|").split("|") else first

    @property
    def endless(self) -> bool:
        """Whether it may be rounded, because it has many or infinitely many decimals."""
        if self.kind != "number" or not isinstance(self.value, Fraction):
            return False
        places = decimals(self.value)
        return places is None or places > _EXACT


def volume_of(channels: int, height: int, width: int) -> Answer:
    return Answer("volume", (channels, height, width))


def size_of(height: int, width: int) -> Answer:
    return Answer("size", (height, width))


def integer(value: int) -> Answer:
    return Answer("whole", Fraction(value))


def number(value: Fraction | int) -> Answer:
    return Answer("number", Fraction(value))


def choice(value: str) -> Answer:
    return Answer("choice", value)
