"""What an explanation shows to people: words, matrices, ledgers; every layout draws these."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """A line of text."""

    text: str


@dataclass(frozen=True)
class Matrix:
    """Numbers in rows under a title; `marked` are the cells (row, column) that stand out."""

    title: str
    cells: tuple[tuple[str, ...], ...]
    marked: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True)
class Beside:
    """Matrices side by side with signs between them, and what they come to."""

    matrices: tuple[Matrix, ...]
    signs: tuple[str, ...]
    result: str


@dataclass(frozen=True)
class Ledger:
    """Rows of cells under heads, which may be empty; the last cell of a row is a number."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Words | Beside | Ledger
