"""Random numbers that are the same on every machine and in every version of Python."""

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class SeededRandom:
    """A random source that is seeded by a text.

    Python guarantees reproducibility for `random.Random.random` only; all draws here use it.
    """

    def __init__(self, text: str) -> None:
        digest = hashlib.sha256(text.encode()).digest()
        self._random = random.Random(int.from_bytes(digest, "big"))  # noqa: S311 -- no secret

    def between(self, low: int, high: int) -> int:
        """Return an integer from low to high, both included."""
        return low + int(self._random.random() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items."""
        return items[self.between(0, len(items) - 1)]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """Return all items in random order."""
        left, order = list(items), list[T]()
        while left:
            order.append(left.pop(self.between(0, len(left) - 1)))
        return order

    def rows(self, height: int, width: int, low: int, high: int) -> "Rows":
        """Return a matrix of integers from low to high."""
        return tuple(tuple(self.between(low, high) for _ in range(width)) for _ in range(height))


Rows = tuple[tuple[int, ...], ...]
