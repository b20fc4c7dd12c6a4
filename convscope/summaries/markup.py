"""A table of strings as text, Markdown, LaTeX and HTML."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from convscope.words import escape_html, visible
from convscope.words.aligned import aligned


@dataclass(frozen=True)
class Table:
    """Strings in rows and columns, with a title and a note.

    Attributes:
        heads: of the columns.
        lines: the cells of the rows.
        totals: the cells of the last row, the sums of the others.
        note: a line below the table.
        text_columns: heads of the columns of text; the others hold numbers, aligned right.
        optional_columns: heads of the columns to leave out first where the table is too wide.
    """

    title: str
    heads: Sequence[str]
    lines: Sequence[Sequence[str]]
    totals: Sequence[str]
    note: str
    text_columns: frozenset[str]
    optional_columns: Sequence[str] = ()

    def to_text(self, *, width: int | None = None) -> str:
        """Columns as wide as their widest cell.

        Where `width` characters are too few, optional columns are left out, and the last line names
        them.
        """
        columns = list(zip(self.heads, *self.lines, self.totals, strict=True))
        left_out: list[str] = []
        for head in self.optional_columns:
            if width is None or _wide(columns) <= width:
                break
            left_out.append(head)
            columns = [column for column in columns if column[0] != head]
        shown = [aligned(column, right=column[0] not in self.text_columns) for column in columns]
        rule = "  ".join("-" * cell_len(column[0]) for column in shown)
        head, *body, total = ("  ".join(line).rstrip() for line in zip(*shown, strict=True))
        missing = [f"Left out to fit: {', '.join(left_out)}."] if left_out else []
        title, note = visible(self.title), visible(self.note)
        parts = [title, "", head, rule, *body, rule, total, "", note, *missing]
        return "".join(f"{line}\n" for line in parts)

    def to_markdown(self) -> str:
        """A table of GitHub's Markdown."""
        marks = [":--" if head in self.text_columns else "--:" for head in self.heads]
        table = [
            f"| {' | '.join(map(_markdown, line))} |"
            for line in (self.heads, marks, *self.lines, self.totals)
        ]
        return "\n".join([f"**{_markdown(self.title)}**", "", *table, "", _markdown(self.note), ""])

    def to_latex(self) -> str:
        """A tabular of the package booktabs."""
        columns = "".join("l" if head in self.text_columns else "r" for head in self.heads)
        head, *body, total = (
            " & ".join(map(_latex, line)) + r" \\"
            for line in (self.heads, *self.lines, self.totals)
        )
        begin, end = rf"\begin{{tabular}}{{{columns}}}", r"\end{tabular}"
        note = rf"\multicolumn{{{len(columns)}}}{{l}}{{{_latex(self.note)}}}"
        rows = [r"\toprule", head, r"\midrule", *body, r"\midrule", total, r"\bottomrule"]
        return "\n".join([f"% {visible(self.title)}", begin, *rows, note, end, ""])

    def to_html(self) -> str:
        """A table that inherits the colors of the page or notebook around it."""
        rows = "".join(self._row("td", line) for line in self.lines)
        return (
            '<table style="font-variant-numeric:tabular-nums"><caption style="text-align:left">'
            f"<b>{escape_html(self.title)}</b><br/>{escape_html(self.note)}</caption>"
            f"<thead>{self._row('th', self.heads)}</thead><tbody>{rows}</tbody>"
            f"<tfoot>{self._row('th', self.totals)}</tfoot></table>\n"
        )

    def _row(self, tag: str, line: Sequence[str]) -> str:
        cells = zip(self.heads, line, strict=True)
        inner = "".join(
            f'<{tag} style="text-align:{"left" if head in self.text_columns else "right"};'
            f'white-space:nowrap">{escape_html(cell)}</{tag}>'
            for head, cell in cells
        )
        return f"<tr>{inner}</tr>"


def shape(sides: Sequence[int]) -> str:
    """Height x width x channels, as the lecture writes it; of a vector, its length."""
    return "x".join(str(side) for side in (*sides[1:], *sides[:1]))


def square(sides: Sequence[int] | None) -> str:
    """3 for a square of 3x3; 3x5 otherwise."""
    several = tuple(sides or ())
    return "x".join(map(str, several[:1] if len(set(several)) == 1 else several))


def format_count(number: int) -> str:
    """With commas; nothing for zero."""
    return f"{number:,}" if number else ""


def size(numbers: int) -> str:
    """The size of this many float32 values."""
    count = 4 * numbers
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:,.1f} {unit}"
    return f"{count} bytes"


def _wide(columns: Sequence[Sequence[str]]) -> int:
    return sum(cell_len(aligned(column)[0]) + 2 for column in columns) - 2


def _latex(cell: str) -> str:
    return visible(cell).replace("<=", "≤").translate(_LATEX)


def _markdown(cell: str) -> str:
    return _MARKDOWN.sub(r"\\\1", visible(cell))


_LATEX = str.maketrans(
    {sign: rf"\{sign}" for sign in "&%$#_{}"}
    | {"≤": r"$\le$", "<": r"$<$", ">": r"$>$", "^": r"\^{}", "~": r"\~{}"}
    | {"\\": r"\textbackslash{}"}
)
_MARKDOWN = re.compile(r"([\\`*\[|]|<(?=[A-Za-z/!?]))")
"""What begins a code, emphasis, link, cell or tag."""
