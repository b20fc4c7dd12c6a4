"""The calculation of one unit as blocks: patch times filter, the largest terms, the winner."""

import math

import numpy as np
from numpy.typing import NDArray

from convscope.explanation.blocks import Beside, Block, Ledger, Matrix, Words
from convscope.explanation.explanation import Explanation
from convscope.terms import (
    Copy,
    Extreme,
    Floats,
    Function,
    Integers,
    Made,
    Part,
    Place,
    Sum,
    bracketed,
    exact_sum,
    fixed,
    number,
)

_EQUATION = 9  # terms up to which a sum is written in one line
_CELLS = 121  # of a patch up to which it is drawn: the 11x11 of AlexNet


def calculation(made: Made, one: Explanation, top: int) -> list[Block]:
    match made:
        case Sum():
            return _sum(made, one, top)
        case Extreme():
            return _extreme(made, one, top)
        case Copy():
            place = made.terms[0].place if len(made.terms) else None
            value = number(made.total)
            return [Words(f"{value}, taken from {place}" if place else f"{value}, a constant")]
        case Function():
            worked = Words(f"{made.worked} = {number(made.total)}")
            return [worked, *_listed(made, top)] if len(made.terms) > 1 else [worked, *_taken(made)]
        case _:
            named = ", ".join(made.operands) or "nothing that the image has a part in"
            return [Words(f"convscope does not know how it computes; it took {named}.")]


def _taken(made: Function) -> list[Block]:
    place = made.terms[0].place
    return [Words(f"x = {number(made.terms[0].value)}, from {place}")] if place else []


def _sum(made: Sum, one: Explanation, top: int) -> list[Block]:
    patches = _patches(one)
    several = len(made.terms) > _EQUATION
    blocks: list[Block] = []
    if patches is not None:
        blocks += _channels(made, patches, top)
    elif several:
        blocks += _listed(made, top)
    if not several:
        blocks.append(Words(equation(made)))
        if patches is None:
            blocks += _listed(made, top)
    if several:
        up = exact_sum([p for p in made.terms.products.tolist() if p > 0])
        down = exact_sum([p for p in made.terms.products.tolist() if p < 0])
        blocks.append(
            Words(
                f"{len(made.terms):,} products: the positive ones add up to {number(up)}, the "
                f"negative ones to {number(down)}"
            )
        )
    return blocks


def equation(made: Sum) -> str:
    """The sum in one line: `5·1 + 1·0 + 7·(−1) = −2`."""
    plain = bool(np.all(made.terms.weights == 1))
    products = [
        bracketed(term.value, first=not n)
        if plain
        else f"{bracketed(term.value, first=not n)}·{bracketed(term.weight)}"
        for n, term in enumerate(made.terms)
    ]
    if made.bias or not products:
        products.append(bracketed(made.bias))
    written = " + ".join(products)
    if made.divisor != 1:
        written = f"({written}) / {number(made.divisor)}"
    return f"{written} = {number(made.total)}"


def _patches(one: Explanation) -> Floats | None:
    """The patch as (channels, height, width), where it is one that can be drawn."""
    patch = one.patch
    if patch is None or patch.ndim not in (2, 3) or len(one.terms.parts) != 1:
        return None
    layered = patch if patch.ndim == 3 else patch[None]
    return layered if 1 < layered[0].size <= _CELLS else None


def _channels(made: Sum, patches: Floats, top: int) -> list[Block]:
    """Patch times filter, channel by channel, the largest sums first; the others by their sum."""
    products = made.terms.products.reshape(patches.shape)
    weights = made.terms.weights.reshape(patches.shape)
    sums = [exact_sum(channel.ravel().tolist()) for channel in products]
    order = sorted(range(len(sums)), key=lambda c: -abs(sums[c]))
    part = made.terms.parts[0]
    blocks: list[Block] = []
    for c in order[:top]:
        first = c * patches[0].size
        outside = _outside(part, first, patches[0].shape)
        matrices = [Matrix(_titled(part.source, part.at[first], 1), _cells(patches[c], outside))]
        if part.weight_source is not None and part.weight_at is not None:
            lead = len(part.weight_at[first]) - patches[0].ndim
            title = _titled(part.weight_source, part.weight_at[first], lead)
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
    return str(Place(source, tuple(own.tolist())))


def _outside(part: Part, first: int, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    if part.inside is None:
        return None
    return ~part.inside[first : first + math.prod(shape)].reshape(shape)


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


def _listed(made: Sum | Function, top: int) -> list[Block]:
    """The largest terms with their places, and an honest line for the others."""
    most = 2 * top
    chosen = made.terms.largest(most)
    weighted = isinstance(made, Sum)
    rows = [
        (
            _where(term.place),
            number(term.value),
            f"× {number(term.weight)}" if weighted else "",
            "" if term.weight_place is None else str(term.weight_place),
            number(term.product),
        )
        for term in (made.terms[n] for n in chosen)
    ]
    blocks: list[Block] = [
        Ledger(("operand", "value", "weight" if weighted else "", "", "gives"), tuple(rows))
    ]
    count = len(made.terms) - len(chosen)
    if count:
        shown = set(chosen)
        left = exact_sum([p for n, p in enumerate(made.terms.products.tolist()) if n not in shown])
        blocks.append(Words(f"... {count:,} more terms, sum {number(left)}"))
    return blocks


def _where(place: Place | None) -> str:
    return "padding" if place is None else str(place)


def _extreme(made: Extreme, one: Explanation, top: int) -> list[Block]:
    place = made.terms[made.winner].place
    ties = [_where(made.terms[n].place) for n in made.ties]
    same = f"; as large at {', '.join(ties[:top])}" if ties else ""
    same += f" and {len(ties) - top} more" if len(ties) > top else ""
    words = Words(f"the {made.which} of {len(made.terms)}: {number(made.total)} at {place}{same}")
    patches = _patches(one)
    if patches is None:
        return [words]
    part = made.terms.parts[0]
    outside = _outside(part, 0, patches[0].shape)
    won = np.unravel_index([made.winner, *made.ties], patches[0].shape)
    marked = frozenset(zip(won[0].tolist(), won[1].tolist(), strict=True))
    matrix = Matrix(_titled(part.source, part.at[0], 1), _cells(patches[0], outside), marked)
    return [Beside((matrix,), (), f"{made.which} {number(made.total)}"), words]
