"""Two summaries side by side, differing rows marked."""

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from convscope.summaries.markup import Table, counted, shape, square
from convscope.summaries.rows import Row
from convscope.summaries.table import Summary

_COUNTS = ("feature map", "parameters", "multiply-adds")


@dataclass(frozen=True)
class Comparison:
    """Two networks, layer by layer."""

    first: Summary
    second: Summary

    @property
    def pairs(self) -> tuple[tuple[str, Row | None, Row | None], ...]:
        """(mark, row of the first, row of the second), paired by the layers' names, in order.

        The mark tells: `=` the same in both, `!` different, `<` only in the first, `>` only in the
        second.
        """
        one, two = self.first.rows, self.second.rows
        names = [[row.layer for row in rows] for rows in (one, two)]
        found: list[tuple[str, Row | None, Row | None]] = []
        for tag, a, b, c, d in SequenceMatcher(None, *names, autojunk=False).get_opcodes():
            if tag == "equal":
                both = zip(one[a:b], two[c:d], strict=True)
                found += [("=" if _half(x) == _half(y) else "!", x, y) for x, y in both]
            else:
                found += [("<", row, None) for row in one[a:b]]
                found += [(">", None, row) for row in two[c:d]]
        return tuple(found)

    @property
    def table(self) -> Table:
        """The pairs as strings, to be written as text, Markdown, LaTeX or HTML."""
        both = (self.first, self.second)
        marks = [mark for mark, _, _ in self.pairs]
        totals = [["", "", counted(n.parameters), counted(n.multiply_adds)] for n in both]
        return Table(
            title=f"{self.first.title}  |  {self.second.title}",
            heads=("", "layer", self.first.name, *_COUNTS, self.second.name, *_COUNTS),
            lines=[
                [mark, next(row.layer for row in rows if row), *_half(rows[0]), *_half(rows[1])]
                for mark, *rows in self.pairs
            ],
            totals=["", "total", *totals[0], *totals[1]],
            note=f"{marks.count('=')} rows the same (=), {marks.count('!')} different (!), "
            f"{marks.count('<')} only in {self.first.name} (<), {marks.count('>')} only in "
            f"{self.second.name} (>).",
            words=frozenset(("", "layer", self.first.name, self.second.name)),
            spared=("multiply-adds", "feature map"),
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything, for machines."""
        return {
            "first": self.first.to_dict(),
            "second": self.second.to_dict(),
            "pairs": [
                {"mark": mark, "first": one and one.layer, "second": two and two.layer}
                for mark, one, two in self.pairs
            ],
        }

    def __str__(self) -> str:
        return self.table.to_text()

    def _repr_html_(self) -> str:
        return self.table.to_html()


def _half(row: Row | None) -> list[str]:
    """`conv 96 of 11, stride 4, pad 2, relu`: what a layer does in one cell, and three counts."""
    if row is None:
        return [""] * (1 + len(_COUNTS))
    filters = "" if row.filters is None else str(row.filters)
    window = square(row.size)
    told = [" ".join(filter(None, (row.kind, " of ".join(filter(None, (filters, window))))))]
    if row.stride and set(row.stride) != {1}:
        told.append(f"stride {square(row.stride)}")
    if isinstance(row.padding, str):
        told.append(f"pad {row.padding}")
    elif row.padding and any(row.padding):
        told.append(f"pad {square(row.padding)}")
    told += [row.activation] if row.activation else []
    return [", ".join(told), shape(row.map), counted(row.parameters), counted(row.multiply_adds)]
