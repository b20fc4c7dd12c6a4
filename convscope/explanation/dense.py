"""Dense layers and products of matrices, and the output layer of 1998."""

import numpy as np

from convscope.explanation.operation_view import Index, Step, Unexplained, broadcast, gather, grid
from convscope.explanation.products import exact, under
from convscope.recording import Source
from convscope.terms import Sum, Terms


def dense(step: Step, at: Index) -> Sum:
    """y[k] = Σ w[k,m] · x[m] + b[k]."""
    image, filters = step.input(), step.source("weight")
    many = range(filters.shape[-1])
    if len(filters.shape) == 1:  # one unit, which has no axis
        operands = grid(*([place] for place in at), many)
        terms = under(step, image, operands, filters, grid(many), shape=(len(many),))
        return exact(step, terms, "y = Σ w[m] · x[m]", bias=step.given("bias"))
    *others, k = at
    operands = grid(*([place] for place in others), many)
    weights = grid([k], many)
    terms = under(step, image, operands, filters, weights, shape=(len(many),))
    return exact(step, terms, "y[k] = Σ w[k,m] · x[m]", bias=step.given("bias"), at=(k,))


def matrices(step: Step, at: Index) -> Sum:
    """y[i,j] = Σ x[i,m] · w[m,j], whatever batches go before; with what `baddbmm` adds."""
    left, right = step.source("input"), step.source("other", "mat2", "1")
    if any(step.given(word, default=1) != 1 for word in ("alpha", "beta")):
        raise Unexplained
    rows, columns = len(left.shape) > 1, len(right.shape) > 1
    *batch, i, j = (*at[: len(at) - rows - columns], *_ends(at, rows=rows, columns=columns))
    many = range(left.shape[-1])
    one = [[place] for place in broadcast(left.shape[: -1 - rows], batch)]
    two = [[place] for place in broadcast(right.shape[: -1 - columns], batch)]
    operands = grid(*one, *([[i]] if rows else []), many)
    weights = grid(*two, many, *([[j]] if columns else []))
    if left.name not in step.operation.operands and right.name in step.operation.operands:
        left, operands, right, weights = right, weights, left, operands
    terms = under(step, left, operands, right, weights, shape=(len(many),))
    bias = step.given("bias")
    own = broadcast(bias.shape, at) if isinstance(bias, Source) else ()
    return exact(step, terms, "y[i,j] = Σ x[i,m] · w[m,j]", bias=bias, at=own)


def _ends(at: Index, *, rows: bool, columns: bool) -> tuple[int, int]:
    """Row and column of a product; 0 where a vector has none."""
    return (at[-1 - columns] if rows else 0), (at[-1] if columns else 0)


def radial(step: Step, at: Index) -> Sum:
    """y[k] = -Σ (x[m] - w[k,m])²."""
    image, codes = step.input(), step.parameter("codes")
    batch, k = at
    many = range(codes.shape[1])
    operands, weights = grid([batch], many), grid([k], many)
    part = step.part(
        image,
        operands,
        weights=gather(step.tensor(codes), weights),
        weight=(codes, weights),
        shape=(len(many),),
    )
    terms = Terms(part, product=lambda weight, value: -np.square(value - weight))
    return Sum(terms=terms, formula="y[k] = −Σ (x[m] − w[k,m])²", roundings=len(many) + 4)
