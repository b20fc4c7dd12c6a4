"""The calculation of one unit as blocks: patch times filter, the largest terms, the winner."""

import math

import numpy as np
from numpy.typing import NDArray

from convscope.explanation.blocks import Beside, Block, Ledger, Matrix, Words
from convscope.explanation.explanation import Explanation
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
    bracketed,
    exact_sum,
    fixed,
    number,
)

_EQUATION = 9  # terms up to which a sum is written in one line
_CELLS = 121  # of a patch up to which it is drawn: the 11x11 of AlexNet


def calculation(decomposition: Decomposition, one: Explanation, top: int) -> list[Block]:
    match decomposition:
        case Sum():
            return _sum(decomposition, one, top)
        case Extremum():
            return _extreme(decomposition, one, top)
        case Identity():
            place = decomposition.terms[0].location if len(decomposition.terms) else None
            value = number(decomposition.exact_value)
            return [Words(f"{value}, taken from {place}" if place else f"{value}, a constant")]
        case Expression():
            worked = Words(f"{decomposition.substituted} = {number(decomposition.exact_value)}")
            return (
                [worked, *_listed(decomposition, top)]
                if len(decomposition.terms) > 1
                else [worked, *_taken(decomposition)]
            )
        case _:
            named = ", ".join(decomposition.operands) or "nothing that the image has a part in"
            return [Words(f"convscope does not know how it computes; it took {named}.")]


def _taken(decomposition: Expression) -> list[Block]:
    place = decomposition.terms[0].location
    return [Words(f"x = {number(decomposition.terms[0].value)}, from {place}")] if place else []


def _sum(decomposition: Sum, one: Explanation, top: int) -> list[Block]:
    patches = _patches(one)
    several = len(decomposition.terms) > _EQUATION
    blocks: list[Block] = []
    if patches is not None:
        blocks += _channels(decomposition, patches, top)
    elif several:
        blocks += _listed(decomposition, top)
    if not several:
        blocks.append(Words(equation(decomposition)))
        if patches is None:
            blocks += _listed(decomposition, top)
    if several:
        up = exact_sum([p for p in decomposition.terms.products.tolist() if p > 0])
        down = exact_sum([p for p in decomposition.terms.products.tolist() if p < 0])
        blocks.append(
            Words(
                f"{len(decomposition.terms):,} products: the positive ones add up to {number(up)}, "
                f"the negative ones to {number(down)}"
            )
        )
    return blocks


def equation(decomposition: Sum) -> str:
    """The sum in one line: `5·1 + 1·0 + 7·(−1) = −2`."""
    plain = bool(np.all(decomposition.terms.weights == 1))
    products = [
        bracketed(term.value, first=not n)
        if plain
        else f"{bracketed(term.value, first=not n)}·{bracketed(term.weight)}"
        for n, term in enumerate(decomposition.terms)
    ]
    if decomposition.bias or not products:
        products.append(bracketed(decomposition.bias))
    written = " + ".join(products)
    if decomposition.divisor != 1:
        written = f"({written}) / {number(decomposition.divisor)}"
    return f"{written} = {number(decomposition.exact_value)}"


def _patches(one: Explanation) -> Floats | None:
    """The patch as (channels, height, width), where it is one that can be drawn."""
    patch = one.patch
    if patch is None or patch.ndim not in (2, 3) or len(one.terms.groups) != 1:
        return None
    layered = patch if patch.ndim == 3 else patch[None]
    return layered if 1 < layered[0].size <= _CELLS else None


def _channels(decomposition: Sum, patches: Floats, top: int) -> list[Block]:
    """Patch times filter, channel by channel, the largest sums first; the others by their sum."""
    products = decomposition.terms.products.reshape(patches.shape)
    weights = decomposition.terms.weights.reshape(patches.shape)
    sums = [exact_sum(channel.ravel().tolist()) for channel in products]
    order = sorted(range(len(sums)), key=lambda c: -abs(sums[c]))
    group = decomposition.terms.groups[0]
    blocks: list[Block] = []
    for c in order[:top]:
        first = c * patches[0].size
        outside = _outside(group, first, patches[0].shape)
        matrices = [Matrix(_titled(group.source, group.at[first], 1), _cells(patches[c], outside))]
        if group.weight_source is not None and group.weight_indices is not None:
            lead = len(group.weight_indices[first]) - patches[0].ndim
            title = _titled(group.weight_source, group.weight_indices[first], lead)
            matrices.append(Matrix(title, _cells(weights[c])))
            matrices.append(Matrix("products", _cells(products[c], outside)))
        signs = ("×", "=")[: len(matrices) - 1]
        blocks.append(Beside(tuple(matrices), signs, f"sum {number(sums[c])}"))
    rest = order[top:]
    if rest:
        left = exact_sum([product for c in rest for product in products[c].ravel().tolist()])
        blocks.append(Words(f"... {len(rest):,} more channels, sum {number(left)}"))
    if 1 < len(sums) <= _EQUATION:
        added = " + ".join(bracketed(value, first=not n) for n, value in enumerate(sums))
        blocks.append(Words(f"channel by channel: {added} = {number(exact_sum(sums))}"))
    return blocks


def _titled(source: str, at: Integers, lead: int) -> str:
    """`conv2.weight[3,0]`: what the indices of a matrix begin with."""
    own = at[:lead] if len(at) > 2 else at[:0]
    return str(Location(source, tuple(own.tolist())))


def _outside(group: TermGroup, first: int, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    if group.inside is None:
        return None
    return ~group.inside[first : first + math.prod(shape)].reshape(shape)


def _cells(matrix: Floats, outside: NDArray[np.bool_] | None = None) -> tuple[tuple[str, ...], ...]:
    """The numbers of a matrix, points under points; a dot for what lies in the padding."""
    hidden = np.zeros(matrix.shape, bool) if outside is None else outside
    real = np.abs(matrix[~hidden & np.isfinite(matrix)])
    largest = float(real.max()) if real.size else 0.0
    whole = bool(np.all(real == np.round(real))) and largest < 1e6
    after = 0 if whole or not largest else max(2, 1 - math.floor(math.log10(largest)))
    far = largest >= 1e6 or after > 8
    return tuple(
        tuple(
            "·" if gone else number(value, signs=3) if far else fixed(value, after)
            for value, gone in zip(row.tolist(), none.tolist(), strict=True)
        )
        for row, none in zip(matrix, hidden, strict=True)
    )


def _listed(decomposition: Sum | Expression, top: int) -> list[Block]:
    """The largest terms with their places, and an honest line for the others."""
    most = 2 * top
    chosen = decomposition.terms.largest(most)
    weighted = isinstance(decomposition, Sum)
    rows = [
        (
            _where(term.location),
            number(term.value),
            f"× {number(term.weight)}" if weighted else "",
            "" if term.weight_location is None else str(term.weight_location),
            number(term.product),
        )
        for term in (decomposition.terms[n] for n in chosen)
    ]
    blocks: list[Block] = [
        Ledger(("operand", "value", "weight" if weighted else "", "", "gives"), tuple(rows))
    ]
    count = len(decomposition.terms) - len(chosen)
    if count:
        shown = set(chosen)
        left = exact_sum(
            [p for n, p in enumerate(decomposition.terms.products.tolist()) if n not in shown]
        )
        blocks.append(Words(f"... {count:,} more terms, sum {number(left)}"))
    return blocks


def _where(place: Location | None) -> str:
    return "padding" if place is None else str(place)


def _extreme(decomposition: Extremum, one: Explanation, top: int) -> list[Block]:
    place = decomposition.terms[decomposition.winner].location
    ties = [_where(decomposition.terms[n].location) for n in decomposition.ties]
    same = f"; as large at {', '.join(ties[:top])}" if ties else ""
    same += f" and {len(ties) - top} more" if len(ties) > top else ""
    value = number(decomposition.exact_value)
    words = Words(
        f"the {decomposition.which} of {len(decomposition.terms)}: {value} at {place}{same}"
    )
    patches = _patches(one)
    if patches is None:
        return [words]
    group = decomposition.terms.groups[0]
    outside = _outside(group, 0, patches[0].shape)
    won = np.unravel_index([decomposition.winner, *decomposition.ties], patches[0].shape)
    marked = frozenset(zip(won[0].tolist(), won[1].tolist(), strict=True))
    matrix = Matrix(_titled(group.source, group.at[0], 1), _cells(patches[0], outside), marked)
    return [
        Beside((matrix,), (), f"{decomposition.which} {number(decomposition.exact_value)}"),
        words,
    ]
