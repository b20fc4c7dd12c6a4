"""Exact sums of products, which convolutions, dense layers and additions share."""

from convscope.explanation.operation_view import Index, OperationView, gather, in_bounds
from convscope.recording import Source
from convscope.terms import Integers, Sum, Terms, product_errors


def sum_of_products(
    op: OperationView, terms: Terms, formula: str, *, bias: Source | None = None, at: Index = ()
) -> Sum:
    """The exact sum of the products, plus the element `at` of a bias tensor."""
    double = "float64" in str(op.result.dtype)
    return Sum(
        terms=terms,
        formula=formula if bias is None else f"{formula} + b",
        bias=0.0 if bias is None else op.number(bias, at),
        bias_location=None if bias is None else op.location(bias, at),
        errors=product_errors(terms.weights, terms.values) if double else None,
    )


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
        )
    )
