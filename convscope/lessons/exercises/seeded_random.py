"""Chance that comes out the same on every machine and in every version of Python."""

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class SeededRandom:
    """Draws that depend on a text alone.

    Only `random.Random.random` is promised to stay as it is; all draws here are made of it.
    """

    def __init__(self, text: str) -> None:
        digest = hashlib.sha256(text.encode()).digest()
        self._random = random.Random(int.from_bytes(digest, "big"))  # noqa: S311 -- no secret

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self._random.random() * (high - low + 1))

    def pick(self, several: Sequence[T]) -> T:
        """One of several."""
        return several[self.between(0, len(several) - 1)]

    def shuffled(self, several: Sequence[T]) -> list[T]:
        """All of them in another order."""
        left, found = list(several), list[T]()
        while left:
            found.append(left.pop(self.between(0, len(left) - 1)))
        return found

    def rows(self, height: int, width: int, low: int, high: int) -> "Rows":
        """A matrix of whole numbers from low to high."""
        return tuple(tuple(self.between(low, high) for _ in range(width)) for _ in range(height))


Rows = tuple[tuple[int, ...], ...]
