"""One box of a file, and its numbers as they are read."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from convscope.boxes.truth import COUNTS
from convscope.errors import RequestError

Edges = tuple[float, float, float, float]


@dataclass(frozen=True)
class Box:
    """One object: its class ("" where the file has none), its edges in pixels, and whether it
    counts, as `convscope.boxes.truth` has it.
    """

    label: str
    left: float
    top: float
    right: float
    bottom: float
    state: int = COUNTS

    @property
    def edges(self) -> Edges:
        return self.left, self.top, self.right, self.bottom


BoxesByImage = Mapping[str, Sequence[Box]]
"""The boxes of each image, by its name as the file has it: `a/1.jpg`, `1.jpg` or `1`."""


def four_numbers(cells: Iterable[object], where: str) -> tuple[float, float, float, float]:
    """The numbers of a box. Raises RequestError, naming `where`, for others."""
    given = [*cells]
    try:
        values = [float(cell) for cell in given]  # pyright: ignore[reportArgumentType]
        first, second, third, fourth = values
    except (TypeError, ValueError) as error:
        said = ", ".join("nothing" if cell in (None, "") else str(cell) for cell in given)
        raise RequestError(f"{where}: a box is four numbers of pixels, not {said}.") from error
    if not all(map(math.isfinite, values)):
        raise RequestError(f"{where}: a box is four finite numbers, not {values}.")
    return first, second, third, fourth


def refuse_empty(box: Box, where: str) -> Box:
    """The box. Raises RequestError where its right or lower edge is not beyond the other one."""
    if box.right <= box.left or box.bottom <= box.top:
        raise RequestError(
            f"{where}: the box from ({box.left:g}, {box.top:g}) to ({box.right:g}, "
            f"{box.bottom:g}) is empty. Its corners may be swapped, or be a width and a height."
        )
    return box
