"""Explanations as aligned text."""

from collections.abc import Sequence

from convscope.explanation.blocks import Beside, Block, Ledger, Matrix, Words
from convscope.explanation.explanation import Explanation
from convscope.explanation.layout import blocks_of


def to_text(explanation: Explanation, *, top: int = 4) -> str:
    """The explanation in lines that end with a newline."""
    return "\n".join("\n".join(_lines(block)) for block in blocks_of(explanation, top=top)) + "\n"


def im2col_text(explanation: Explanation, *, max_rows: int = 32) -> str:
    """Filter and patch as the two columns w and x of wᵀx, with their products."""
    terms = explanation.terms
    rows = [(f"{t.weight:g}", f"{t.value:g}", f"{t.product:g}") for t in terms[:max_rows]]
    lines = _table(("w", "x", "w·x"), rows)
    if len(terms) > max_rows:
        lines.append(f"... {len(terms) - max_rows:,} more rows")
    return "\n".join([*lines, f"wᵀx = {float(explanation.terms.products.sum()):g}"]) + "\n"


def _lines(block: Block) -> list[str]:
    match block:
        case Words():
            return [block.text]
        case Beside():
            return _beside(block)
        case Ledger():
            return _table(block.heads, block.rows)


def _beside(block: Beside) -> list[str]:
    drawn = [_matrix(matrix) for matrix in block.matrices]
    height = len(drawn[0])
    middle = 1 + (height - 2) // 2
    lines: list[str] = []
    for row in range(height):
        parts = [drawn[0][row]]
        for sign, matrix in zip(block.signs, drawn[1:], strict=True):
            parts += [sign if row == middle else " " * len(sign), matrix[row]]
        end = f"   {block.result}" if row == middle else ""
        lines.append("  ".join(parts).rstrip() + end)
    return ["", *lines, ""]


def _matrix(matrix: Matrix) -> list[str]:
    """A title over the rows, all as wide."""
    cells = [
        [
            f"[{cell}]" if (y, x) in matrix.marked else f" {cell} " if matrix.marked else cell
            for x, cell in enumerate(row)
        ]
        for y, row in enumerate(matrix.cells)
    ]
    wide = _widths(list(zip(*cells, strict=True)))
    rows = ["  ".join(c.rjust(w) for c, w in zip(row, wide, strict=True)) for row in cells]
    side = max(len(matrix.title), *map(len, rows))
    return [matrix.title.ljust(side), *(row.ljust(side) for row in rows)]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns of words on the left, numbers on the right."""
    several = [heads, *rows] if heads else list(rows)
    wide = _widths(list(zip(*several, strict=True)))
    return [
        "  "
        + "  ".join(
            cell.ljust(w) if n in (0, 3) else cell.rjust(w)
            for n, (cell, w) in enumerate(zip(row, wide, strict=True))
        ).rstrip()
        for row in several
    ]


def _widths(columns: Sequence[Sequence[str]]) -> list[int]:
    """How wide each column must be."""
    return [max(map(len, column), default=0) for column in columns]
