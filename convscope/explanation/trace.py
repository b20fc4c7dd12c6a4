"""Where a value came from: the largest contributions, and theirs, down to the pixels."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from convscope.errors import RequestError
from convscope.explanation.explanation import Explanation
from convscope.recording import IMAGE
from convscope.terms import Location, Sum, exact_sum, json_number, number

_MOST = 20_000  # units of one tree: seconds of work, and more than anyone reads


@dataclass(frozen=True)
class Trace:
    """A unit, and the largest contributions to it, each with its own.

    Attributes:
        location, value, kind: of the unit.
        weight, contribution: with what it was multiplied in the unit above, and what that gives of
            it; 1 and the value itself at the root.
        children: of the operands that contribute most, the largest first.
        others: how many further terms there are, and what they add up to.
        bias: what the unit has from no operand.
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
        """This unit and every one below, depth first."""
        yield self
        for child in self.children:
            yield from child

    @property
    def pixels(self) -> list["Trace"]:
        """The pixels that the tree ends in."""
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
        return "".join(f"{line}\n" for line in self.lines("", ""))

    def lines(self, first: str, rest: str) -> Iterator[str]:
        """The tree in lines, the first one and those below it behind what stands before them."""
        given = ""
        if self.contribution != self.value:
            given = f" × {number(self.weight)} gives {number(self.contribution)}"
        yield f"{first}{self.location} = {number(self.value)}{given}   {self.kind}"
        tails: list[tuple[str, Trace | None]] = [("", child) for child in self.children]
        count, left = self.others
        if count:
            some = "1 more term" if count == 1 else f"{count:,} more terms"
            tails.append((f"{some}, sum {number(left)}", None))
        if self.bias:
            tails.append((f"bias {number(self.bias)}", None))
        for n, (words, child) in enumerate(tails):
            last = n == len(tails) - 1
            branch, below = ("└─ ", "   ") if last else ("├─ ", "│  ")
            if len(tails) == 1:  # a step without a choice goes straight down
                branch = below = ""
            if child is None:
                yield f"{rest}{branch}{words}"
            else:
                yield from child.lines(rest + branch, rest + below)


def trace(
    explain: Callable[[Location], Explanation], place: Location, *, depth: int | None, top: int
) -> Trace:
    """The tree below a unit: at most `top` operands for each, `depth` steps down."""
    if top < 1 or (depth is not None and depth < 0):
        raise RequestError(f"top must be 1 or more and depth 0 or more, not {top} and {depth}.")
    count = 0

    def below(here: Location, weight: float, contributes: float | None, left: int | None) -> Trace:
        nonlocal count
        count += 1
        if count > _MOST:
            raise RequestError(
                f"The tree would have more than {_MOST:,} units. Give a smaller depth or top."
            )
        one = explain(here)
        divisor = getattr(one.decomposition, "divisor", 1.0)
        chosen = [] if left == 0 else one.top_terms[:top]
        children = [
            below(
                term.location,
                term.weight / divisor,
                term.product / divisor if isinstance(one.decomposition, Sum) else term.value,
                None if left is None else left - 1,
            )
            for term in (one.terms[n] for n in chosen)
            if term.location is not None
        ]
        others: list[float] = []
        if isinstance(one.decomposition, Sum) and left != 0:
            products, shown = one.terms.products.tolist(), set(chosen)
            others = [product / divisor for n, product in enumerate(products) if n not in shown]
        return Trace(
            location=here,
            value=one.model_value,
            kind=one.kind,
            weight=weight,
            contribution=one.model_value if contributes is None else contributes,
            children=tuple(children),
            others=(len(others), exact_sum(others)),
            bias=one.decomposition.bias / divisor
            if isinstance(one.decomposition, Sum) and left != 0
            else 0.0,
        )

    return below(place, 1.0, None, depth)
