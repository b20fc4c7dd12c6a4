"""Why this class and not that: the difference of two units of one result, term by term."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from convscope.explanation.explanation import Explanation
from convscope.terms import Floats, Identity, Line, Location, Sum, TermGroup, Terms


def difference(
    explain: Callable[[Location], Explanation], this: Location, that: Location
) -> Explanation:
    """The value of one unit less that of another, as terms.

    Behind a softmax it is the difference of the logits, which is the logarithm of the quotient of
    the two probabilities; what only moves numbers is passed by. Two sums over the same operands
    become one, with the difference of their weights; other sums are set against each other.
    """
    one, two = _source(explain, this), _source(explain, that)
    decomposition = _subtracted(one, two)
    return Explanation(
        name=one.name,
        at=one.at,
        kind="difference",
        decomposition=decomposition,
        model_value=one.model_value - two.model_value,
        epsilon=one.epsilon,
        operands=tuple(dict.fromkeys((*one.operands, *two.operands))),
        receptive_field=one.receptive_field,
    )


def _source(explain: Callable[[Location], Explanation], place: Location) -> Explanation:
    """The explanation of a unit, or of the one that it was copied from or is a softmax of."""
    one = explain(place)
    while _passes(one):
        before = one.terms[one.top_terms[0]].location
        if before is None:
            break
        one = explain(before)
    return one


def _passes(one: Explanation) -> bool:
    copied = isinstance(one.decomposition, Identity) and len(one.terms) > 0
    return copied or one.kind in ("softmax", "log_softmax")


def _subtracted(one: Explanation, two: Explanation) -> Sum:
    a, b = one.decomposition, two.decomposition
    names = f"{one.location} − {two.location}"
    if not (isinstance(a, Sum) and isinstance(b, Sum) and a.divisor == b.divisor):
        return Sum(terms=Terms(_alone(one, 1.0), _alone(two, -1.0)), formula=names)
    whole = Sum(
        terms=Terms(*a.terms.groups, *(replace(p, weights=-p.weights) for p in b.terms.groups)),
        formula=names,
        bias=a.bias - b.bias,
        divisor=a.divisor,
        lines=(
            Line("first", str(one.location), one.exact_value),
            Line("second", str(two.location), two.exact_value),
        ),
        roundings=1,
        magnitude=(one.tolerance + two.tolerance) / one.epsilon if one.epsilon else 0.0,
    )
    if not _same_operands(a.terms, b.terms):
        return whole
    group, other = a.terms.groups[0], b.terms.groups[0]
    products, lacking = _minus(a.terms.products, b.terms.products)
    merged = replace(
        group, weights=group.weights - other.weights, weight_source=None, weight_indices=None
    )
    return replace(
        whole,
        terms=Terms(merged, product=lambda _weights, _values: products),
        formula=f"{names} = Σ (w − w')·x + (b − b')",
        errors=lacking,
    )


def _alone(one: Explanation, sign: float) -> TermGroup:
    at = np.array(one.at, dtype=np.int64).reshape(1, -1)
    return TermGroup(one.name, np.array([one.model_value]), np.array([sign]), at)


def _same_operands(one: Terms, two: Terms) -> bool:
    if len(one.groups) != 1 or len(two.groups) != 1 or len(one) != len(two):
        return False
    a, b = one.groups[0], two.groups[0]
    return a.source == b.source and np.array_equal(a.at, b.at)


def _minus(one: Floats, two: Floats) -> tuple[Floats, Floats]:
    """The differences, and what they lack to be exact.

    Reference: Knuth, The Art of Computer Programming, volume 2, section 4.2.2, theorem B.
    """
    found = one - two
    back = found - one
    return found, (one - (found - back)) - (two + back)
