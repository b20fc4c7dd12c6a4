"""Two summaries side by side, differing rows marked."""

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from convscope.summaries.markup import Table, format_count, shape, square
from convscope.summaries.rows import Row
from convscope.summaries.table import Summary, multiply_adds_cell

_COUNTS = ("feature map", "parameters", "multiply-adds")


@dataclass(frozen=True)
class Comparison:
    """Two networks, layer by layer."""

    first: Summary
    second: Summary

    @property
    def pairs(self) -> tuple[tuple[str, Row | None, Row | None], ...]:
        """(mark, row of the first, row of the second), paired by the layers' names, in order.

        The mark is `=` for equal rows, `!` for different ones, `<` for a row that only the first
        has, `>` for one that only the second has.
        """
        first, second = self.first.rows, self.second.rows
        names = [[row.layer for row in rows] for rows in (first, second)]
        pairs: list[tuple[str, Row | None, Row | None]] = []
        for tag, a, b, c, d in SequenceMatcher(None, *names, autojunk=False).get_opcodes():
            if tag == "equal":
                both = zip(first[a:b], second[c:d], strict=True)
                pairs += [("=" if _cells(x) == _cells(y) else "!", x, y) for x, y in both]
            else:
                pairs += [("<", row, None) for row in first[a:b]]
                pairs += [(">", None, row) for row in second[c:d]]
        return tuple(pairs)

    @property
    def table(self) -> Table:
        """The pairs as strings, to be written as text, Markdown, LaTeX or HTML."""
        both = (self.first, self.second)
        marks = [mark for mark, _, _ in self.pairs]
        totals = [["", "", format_count(n.parameters), n.cost] for n in both]
        return Table(
            title=f"{self.first.title}  |  {self.second.title}",
            heads=("", "layer", self.first.name, *_COUNTS, self.second.name, *_COUNTS),
            lines=[
                [mark, next(row.layer for row in rows if row), *_cells(rows[0]), *_cells(rows[1])]
                for mark, *rows in self.pairs
            ],
            totals=["", "total", *totals[0], *totals[1]],
            note=f"{marks.count('=')} rows the same (=), {marks.count('!')} different (!), "
            f"{marks.count('<')} only in {self.first.name} (<), {marks.count('>')} only in "
            f"{self.second.name} (>).",
            text_columns=frozenset(("", "layer", self.first.name, self.second.name)),
            optional_columns=("multiply-adds", "feature map"),
        )

    def to_dict(self) -> dict[str, Any]:
        """The comparison as JSON."""
        return {
            "first": self.first.to_dict(),
            "second": self.second.to_dict(),
            "pairs": [
                {"mark": mark, "first": left and left.layer, "second": right and right.layer}
                for mark, left, right in self.pairs
            ],
        }

    def __str__(self) -> str:
        return self.table.to_text()

    def _repr_html_(self) -> str:
        return self.table.to_html()


def _cells(row: Row | None) -> list[str]:
    """`Conv 96 of 11, stride 4, pad 2, ReLU`: what a layer does in one cell, and three counts."""
    if row is None:
        return [""] * (1 + len(_COUNTS))
    filters = "" if row.filters is None else str(row.filters)
    window = square(row.kernel)
    parts = [" ".join(filter(None, (row.type, " of ".join(filter(None, (filters, window))))))]
    if row.stride and set(row.stride) != {1}:
        parts.append(f"stride {square(row.stride)}")
    if isinstance(row.padding, str):
        parts.append(f"pad {row.padding}")
    elif row.padding and any(row.padding):
        parts.append(f"pad {square(row.padding)}")
    parts += [row.activation] if row.activation else []
    return [
        ", ".join(parts),
        shape(row.map),
        format_count(row.parameters),
        multiply_adds_cell(row),
    ]
