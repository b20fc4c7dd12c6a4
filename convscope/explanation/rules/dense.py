"""Dense layers, matrix products, and the radial basis functions of LeNet-5 (1998)."""

from dataclasses import replace

import numpy as np

from convscope.explanation.rules.operation_view import (
    Index,
    OperationView,
    broadcast_index,
    gather,
    index_grid,
)
from convscope.explanation.rules.products import sum_of_products, weighted_terms
from convscope.recording import Source
from convscope.terms import Line, Sum, Terms, exact_sum


def dense(op: OperationView, at: Index) -> Sum:
    """y[k] = Σ w[k,m] · x[m] + b[k]."""
    source, filters = op.input(), op.source("weight")
    inner = range(filters.shape[-1])
    if len(filters.shape) == 1:  # a single unit without an axis
        operands = index_grid(*([n] for n in at), inner)
        terms = weighted_terms(
            op, source, operands, filters, index_grid(inner), shape=(len(inner),)
        )
        return sum_of_products(op, terms, "y = Σ w[m] · x[m]", bias=op.argument("bias"))
    *batch, k = at
    operands = index_grid(*([n] for n in batch), inner)
    weights = index_grid([k], inner)
    terms = weighted_terms(op, source, operands, filters, weights, shape=(len(inner),))
    return sum_of_products(op, terms, "y[k] = Σ w[k,m] · x[m]", bias=op.argument("bias"), at=(k,))


def matrix_product(op: OperationView, at: Index) -> Sum:
    """y[i,j] = Σ x[i,m] · w[m,j] with any batch dimensions; `addmm` is α·Σ x·w + β·b."""
    left, right = op.source("input"), op.source("other", "mat2", "1")
    rows, columns = len(left.shape) > 1, len(right.shape) > 1
    *batch, i, j = (*at[: len(at) - rows - columns], *_ends(at, rows=rows, columns=columns))
    inner = range(left.shape[-1])
    left_batch = [[n] for n in broadcast_index(left.shape[: -1 - rows], batch)]
    right_batch = [[n] for n in broadcast_index(right.shape[: -1 - columns], batch)]
    operands = index_grid(*left_batch, *([[i]] if rows else []), inner)
    weights = index_grid(*right_batch, inner, *([[j]] if columns else []))
    if left.name not in op.operation.operands and right.name in op.operation.operands:
        left, operands, right, weights = right, weights, left, operands
    terms = weighted_terms(op, left, operands, right, weights, shape=(len(inner),))
    return _with_addend(op, at, terms, "y[i,j] = Σ x[i,m] · w[m,j]")


def summed_products(op: OperationView, at: Index) -> Sum:
    """y[i,j] = β·b[i,j] + α·Σ x[n,i,m] · w[n,m,j] over n and m: `addbmm`."""
    left, right = op.source("input"), op.source("other")
    several, inner = range(left.shape[0]), range(left.shape[-1])
    operands = index_grid(several, [at[0]], inner)
    weights = index_grid(several, inner, [at[1]])
    if left.name not in op.operation.operands and right.name in op.operation.operands:
        left, operands, right, weights = right, weights, left, operands
    terms = weighted_terms(op, left, operands, right, weights, shape=(len(several), len(inner)))
    total = _with_addend(op, at, terms, "y[i,j] = Σ x[n,i,m] · w[n,m,j]")
    size = float(np.abs(total.terms.products).sum()) + abs(total.bias)
    return replace(total, rounded=(len(several) + 1) * size)  # the products of every n are added


def outer_product(op: OperationView, at: Index) -> Sum:
    """y[i,j] = x[i]·w[j], and of `addr` β·b[i,j] + α·x[i]·w[j]."""
    left, right = op.source("input"), op.source("other")
    operands, weights = (np.array([[n]], dtype=np.int64) for n in at)
    if left.name not in op.operation.operands and right.name in op.operation.operands:
        left, operands, right, weights = right, weights, left, operands
    terms = weighted_terms(op, left, operands, right, weights, shape=())
    total = _with_addend(op, at, terms, "y[i,j] = x[i]·w[j]")
    return replace(total, rounded=3 * float(np.abs(total.terms.products).sum()) + abs(total.bias))


def _with_addend(op: OperationView, at: Index, terms: Terms, formula: str) -> Sum:
    """The sum of these products times α, plus the addend times β.

    An addend of weights is the bias; one that depends on the image, or that is scaled, is a term.
    """
    addend = op.argument("bias")
    alpha, beta = op.argument("alpha", default=1), op.argument("beta", default=1)
    if alpha != 1:
        scaled = (replace(g, weights=alpha * g.weights, weight_source=None) for g in terms.groups)
        terms, formula = Terms(*scaled), formula.replace("= ", "= α·", 1)
    if not isinstance(addend, Source) or not beta:  # torch ignores even NaN then
        return sum_of_products(op, terms, formula)
    place = broadcast_index(addend.shape, at)
    if beta == 1 and addend.name not in op.operation.operands:
        return sum_of_products(op, terms, formula, bias=addend, at=place)
    added = op.terms_of(addend, [place], weights=beta)
    formula += " + b" if beta == 1 else " + β·b"
    return sum_of_products(op, Terms(*terms.groups, added), formula)


def _ends(at: Index, *, rows: bool, columns: bool) -> tuple[int, int]:
    """Row and column in a product; 0 for the axis that a vector lacks."""
    return (at[-1 - columns] if rows else 0), (at[-1] if columns else 0)


def radial_basis(op: OperationView, at: Index) -> Sum:
    """y[k] = -Σ (x[m] - w[k,m])²."""
    source, codes = op.input(), op.parameter("codes")
    batch, k = at
    inner = range(codes.shape[1])
    operands, weights = index_grid([batch], inner), index_grid([k], inner)
    group = op.terms_of(
        source,
        operands,
        weights=gather(op.tensor(codes), weights),
        weight=(codes, weights),
        shape=(len(inner),),
    )
    terms = Terms(group, product=lambda weight, value: -np.square(value - weight))
    size = float(np.abs(terms.products).sum())
    return Sum(
        terms=terms,
        formula="y[k] = −Σ (x[m] − w[k,m])²",
        roundings=len(inner) + 4,
        rounded=3 * size,  # the differences, which are squared, and the squares
    )


def zca_whitening(op: OperationView, at: Index) -> Sum:
    """y[k] = Σ w[k,m] · (x[m] - mean[m]), over all pixels and channels of an image."""
    source, matrix = op.input(), op.parameter("weight")
    batch, *place = at
    shape = source.shape[1:]
    inner = range(matrix.shape[1])
    row = index_grid([int(np.ravel_multi_index(place, shape))], inner)
    weights = gather(op.tensor(matrix), row)
    means = gather(op.tensor(op.parameter("mean")), index_grid(inner))
    group = op.terms_of(
        source,
        index_grid([batch], *map(range, shape)),
        weights=weights,
        weight=(matrix, row),
        shape=tuple(shape),
    )
    shift = -exact_sum((weights * means).tolist())
    differences = float(np.abs(weights * (group.values - means)).sum())
    return Sum(
        terms=Terms(group),
        bias=shift,
        formula="y[k] = Σ w[k,m] · x[m] + shift",
        lines=(Line("shift", f"−Σ w[k,m] · mean[m] over {len(inner):,} values", shift),),
        roundings=len(inner) + 4,
        magnitude=differences,
        rounded=differences,
        error=64 * np.finfo(np.float64).eps * float(np.abs(group.values * weights).sum()),
    )
