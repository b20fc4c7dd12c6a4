"""The summary of a network: its rows, and the totals that are their sums."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from convscope.errors import RequestError
from convscope.summaries import diagram
from convscope.summaries.markup import Table, format_count, shape, size, square
from convscope.summaries.rows import Row, collapse

_HEADS = (
    *("layer", "type", "filters", "kernel", "stride", "padding"),
    *("feature map", "activation", "parameters", "multiply-adds", "receptive field"),
)


@dataclass(frozen=True)
class Summary:
    """The lecture's table of one network.

    Printed, it is the table as text; in a notebook, as HTML. Totals are sums of the rows.

    Attributes:
        name: what the network is called.
        input: shape of the image, (channels, height, width), or as many axes as it has.
        rows: one per layer, in the order in which they run.
        note: a sentence on how the network was run; empty for a run on the meta device.
        published: sentences on the counts that the network's paper states; empty where none is
            known.
    """

    name: str
    input: tuple[int, ...]
    rows: tuple[Row, ...] = field(repr=False)
    note: str = ""
    published: str = ""

    @property
    def parameters(self) -> int:
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        return sum(row.multiply_adds for row in self.rows)

    @property
    def is_counted(self) -> bool:
        """Whether `multiply_adds` are all; False where the cost of an operation is not known."""
        return all(row.is_counted for row in self.rows)

    @property
    def units(self) -> int:
        """Values computed for one image, all rows together."""
        return sum(row.units for row in self.rows)

    @property
    def title(self) -> str:
        return f"{self.name} on {shape(self.input)}"

    @property
    def table(self) -> Table:
        """The rows as strings, to be written as text, Markdown, LaTeX or HTML."""
        blank = [""] * len(_HEADS[1:8])
        return Table(
            title=self.title,
            heads=_HEADS,
            lines=[_cells(row) for row in self.rows],
            totals=["total", *blank, f"{self.parameters:,}", self.cost, ""],
            note=" ".join(filter(None, (self._sizes, self._uncounted, self.note, self.published))),
            text_columns=frozenset(("layer", "type", "activation")),
            optional_columns=(
                "type",
                "multiply-adds",
                "padding",
                "activation",
                "receptive field",
                "stride",
            ),
        )

    @property
    def cost(self) -> str:
        """The multiply-adds in words: `at least 1,000` where not all could be counted."""
        return f"{'' if self.is_counted else 'at least '}{self.multiply_adds:,}"

    @property
    def _sizes(self) -> str:
        return (
            f"In float32: {size(self.parameters)} of parameters, {size(self.units)} of feature "
            "maps for one image."
        )

    @property
    def _uncounted(self) -> str:
        names = [row.layer for row in self.rows if not row.is_counted]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        listed = ", ".join(names[:3]) + more
        return listed and f"Multiply-adds are at least those shown; not counted: {listed}."

    def collapse(self, depth: int) -> "Summary":
        """The same with one row for each module `depth` levels below the network."""
        return replace(self, rows=tuple(collapse(self.rows, depth)))

    def to_svg(self) -> str:
        """The volumes, drawn to scale. Raises RequestError for images of three axes of space."""
        if len(self.input) > 3:
            raise RequestError(
                f"{self.name} takes images of {len(self.input) - 1} axes of space, and a drawing "
                "has room for 2. Leave out `svg`."
            )
        return diagram.svg(self.title, self.input, self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "network": self.name,
            "input": self.input,
            "rows": [asdict(row) for row in self.rows],
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
            "is_counted": self.is_counted,
            "units": self.units,
            "note": self.note,
            **({"published": self.published} if self.published else {}),
        }

    def __str__(self) -> str:
        return self.table.to_text()

    def _repr_html_(self) -> str:
        return self.table.to_html()


def multiply_adds_cell(row: Row) -> str:
    """The count; `?` where it is not known, `at least 1,000` where there may be more."""
    count = format_count(row.multiply_adds)
    return count if row.is_counted else f"at least {count}" if count else "?"


def _cells(row: Row) -> list[str]:
    """The strings of one row, under the heads."""
    return [
        row.layer,
        row.type,
        "" if row.filters is None else str(row.filters),
        square(row.kernel),
        square(row.stride),
        row.padding if isinstance(row.padding, str) else square(row.padding),
        shape(row.map),
        row.activation or "",
        format_count(row.parameters),
        multiply_adds_cell(row),
        ("" if row.exact else "<=") + square(row.receptive_field),
    ]
