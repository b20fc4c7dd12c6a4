"""Blocks as HTML, for a notebook."""

from collections.abc import Sequence

from convscope.explanation.rendering.blocks import Block, Matrix, Paragraph, Row, Table
from convscope.words import escape_html

_TABLE = "border-collapse:collapse;font-size:12px;line-height:1.4"
_CELL = "padding:1px 5px;text-align:right;font-variant-numeric:tabular-nums;border:1px solid #8884"
_MARK = "outline:2px solid currentColor;font-weight:650"


def to_html(blocks: Sequence[Block]) -> str:
    """A fragment without a style sheet, in the colors of the page around it; the first block, a
    paragraph, is its heading."""
    heading, *rest = blocks
    title = escape_html(heading.text) if isinstance(heading, Paragraph) else ""
    return f"<div><strong>{title}</strong>{''.join(map(_html, rest))}</div>"


def _html(block: Block) -> str:
    match block:
        case Paragraph():
            return f"<p style='margin:4px 0'>{escape_html(block.text)}</p>"
        case Row():
            operators = ("", *block.operators)
            parts = [
                f"<span>{escape_html(operator)}</span>{_matrix(matrix)}"
                for operator, matrix in zip(operators, block.matrices, strict=True)
            ]
            style = "display:flex;flex-wrap:wrap;gap:8px;align-items:center;margin:8px 0"
            result = f"<span>{escape_html(block.result)}</span>"
            return f"<div style='{style};overflow-x:auto'>{''.join(parts)}{result}</div>"
        case Table():
            head = _row(block.header, "th") if block.header else ""
            body = "".join(_row(row, "td") for row in block.rows)
            return f"<table style='{_TABLE}'>{head}{body}</table>"


def _matrix(matrix: Matrix) -> str:
    def cell(y: int, x: int) -> str:
        style = f"{_CELL};{_MARK if (y, x) in matrix.marked else ''}"
        return f"<td style='{style}'>{escape_html(matrix.cells[y][x])}</td>"

    rows = "".join(
        f"<tr>{''.join(cell(y, x) for x in range(len(row)))}</tr>"
        for y, row in enumerate(matrix.cells)
    )
    caption = f"<caption style='text-align:left'>{escape_html(matrix.title)}</caption>"
    return f"<table style='{_TABLE}'>{caption}{rows}</table>"


def _row(cells: Sequence[str], tag: str) -> str:
    sides = ["left"] + ["right"] * (len(cells) - 1)
    return (
        "<tr>"
        + "".join(
            f"<{tag} style='text-align:{side};padding:2px 8px'>{escape_html(cell)}</{tag}>"
            for cell, side in zip(cells, sides, strict=True)
        )
        + "</tr>"
    )
