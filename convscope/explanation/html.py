"""Explanations as HTML, for a notebook."""

from collections.abc import Sequence
from html import escape

from convscope.explanation.blocks import Beside, Block, Ledger, Matrix, Words
from convscope.explanation.explanation import Explanation
from convscope.explanation.layout import blocks_of

_TABLE = "border-collapse:collapse;font-size:12px;line-height:1.4"
_CELL = "padding:1px 5px;text-align:right;font-variant-numeric:tabular-nums;border:1px solid #8884"
_MARK = "outline:2px solid currentColor;font-weight:650"


def to_html(explanation: Explanation, *, top: int = 4) -> str:
    """A fragment that needs no style sheet, and takes its colors from the page that it is in."""
    heading, *rest = blocks_of(explanation, top=top)
    title = escape(heading.text) if isinstance(heading, Words) else ""
    return f"<div><strong>{title}</strong>{''.join(map(_html, rest))}</div>"


def _html(block: Block) -> str:
    match block:
        case Words():
            return f"<p style='margin:4px 0'>{escape(block.text)}</p>"
        case Beside():
            signs = ("", *block.signs)
            parts = [
                f"<span>{escape(sign)}</span>{_matrix(matrix)}"
                for sign, matrix in zip(signs, block.matrices, strict=True)
            ]
            style = "display:flex;flex-wrap:wrap;gap:8px;align-items:center;margin:8px 0"
            result = f"<span>{escape(block.result)}</span>"
            return f"<div style='{style};overflow-x:auto'>{''.join(parts)}{result}</div>"
        case Ledger():
            head = _row(block.heads, "th") if block.heads else ""
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
