"""Blocks as HTML, for a notebook."""

from collections.abc import Sequence
from html import escape

from convscope.explanation.rendering.blocks import Block, Matrix, Paragraph, Row, Table

_TABLE = "border-collapse:collapse;font-size:12px;line-height:1.4"
_CELL = "padding:1px 5px;text-align:right;font-variant-numeric:tabular-nums;border:1px solid #8884"
_MARK = "outline:2px solid currentColor;font-weight:650"


def to_html(blocks: Sequence[Block]) -> str:
    """A fragment without a style sheet, in the colors of the page around it; the first block, a
    paragraph, is its heading."""
    heading, *rest = blocks
    title = escape(heading.text) if isinstance(heading, Paragraph) else ""
    return f"<div><strong>{title}</strong>{''.join(map(_html, rest))}</div>"


def _html(block: Block) -> str:
    match block:
        case Paragraph():
            return f"<p style='margin:4px 0'>{escape(block.text)}</p>"
        case Row():
            operators = ("", *block.operators)
            parts = [
                f"<span>{escape(operator)}</span>{_matrix(matrix)}"
                for operator, matrix in zip(operators, block.matrices, strict=True)
            ]
            style = "display:flex;flex-wrap:wrap;gap:8px;align-items:center;margin:8px 0"
            result = f"<span>{escape(block.result)}</span>"
            return f"<div style='{style};overflow-x:auto'>{''.join(parts)}{result}</div>"
        case Table():
            head = _row(block.header, "th") if block.header else ""
            body = "".join(_row(row, "td") for row in block.rows)
            return f"<table style='{_TABLE}'>{head}{body}</table>"


def _matrix(matrix: Matrix) -> str:
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td style='{_CELL};{_MARK if (y, x) in matrix.marked else ''}'>{escape(cell)}</td>"
            for x, cell in enumerate(row)
        )
        + "</tr>"
        for y, row in enumerate(matrix.cells)
    )
    caption = f"<caption style='text-align:left'>{escape(matrix.title)}</caption>"
    return f"<table style='{_TABLE}'>{caption}{rows}</table>"


def _row(cells: Sequence[str], tag: str) -> str:
    sides = ["left"] + ["right"] * (len(cells) - 1)
    return (
        "<tr>"
        + "".join(
            f"<{tag} style='text-align:{side};padding:2px 8px'>{escape(cell)}</{tag}>"
            for cell, side in zip(cells, sides, strict=True)
        )
        + "</tr>"
    )
