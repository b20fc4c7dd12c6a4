"""Trace a value back: its largest contributions, and theirs, down to pixels and parameters."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from convscope.errors import RequestError
from convscope.explanation.explanation import Explanation
from convscope.recording import IMAGE
from convscope.terms import Location, Sum, exact_sum, json_number, number, quotient
from convscope.words import escape_html, visible

_MAX_UNITS = 20_000  # of one tree: seconds of work, and more than anyone reads


@dataclass(frozen=True, repr=False)
class Trace:
    """A unit, and the largest contributions to it, each with its own. It is printed as a tree.

    Attributes:
        location, value, kind: of the unit; a branch ends where the kind is "image", "parameter",
            "buffer" or "constant", or where the network generated the number.
        weight, contribution: its weight in the parent unit, and the product; 1 and the value at the
            root.
        children: the operands that contribute most, the largest first.
        others: the number of all other terms, and their sum.
        bias: the part of the value that depends on no operand.
    """

    location: Location
    value: float
    kind: str
    weight: float
    contribution: float
    children: tuple["Trace", ...]
    others: tuple[int, float]
    bias: float

    def __iter__(self) -> Iterator["Trace"]:
        """This unit and all units below it, depth first."""
        yield self
        for child in self.children:
            yield from child

    @property
    def pixels(self) -> list["Trace"]:
        """The pixels at which branches of the tree end."""
        return [node for node in self if node.location.source == IMAGE]

    def to_dict(self) -> dict[str, Any]:
        return {
            "location": [self.location.source, *self.location.at],
            "value": json_number(self.value),
            "kind": self.kind,
            "weight": json_number(self.weight),
            "contribution": json_number(self.contribution),
            "bias": self.bias,
            "others": {"terms": self.others[0], "sum": self.others[1]},
            "children": [child.to_dict() for child in self.children],
        }

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in self._lines("", ""))

    def __repr__(self) -> str:
        return str(self).rstrip()

    def _repr_html_(self) -> str:
        style = "white-space:pre;overflow-x:auto;line-height:1.3"
        lines = "\n".join(map(escape_html, repr(self).split("\n")))
        return f"<pre style='{style}'>{lines}</pre>"

    def _lines(self, first: str, rest: str) -> Iterator[str]:
        """The tree as lines; `first` is the prefix of the first line, `rest` of all others."""
        product = ""
        if self.contribution != self.value:
            product = f" (× {number(self.weight)} = {number(self.contribution)})"
        yield f"{first}{visible(self.location)} = {number(self.value)}{product}   {self.kind}"
        branches: list[Trace | str] = list(self.children)
        count, total = self.others
        if count:
            terms = "1 more term" if count == 1 else f"{count:,} more terms"
            branches.append(f"{terms}, sum {number(total)}")
        if self.bias:
            branches.append(f"bias {number(self.bias)}")
        for n, branch in enumerate(branches):
            corner, line = ("└─ ", "   ") if n == len(branches) - 1 else ("├─ ", "│  ")
            if len(branches) == 1:  # a chain is not indented
                corner = line = ""
            if isinstance(branch, str):
                yield f"{rest}{corner}{branch}"
            else:
                yield from branch._lines(rest + corner, rest + line)  # noqa: SLF001


def trace(
    explain: Callable[[Location], Explanation], location: Location, *, depth: int | None, top: int
) -> Trace:
    """The tree below a unit: at most `top` operands of each unit, `depth` operations deep."""
    if top < 1 or (depth is not None and depth < 0):
        raise RequestError(f"top must be 1 or more and depth 0 or more, not {top} and {depth}.")
    count = 0

    def visit(
        location: Location, weight: float, contribution: float | None, depth: int | None
    ) -> Trace:
        nonlocal count
        count += 1
        if count > _MAX_UNITS:
            raise RequestError(
                f"The tree would have more than {_MAX_UNITS:,} units. Give a smaller depth or top."
            )
        explanation = explain(location)
        terms, decomposition = explanation.terms, explanation.decomposition
        is_sum = isinstance(decomposition, Sum)
        divisor = decomposition.divisor if is_sum else 1.0
        chosen = [] if depth == 0 else explanation.top_terms[:top]
        children = [
            visit(
                term.location,
                quotient(term.weight, divisor),
                quotient(term.product, divisor) if is_sum else term.value,
                None if depth is None else depth - 1,
            )
            for term in (terms[n] for n in chosen)
            if term.location is not None
        ]
        others: list[float] = []
        if is_sum and depth != 0:
            shown = set(chosen)
            products = enumerate(terms.products.tolist())
            others = [quotient(p, divisor) for n, p in products if n not in shown]
        return Trace(
            location=location,
            value=explanation.model_value,
            kind=explanation.kind,
            weight=weight,
            contribution=explanation.model_value if contribution is None else contribution,
            children=tuple(children),
            others=(len(others), exact_sum(others)),
            bias=quotient(decomposition.bias, divisor) if is_sum and depth != 0 else 0.0,
        )

    return visit(location, 1.0, None, depth)
