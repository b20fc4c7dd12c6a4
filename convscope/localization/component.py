"""The box around the largest connected part of a map."""

import numpy as np
from numpy.typing import NDArray

Edges = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def box_of_map(values: NDArray[np.float64], threshold: float) -> Edges | None:
    """The box of the largest part where a map (h, w) exceeds `threshold` times its maximum.

    Pixels are connected by their sides. None for a map without a value above 0.

    Reference: Zhou et al., 2016, https://arxiv.org/abs/1512.04150, section 3.2, with 0.2.

        >>> values = np.zeros((4, 6))
        >>> values[1:3, 2:5], values[3, 0] = 1, 1
        >>> box_of_map(values, 0.2)
        (2, 1, 5, 3)
    """
    highest = float(values.max(initial=0))
    if not highest > 0:
        return None
    parts = _parts(values > threshold * highest)
    largest = max(parts, key=lambda part: part.area)
    return largest.left, largest.top, largest.right, largest.bottom


class _Part:
    """A connected part that grows by runs of pixels in a row."""

    def __init__(self) -> None:
        self.area = 0
        self.left = self.top = float("inf")
        self.right = self.bottom = 0.0

    def add(self, row: int, start: int, end: int) -> None:
        self.area += end - start
        self.left, self.right = min(self.left, start), max(self.right, end)
        self.top, self.bottom = min(self.top, row), max(self.bottom, row + 1)

    def join(self, other: "_Part") -> None:
        self.area += other.area
        self.left, self.right = min(self.left, other.left), max(self.right, other.right)
        self.top, self.bottom = min(self.top, other.top), max(self.bottom, other.bottom)


def _parts(mask: NDArray[np.bool_]) -> list[_Part]:
    """The connected parts of a mask, by runs of each row that touch runs of the row above."""
    owner: list[int] = []  # of each part, the part that it was joined to
    parts: list[_Part] = []

    def root(number: int) -> int:
        while owner[number] != number:
            number = owner[number]
        return number

    above: list[tuple[int, int, int]] = []
    for row, line in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], line, [False]]))).tolist()
        here: list[tuple[int, int, int]] = []
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            touched = {root(n) for first, last, n in above if first < end and start < last}
            if not touched:
                owner.append(len(parts))
                parts.append(_Part())
            number = min(touched, default=len(parts) - 1)
            for other in touched - {number}:
                owner[other] = number
                parts[number].join(parts[other])
            parts[number].add(row, start, end)
            here.append((start, end, number))
        above = here
    return [part for number, part in enumerate(parts) if owner[number] == number]
