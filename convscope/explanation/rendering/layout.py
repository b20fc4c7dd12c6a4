"""The decomposition of a unit as blocks: patch times filter, the largest terms, the winner."""

import math

import numpy as np

from convscope.explanation.rendering.blocks import Block, Paragraph, Table
from convscope.explanation.rendering.window_layout import MAX_EQUATION, channels, winners
from convscope.terms import (
    Decomposition,
    Expression,
    Extremum,
    Identity,
    Location,
    Sum,
    exact_sum,
    number,
    parenthesized,
)


def calculation(decomposition: Decomposition, *, top: int) -> list[Block]:
    """How the value is computed; the `top` largest channels or terms are written out."""
    match decomposition:
        case Sum():
            return _sum(decomposition, top)
        case Extremum():
            return _extremum(decomposition, top)
        case Identity():
            location = decomposition.terms[0].location if len(decomposition.terms) else None
            if location is None:
                return []  # the formula says what it is
            return [Paragraph(f"{number(decomposition.exact_value)}, copied from {location}")]
        case Expression():
            return _expression(decomposition, top)
        case _:
            inputs = ", ".join(decomposition.operands) or "none that depend on the image"
            return [Paragraph(f"No explanation is available. Inputs: {inputs}.")]


def substituted(decomposition: Decomposition) -> str:
    """A short value on one line, with its numbers in place of letters: `5·1 + 1·0 + 3`.

    Of a copy it is the unit that is copied, of a long sum how many terms it has.
    """
    match decomposition:
        case Sum() if len(decomposition.terms) <= MAX_EQUATION:
            return _equation(decomposition).rpartition(" = ")[0]
        case Sum():
            return f"{_count(decomposition)} and a bias"
        case Identity() if len(decomposition.terms):
            return str(decomposition.terms[0].location)
        case Expression():
            return decomposition.substituted
        case _:
            return decomposition.formula


def totals(
    decomposition: Decomposition,
    *,
    model_value: float,
    difference: float,
    rounding_bound: float,
    is_within_tolerance: bool,
) -> Table:
    """What adds up to the exact value, line by line, and the value that the network computed."""
    rows = [(f"{line.label} {line.text}", number(line.value)) for line in decomposition.lines]
    if isinstance(decomposition, Sum):
        rows += _parts_of_sum(decomposition)
    computed = ("model value", number(model_value, digits=9))
    if decomposition.kind == "unsupported":
        return Table((), (*rows, computed))
    exact = ("exact value", number(decomposition.exact_value, digits=9))
    note = _note(rounding_bound, is_within_tolerance=is_within_tolerance)
    compared = (f"difference{note}", number(difference, digits=3))
    return Table((), (*rows, exact, computed, compared))


def _note(rounding_bound: float, *, is_within_tolerance: bool) -> str:
    if not rounding_bound:
        return "" if is_within_tolerance else " (must be 0)"
    if math.isinf(rounding_bound):
        return " (overflow)"
    limit = number(rounding_bound, digits=2)
    return f" (rounding{', ' if is_within_tolerance else ' explains '}at most {limit})"


def _parts_of_sum(total: Sum) -> list[tuple[str, str]]:
    has_bias = bool(total.bias or total.bias_location)
    if not has_bias and total.divisor == 1:
        return []
    products = number(exact_sum(total.terms.products.tolist()), digits=9)
    rows = [(f"sum of {_count(total)}", products)]
    if has_bias:
        rows.append((f"bias {total.bias_location or ''}".rstrip(), number(total.bias, digits=9)))
    if total.divisor != 1:
        rows.append(("divided by", number(total.divisor)))
    return rows


def _count(total: Sum) -> str:
    count = len(total.terms)
    noun = "value" if _is_unweighted(total) else "product"
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _is_unweighted(total: Sum) -> bool:
    return bool(np.all(total.terms.weights == 1))


def _sum(total: Sum, top: int) -> list[Block]:
    fits_one_line = len(total.terms) <= MAX_EQUATION
    blocks = channels(total, top)
    is_window = bool(blocks)
    if fits_one_line:
        blocks.append(Paragraph(_equation(total)))
    if not is_window:
        blocks += _largest_terms(total, top)
    if not fits_one_line:
        products = total.terms.products.tolist()
        positive = number(exact_sum([p for p in products if p > 0]))
        negative = number(exact_sum([p for p in products if p < 0]))
        blocks.append(
            Paragraph(
                f"{_count(total)}: the positive ones sum to {positive}, the negative ones to "
                f"{negative}"
            )
        )
    return blocks


def _equation(total: Sum) -> str:
    """The sum on one line: `5·1 + 1·0 + 7·(−1) = −2`."""
    is_unweighted = _is_unweighted(total)
    products = [
        parenthesized(term.value, first=not n)
        if is_unweighted
        else f"{parenthesized(term.value, first=not n)}·{parenthesized(term.weight)}"
        for n, term in enumerate(total.terms)
    ]
    if total.bias or not products:
        products.append(parenthesized(total.bias))
    written = " + ".join(products)
    if total.divisor != 1:
        numerator = f"({written})" if len(products) > 1 else written
        written = f"{numerator} / {number(total.divisor)}"
    return f"{written} = {number(total.exact_value)}"


def _expression(expression: Expression, top: int) -> list[Block]:
    value = number(expression.exact_value)
    equation = Paragraph(f"{expression.substituted} = {value}")
    if len(expression.terms) > 1:
        return [equation, *_largest_terms(expression, top)]
    term = expression.terms[0]
    if term.location is None:
        return [equation]
    return [equation, Paragraph(f"x = {number(term.value)}, from {term.location}")]


def _largest_terms(decomposition: Sum | Expression, top: int) -> list[Block]:
    """The largest terms with their locations, and the number and sum of all others."""
    terms = decomposition.terms
    chosen = terms.largest(2 * top)
    weighted = isinstance(decomposition, Sum)
    rows = [
        (
            _location(term.location),
            number(term.value),
            f"× {number(term.weight)}" if weighted else "",
            "" if term.weight_location is None else str(term.weight_location),
            number(term.product),
        )
        for term in (terms[n] for n in chosen)
    ]
    product = "product" if weighted else "contribution"
    header = ("input", "value", "weight" if weighted else "", "", product)
    blocks: list[Block] = [Table(header, tuple(rows))]
    count = len(terms) - len(chosen)
    if count:
        shown = set(chosen)
        rest = exact_sum([p for n, p in enumerate(terms.products.tolist()) if n not in shown])
        blocks.append(Paragraph(f"... {count:,} more terms, sum {number(rest)}"))
    return blocks


def _location(location: Location | None) -> str:
    return "padding" if location is None else str(location)


def _extremum(extremum: Extremum, top: int) -> list[Block]:
    terms, value = extremum.terms, number(extremum.exact_value)
    ties = [_location(terms[n].location) for n in extremum.ties]
    tied = f", tied with {', '.join(ties[:top])}" if ties else ""
    tied += f" and {len(ties) - top} more" if len(ties) > top else ""
    winner = terms[extremum.winner].location
    sentence = Paragraph(f"the {extremum.which} of {len(terms)}: {value} at {winner}{tied}")
    return [*winners(extremum), sentence]
