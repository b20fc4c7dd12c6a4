"""The blocks of an explanation: paragraphs, matrices and tables; each format renders these."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Paragraph:
    """A line of text."""

    text: str


@dataclass(frozen=True)
class Matrix:
    """Numbers in rows under a title; `marked` are the cells (row, column) that stand out."""

    title: str
    cells: tuple[tuple[str, ...], ...]
    marked: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True)
class Row:
    """Matrices side by side with operators between them, and the result."""

    matrices: tuple[Matrix, ...]
    operators: tuple[str, ...]
    result: str


@dataclass(frozen=True)
class Table:
    """Rows of cells under a header, which may be empty; the last cell of a row is a number."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Paragraph | Row | Table
