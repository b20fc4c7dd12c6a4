"""Blocks as aligned text."""

from collections.abc import Sequence

from convscope.explanation.rendering.blocks import Block, Matrix, Paragraph, Row, Table
from convscope.terms import Terms
from convscope.words import visible
from convscope.words.aligned import aligned


def to_text(blocks: Sequence[Block]) -> str:
    """The blocks as lines, each of which ends with a newline."""
    return "\n".join("\n".join(_lines(block)) for block in blocks) + "\n"


def im2col_text(terms: Terms, *, max_rows: int = 32) -> str:
    """Filter and patch as the two columns w and x of wᵀx, with their products."""
    rows = [(f"{t.weight:g}", f"{t.value:g}", f"{t.product:g}") for t in terms[:max_rows]]
    lines = _table(("w", "x", "w·x"), rows)
    if len(terms) > max_rows:
        lines.append(f"... {len(terms) - max_rows:,} more rows")
    return "\n".join([*lines, f"wᵀx = {float(terms.products.sum()):g}"]) + "\n"


def _lines(block: Block) -> list[str]:
    match block:
        case Paragraph():
            return [visible(block.text)]
        case Row():
            return _row(block)
        case Table():
            return _table(block.header, block.rows)


def _row(row: Row) -> list[str]:
    drawn = [_matrix(matrix) for matrix in row.matrices]
    height = len(drawn[0])
    middle = 1 + (height - 2) // 2
    lines: list[str] = []
    for n in range(height):
        parts = [drawn[0][n]]
        for sign, matrix in zip(row.operators, drawn[1:], strict=True):
            parts += [sign if n == middle else " " * len(sign), matrix[n]]
        end = f"   {visible(row.result)}" if n == middle else ""
        lines.append("  ".join(parts).rstrip() + end)
    return ["", *lines, ""]


def _matrix(matrix: Matrix) -> list[str]:
    """The title above the rows, all padded to the same width."""
    cells = [
        [
            f"[{cell}]" if (y, x) in matrix.marked else f" {cell} " if matrix.marked else cell
            for x, cell in enumerate(row)
        ]
        for y, row in enumerate(matrix.cells)
    ]
    columns = [aligned(column, right=True) for column in zip(*cells, strict=True)]
    return aligned([matrix.title, *map("  ".join, zip(*columns, strict=True))])


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns of names are left-aligned, columns of numbers right-aligned."""
    lines = [header, *rows] if header else rows
    columns = [
        aligned(column, right=n not in (0, 3)) for n, column in enumerate(zip(*lines, strict=True))
    ]
    return ["  " + "  ".join(line).rstrip() for line in zip(*columns, strict=True)]
