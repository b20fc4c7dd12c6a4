"""Sums of exact products: what convolutions, dense layers and additions have in common."""

from convscope.explanation.operation_view import Index, OperationView, gather, in_bounds
from convscope.recording import Source
from convscope.terms import Integers, Sum, Terms, product_errors


def sum_of_products(
    op: OperationView, terms: Terms, formula: str, *, bias: Source | None = None, at: Index = ()
) -> Sum:
    """A sum of exact products, with the bias that lies at `at` of a tensor."""
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
    """The products of operands, some of which may lie outside, and weights, in the same order."""
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
