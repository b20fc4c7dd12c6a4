"""The difference of two units of one result, term by term: why one class and not another."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from convscope.explanation.explanation import Explanation
from convscope.terms import Floats, Identity, Line, Location, Precision, Sum, TermGroup, Terms


def difference(
    explain: Callable[[Location], Explanation], this: Location, that: Location
) -> Explanation:
    """The value of one unit minus the value of another, as terms.

    Behind a softmax it is the difference of the logits, the logarithm of the ratio of the two
    probabilities; operations that only copy are skipped. Two sums over the same operands merge into
    one, whose weights are the differences of theirs; other sums are listed one after the other.
    """
    a, b = _origin(explain, this), _origin(explain, that)
    return Explanation(
        name=a.name,
        at=a.at,
        kind="difference",
        decomposition=_subtract(a, b),
        model_value=a.model_value - b.model_value,
        precision=_IN_FLOAT64,
        operands=tuple(dict.fromkeys((*a.operands, *b.operands))),
        receptive_field=a.receptive_field,
    )


def _origin(explain: Callable[[Location], Explanation], location: Location) -> Explanation:
    """The explanation of a unit, or of the unit that it copies or is the softmax of."""
    explanation = explain(location)
    while _is_skipped(explanation):
        operand = explanation.terms[explanation.top_terms[0]].location
        if operand is None:
            break
        explanation = explain(operand)
    return explanation


def _is_skipped(explanation: Explanation) -> bool:
    copies = isinstance(explanation.decomposition, Identity) and len(explanation.terms) > 0
    return copies or explanation.kind in ("softmax", "log_softmax")


def _subtract(a: Explanation, b: Explanation) -> Sum:
    x, y = a.decomposition, b.decomposition
    formula = f"{a.location} − {b.location}"
    if not (isinstance(x, Sum) and isinstance(y, Sum) and x.divisor == y.divisor):
        terms = Terms(_single(a, 1.0), _single(b, -1.0))
        return Sum(terms=terms, formula=formula)
    negated = (replace(group, weights=-group.weights) for group in y.terms.groups)
    listed = Sum(
        terms=Terms(*x.terms.groups, *negated),
        formula=formula,
        bias=x.bias - y.bias,
        divisor=x.divisor,
        lines=(
            Line("first", str(a.location), a.exact_value),
            Line("second", str(b.location), b.exact_value),
        ),
        error=a.rounding_bound + b.rounding_bound,
    )
    if not _same_operands(x.terms, y.terms):
        return listed
    group, other = x.terms.groups[0], y.terms.groups[0]
    products, errors = _two_difference(x.terms.products, y.terms.products)
    merged = replace(
        group, weights=group.weights - other.weights, weight_source=None, weight_indices=None
    )
    return replace(
        listed,
        terms=Terms(merged, product=lambda _weights, _values: products),
        formula=f"{formula} = Σ (w − w')·x + (b − b')",
        errors=errors,
    )


_IN_FLOAT64 = Precision(unit=2.0**-53, sums=2.0**-53)
"""How the two values are subtracted here, whatever the network rounds to."""


def _single(explanation: Explanation, sign: float) -> TermGroup:
    """The unit itself as a term."""
    at = np.array(explanation.at, dtype=np.int64).reshape(1, -1)
    value = np.array([explanation.model_value])
    return TermGroup(explanation.name, value, np.array([sign]), at)


def _same_operands(a: Terms, b: Terms) -> bool:
    if len(a.groups) != 1 or len(b.groups) != 1 or len(a) != len(b):
        return False
    x, y = a.groups[0], b.groups[0]
    return x.source == y.source and np.array_equal(x.at, y.at)


def _two_difference(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """a - b rounded, and its rounding error, which is exact.

    Reference: Knuth, The Art of Computer Programming, volume 2, section 4.2.2, theorem B.
    """
    rounded = a - b
    back = rounded - a
    return rounded, (a - (rounded - back)) - (b + back)
