"""Exact sums of products, which convolutions, dense layers and additions share."""

from dataclasses import replace

from convscope.explanation.rules.operation_view import Index, OperationView, gather, in_bounds
from convscope.explanation.rules.precision import CONVOLUTIONS
from convscope.recording import Source, get_kind
from convscope.terms import Integers, Sum, Terms, product_errors


def sum_of_products(
    op: OperationView, terms: Terms, formula: str, *, bias: Source | None = None, at: Index = ()
) -> Sum:
    """The exact sum of the products, plus the element `at` of a bias tensor."""
    double = "float64" in str(op.result.dtype)
    formula = formula if bias is None else f"{formula} + b"
    total = Sum(
        terms=terms,
        formula=formula + op.note_of_casts(),
        bias=0.0 if bias is None else op.number(bias, at),
        bias_location=None if bias is None else op.location(bias, at),
        errors=product_errors(terms.weights, terms.values) if double else None,
    )
    if bias is None or not _adds_bias_last(op):
        return total
    return replace(total, rounded=abs(total.exact_value - total.bias))


def _adds_bias_last(op: OperationView) -> bool:
    """Whether the bias may be added to a sum that was already rounded to the type of the result."""
    rule = get_kind(op.operation.kind).rule
    if rule == "dense":  # PyTorch computes such a product of tokens that are not contiguous
        return len(op.operation.shape) > 2
    return rule in CONVOLUTIONS and not op.result.is_cpu


def weighted_terms(
    op: OperationView,
    source: Source,
    operands: Integers,
    filters: Source,
    weights: Integers,
    *,
    shape: tuple[int, ...],
) -> Terms:
    """Pair operands and weights at two lists of indices; an operand out of bounds is padding."""
    return Terms(
        op.terms_of(
            source,
            operands,
            weights=gather(op.tensor(filters), weights),
            inside=in_bounds(operands, source.shape),
            weight=(filters, weights),
            shape=shape,
            window=len(shape) - 1,
        )
    )
