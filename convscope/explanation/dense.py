"""Dense layers and products of matrices, and the output layer of 1998."""

import numpy as np

from convscope.explanation.operation_view import (
    Index,
    OperationView,
    UnsupportedOperation,
    broadcast_index,
    gather,
    index_grid,
)
from convscope.explanation.products import sum_of_products, weighted_terms
from convscope.recording import Source
from convscope.terms import Sum, Terms


def dense(op: OperationView, at: Index) -> Sum:
    """y[k] = Σ w[k,m] · x[m] + b[k]."""
    source, filters = op.input(), op.source("weight")
    many = range(filters.shape[-1])
    if len(filters.shape) == 1:  # one unit, which has no axis
        operands = index_grid(*([place] for place in at), many)
        terms = weighted_terms(op, source, operands, filters, index_grid(many), shape=(len(many),))
        return sum_of_products(op, terms, "y = Σ w[m] · x[m]", bias=op.argument("bias"))
    *others, k = at
    operands = index_grid(*([place] for place in others), many)
    weights = index_grid([k], many)
    terms = weighted_terms(op, source, operands, filters, weights, shape=(len(many),))
    return sum_of_products(op, terms, "y[k] = Σ w[k,m] · x[m]", bias=op.argument("bias"), at=(k,))


def matrices(op: OperationView, at: Index) -> Sum:
    """y[i,j] = Σ x[i,m] · w[m,j], whatever batches go before; with what `baddbmm` adds."""
    left, right = op.source("input"), op.source("other", "mat2", "1")
    if any(op.argument(word, default=1) != 1 for word in ("alpha", "beta")):
        raise UnsupportedOperation
    rows, columns = len(left.shape) > 1, len(right.shape) > 1
    *batch, i, j = (*at[: len(at) - rows - columns], *_ends(at, rows=rows, columns=columns))
    many = range(left.shape[-1])
    one = [[place] for place in broadcast_index(left.shape[: -1 - rows], batch)]
    two = [[place] for place in broadcast_index(right.shape[: -1 - columns], batch)]
    operands = index_grid(*one, *([[i]] if rows else []), many)
    weights = index_grid(*two, many, *([[j]] if columns else []))
    if left.name not in op.operation.operands and right.name in op.operation.operands:
        left, operands, right, weights = right, weights, left, operands
    terms = weighted_terms(op, left, operands, right, weights, shape=(len(many),))
    bias = op.argument("bias")
    own = broadcast_index(bias.shape, at) if isinstance(bias, Source) else ()
    return sum_of_products(op, terms, "y[i,j] = Σ x[i,m] · w[m,j]", bias=bias, at=own)


def _ends(at: Index, *, rows: bool, columns: bool) -> tuple[int, int]:
    """Row and column of a product; 0 where a vector has none."""
    return (at[-1 - columns] if rows else 0), (at[-1] if columns else 0)


def radial(op: OperationView, at: Index) -> Sum:
    """y[k] = -Σ (x[m] - w[k,m])²."""
    source, codes = op.input(), op.parameter("codes")
    batch, k = at
    many = range(codes.shape[1])
    operands, weights = index_grid([batch], many), index_grid([k], many)
    group = op.terms_of(
        source,
        operands,
        weights=gather(op.tensor(codes), weights),
        weight=(codes, weights),
        shape=(len(many),),
    )
    terms = Terms(group, product=lambda weight, value: -np.square(value - weight))
    return Sum(terms=terms, formula="y[k] = −Σ (x[m] − w[k,m])²", roundings=len(many) + 4)
