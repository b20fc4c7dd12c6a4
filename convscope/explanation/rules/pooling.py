"""Pooling and reductions: the maximum, minimum, mean or learned sum of a window of units."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from convscope.explanation.rules.operation_view import (
    Index,
    OperationView,
    in_bounds,
    index_grid,
    reduced_indices,
)
from convscope.explanation.rules.products import sum_of_products
from convscope.explanation.rules.windows import INDICES
from convscope.explanation.rules.winner import largest_or_index
from convscope.receptive.windows import per_axis
from convscope.terms import Expression, Extremum, Integers, Sum, Terms


def max_pool(op: OperationView, at: Index) -> Extremum | Expression:
    """y[c,i,j] = max x[c, S·i + D·u - P, S·j + D·v - P]; the padding never wins.

    The second result, if there is one, holds the flat index of each maximum in its map.
    """
    count = int(op.operation.kind[-2])
    kernel = per_axis(op.argument("kernel_size"), count)
    largest = _extremum(
        op,
        at,
        kernel,
        strides=per_axis(op.argument("stride", default=kernel) or kernel, count),
        paddings=per_axis(op.argument("padding", default=0), count),
        dilations=per_axis(op.argument("dilation", default=1), count),
    )
    return largest_or_index(op, at, largest)


def min_pool(op: OperationView, at: Index) -> Extremum:
    """y[c,i,j] = min x[c, S·i + D·u - P, S·j + D·v - P]."""
    layer = op.layer
    return _extremum(
        op,
        at,
        layer.kernel_size,
        strides=layer.stride,
        paddings=layer.padding,
        dilations=layer.dilation,
        which="minimum",
    )


def _extremum(
    op: OperationView,
    at: Index,
    kernel: Sequence[int],
    *,
    strides: Sequence[int],
    paddings: Sequence[int],
    dilations: Sequence[int],
    which: Literal["maximum", "minimum"] = "maximum",
) -> Extremum:
    axes = zip(at[-len(kernel) :], kernel, strides, paddings, dilations, strict=True)
    rows = [
        n * stride - pad + np.arange(size) * dilation for n, size, stride, pad, dilation in axes
    ]
    return Extremum(
        which=which,
        terms=window_terms(op, at, rows, fill=-np.inf if which == "maximum" else np.inf),
        formula=f"y[c,{INDICES[len(kernel)]}] = {which[:3]} x[c, ...] under the window",
    )


def window_terms(
    op: OperationView, at: Index, rows: Sequence[Integers], *, fill: float = 0.0
) -> Terms:
    """The operands under a window of one feature map."""
    source = op.input()
    operands = index_grid(*([n] for n in at[: -len(rows)]), *rows)
    shape = tuple(map(len, rows))
    return Terms(
        op.terms_of(
            source,
            operands,
            inside=in_bounds(operands, source.shape),
            fill=fill,
            shape=shape,
            window=len(shape),
        )
    )


def avg_pool(op: OperationView, at: Index) -> Sum:
    """y[c,i,j] = Σ x[c, S·i + u - P, S·j + v - P] / n.

    n includes the zeros of the padding unless `count_include_pad` is False, and never what a last
    window covers beyond the padding.
    """
    count = int(op.operation.kind[-2])
    kernel = per_axis(op.argument("kernel_size"), count)
    strides = per_axis(op.argument("stride", default=kernel) or kernel, count)
    paddings = per_axis(op.argument("padding", default=0), count)
    sides = op.input().shape[-count:]
    rows: list[Integers] = [
        np.arange(n * stride - pad, min(n * stride - pad + size, side + pad))
        for n, size, stride, pad, side in zip(
            at[-count:], kernel, strides, paddings, sides, strict=True
        )
    ]
    terms = window_terms(op, at, rows)
    divisor = op.argument("divisor_override") or len(terms)
    if not op.argument("divisor_override") and not op.argument("count_include_pad", default=True):
        group = terms.groups[0]
        divisor = len(terms) if group.inside is None else int(group.inside.sum())
    return _mean(terms, divisor)


def _mean(terms: Terms, divisor: float) -> Sum:
    return Sum(terms=terms, formula="y = Σ x / n", divisor=divisor)


def _adaptive(op: OperationView, at: Index) -> Terms:
    count = int(op.operation.kind[-2])
    source, result = op.input(), op.operation.shape
    rows: list[Integers] = [
        np.arange(n * side // out, -(-(n + 1) * side // out))
        for n, side, out in zip(at[-count:], source.shape[-count:], result[-count:], strict=True)
    ]
    return window_terms(op, at, rows)


def adaptive_avg_pool(op: OperationView, at: Index) -> Sum:
    """y[c,i,j] = Σ x / n over rows floor(i·h/h') to ceil((i+1)·h/h') - 1, columns alike."""
    terms = _adaptive(op, at)
    mean = _mean(terms, len(terms))
    if op.operation.kind != "adaptive_avg_pool3d":
        return mean
    return replace(mean, rounded=float(np.abs(terms.values).sum()))  # every partial sum


def adaptive_max_pool(op: OperationView, at: Index) -> Extremum | Expression:
    """y[c,i,j] = max x over rows floor(i·h/h') to ceil((i+1)·h/h') - 1, columns alike.

    The second result, if there is one, holds the flat index of each maximum in its map.
    """
    formula = f"y[c,{INDICES[int(op.operation.kind[-2])]}] = max x[c, ...]"
    largest = Extremum(which="maximum", terms=_adaptive(op, at), formula=formula)
    return largest_or_index(op, at, largest)


def reduction(op: OperationView, at: Index) -> Sum:
    """`mean` and `sum` over dimensions."""
    source = op.input()
    terms = Terms(
        op.terms_of(source, reduced_indices(source.shape, at, op.argument("dim", "axis")))
    )
    if op.operation.kind == "mean":
        return _mean(terms, len(terms))
    return sum_of_products(op, terms, "y = Σ x")


def subsampling(op: OperationView, at: Index) -> Sum:
    """y[c,i,j] = a[c] · Σ x[c, S·i + u, S·j + v] + b[c]."""
    layer, source = op.layer, op.input()
    gain, bias = op.parameter("coefficient"), op.bias()
    batch, c, *window = at
    rows: list[Integers] = [
        p * s + np.arange(s) for p, s in zip(window, layer.kernel_size, strict=True)
    ]
    operands = index_grid([batch], [c], *rows)
    group = op.terms_of(
        source,
        operands,
        weights=op.number(gain, (c,)),
        weight=(gain, np.full((len(operands), 1), c)),
        shape=tuple(layer.kernel_size),
        window=2,
    )
    total = sum_of_products(op, Terms(group), "y[c,i,j] = a[c] · Σ x[c, ...]", bias=bias, at=(c,))
    return replace(total, rounded=abs(total.exact_value - total.bias))  # the sum of the window
