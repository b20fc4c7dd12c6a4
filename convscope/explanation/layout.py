"""The decomposition of a unit as blocks: patch times filter, the largest terms, the winner."""

import math

import numpy as np
from numpy.typing import NDArray

from convscope.explanation.blocks import Block, Matrix, Paragraph, Row, Table
from convscope.terms import (
    Decomposition,
    Expression,
    Extremum,
    Floats,
    Identity,
    Integers,
    Location,
    Sum,
    TermGroup,
    Terms,
    exact_sum,
    fixed,
    number,
    parenthesized,
)

_MAX_EQUATION = 9  # terms of a sum that is written on one line
_MAX_CELLS = 121  # of a patch that is drawn: the 11x11 of AlexNet


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
    patches = _patches(total.terms)
    fits_one_line = len(total.terms) <= _MAX_EQUATION
    blocks: list[Block] = []
    if patches is not None:
        blocks += _channels(total, patches, top)
    if fits_one_line:
        blocks.append(Paragraph(_equation(total)))
    if patches is None:
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
        written = f"({written}) / {number(total.divisor)}"
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


def _patches(terms: Terms) -> Floats | None:
    """The patch as (channels, height, width); None where there is none, or too large a one."""
    patch = terms.patch
    if patch is None or patch.ndim not in (2, 3) or len(terms.groups) != 1:
        return None
    patches = patch if patch.ndim == 3 else patch[None]
    return patches if 1 < patches[0].size <= _MAX_CELLS else None


def _channels(total: Sum, patches: Floats, top: int) -> list[Block]:
    """Patch times filter for the channels with the largest sums; one sum for all others."""
    products = total.terms.products.reshape(patches.shape)
    weights = total.terms.weights.reshape(patches.shape)
    sums = [exact_sum(channel.ravel().tolist()) for channel in products]
    order = sorted(range(len(sums)), key=lambda c: -abs(sums[c]))
    group = total.terms.groups[0]
    blocks: list[Block] = []
    for c in order[:top]:
        first = c * patches[0].size
        padding = _padding(group, first, patches[0].shape)
        matrices = [Matrix(_title(group.source, group.at[first], 1), _cells(patches[c], padding))]
        if group.weight_source is not None and group.weight_indices is not None:
            leading = len(group.weight_indices[first]) - patches[0].ndim
            title = _title(group.weight_source, group.weight_indices[first], leading)
            matrices.append(Matrix(title, _cells(weights[c])))
            matrices.append(Matrix("products", _cells(products[c], padding)))
        operators = ("×", "=")[: len(matrices) - 1]
        blocks.append(Row(tuple(matrices), operators, f"sum {number(sums[c])}"))
    others = order[top:]
    if others:
        rest = exact_sum([product for c in others for product in products[c].ravel().tolist()])
        blocks.append(Paragraph(f"... {len(others):,} more channels, sum {number(rest)}"))
    if 1 < len(sums) <= _MAX_EQUATION:
        added = " + ".join(parenthesized(value, first=not n) for n, value in enumerate(sums))
        blocks.append(Paragraph(f"channel by channel: {added} = {number(exact_sum(sums))}"))
    return blocks


def _title(source: str, at: Integers, leading: int) -> str:
    """The leading indices that all cells of a matrix share: `conv2.weight[3,0]`."""
    shared = at[:leading] if len(at) > 2 else at[:0]
    return str(Location(source, tuple(shared.tolist())))


def _padding(group: TermGroup, first: int, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    if group.inside is None:
        return None
    return ~group.inside[first : first + math.prod(shape)].reshape(shape)


def _cells(matrix: Floats, padding: NDArray[np.bool_] | None = None) -> tuple[tuple[str, ...], ...]:
    """The numbers of a matrix with aligned decimal points; a dot for a cell of the padding."""
    hidden = np.zeros(matrix.shape, bool) if padding is None else padding
    visible = np.abs(matrix[~hidden & np.isfinite(matrix)])
    largest = float(visible.max()) if visible.size else 0.0
    integers = bool(np.all(visible == np.round(visible))) and largest < 1e6
    decimals = 0 if integers or not largest else max(2, 1 - math.floor(math.log10(largest)))
    exponents = largest >= 1e6 or decimals > 8
    return tuple(
        tuple(
            "·" if is_padding else number(x, digits=3) if exponents else fixed(x, decimals)
            for x, is_padding in zip(values, mask, strict=True)
        )
        for values, mask in zip(matrix.tolist(), hidden.tolist(), strict=True)
    )


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
    patches = _patches(terms)
    if patches is None:
        return [sentence]
    group = terms.groups[0]
    padding = _padding(group, 0, patches[0].shape)
    rows, columns = np.unravel_index([extremum.winner, *extremum.ties], patches[0].shape)
    marked = frozenset(zip(rows.tolist(), columns.tolist(), strict=True))
    matrix = Matrix(_title(group.source, group.at[0], 1), _cells(patches[0], padding), marked)
    return [Row((matrix,), (), f"{extremum.which} {value}"), sentence]
