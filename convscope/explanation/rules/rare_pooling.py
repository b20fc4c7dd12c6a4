"""Pooling by powers or at random, and the reverse of pooling that is told where the maxima were."""

import math

import numpy as np
import torch

from convscope.explanation.rules.operation_view import Index, OperationView
from convscope.explanation.rules.pooling import window_terms
from convscope.explanation.rules.windows import INDICES
from convscope.explanation.rules.winner import largest_or_index
from convscope.receptive.windows import per_axis
from convscope.terms import (
    Expression,
    Extremum,
    Identity,
    Integers,
    Terms,
    number,
    parenthesized,
)


def fractional_max_pool(op: OperationView, at: Index) -> Extremum | Expression:
    """y[c,i,j] = max x over windows whose first rows and columns are drawn for each map.

    With s drawn from 0 to 1 and a = (h - F) / (h' - 1), window i begins at floor((i + s)·a) -
    floor(s·a), and the last one at h - F. The second result holds the indices of the maxima.

    Reference: Graham, 2014, "Fractional Max-Pooling".
    """
    count = int(op.operation.kind[-2])
    drawn = op.tensor(op.source("random_samples")).reshape(-1, op.input().shape[-1 - count], count)
    samples = drawn[at[0] if len(at) > count + 1 else 0, at[-1 - count]]
    kernel = per_axis(op.argument("kernel_size"), count)
    order = samples.flip(0) if count == 2 else samples  # columns before rows, or planes first
    sides, outputs = op.input().shape[-count:], op.operation.shape[-count:]
    rows: list[Integers] = []
    axes = zip(at[-count:], sides, outputs, kernel, order, strict=True)
    for n, side, output, size, sample in axes:
        first = side - size
        if n < output - 1:
            step = samples.new_tensor(side - size) / samples.new_tensor(output - 1)
            first = int((n + sample) * step) - int(sample * step)
        rows.append(np.arange(first, first + size))
    y = f"y[c,{INDICES[count]}]"
    formula = f"{y} = max x[c, ...] under a window that begins where chance decided"
    return largest_or_index(
        op, at, Extremum(which="maximum", terms=window_terms(op, at, rows), formula=formula)
    )


def max_unpool(op: OperationView, at: Index) -> Identity:
    """y = the unit of x whose index names this place in the map; 0 where none does."""
    count = int(op.operation.kind[-2])
    source, indices = op.input(), op.source("indices")
    here = int(np.ravel_multi_index(at[-count:], op.operation.shape[-count:]))
    named = op.tensor(indices)[at[:-count]].eq(here).nonzero()
    if not len(named):
        return Identity(terms=Terms(), formula="y = 0, because no index names this place")
    place = (*at[:-count], *map(int, named[-1]))  # of several, it is written last
    formula = f"y = x, because its index in {indices.name} is {here}"
    return Identity(terms=Terms(op.terms_of(source, [place])), formula=formula)


def lp_pool(op: OperationView, at: Index) -> Expression:
    """y[c,i,j] = (Σ x^p)^(1/p) over a window; one that reaches over the border counts as full."""
    count = int(op.operation.kind[-2])
    kernel = per_axis(op.argument("kernel_size"), count)
    strides = per_axis(op.argument("stride", default=kernel) or kernel, count)
    sides = op.input().shape[-count:]
    rows: list[Integers] = [
        np.arange(n * stride, min(n * stride + size, side))
        for n, size, stride, side in zip(at[-count:], kernel, strides, sides, strict=True)
    ]
    numbers = torch.finfo(op.result.dtype)
    power = float(op.argument("norm_type"))
    window = window_terms(op, at, rows)
    terms = Terms(*window.groups, product=lambda _weights, values: np.power(values, power))
    missing = math.prod(kernel) / len(terms)
    with np.errstate(all="ignore"):
        total, size = (float(of.sum()) * missing for of in (terms.products, np.abs(terms.products)))
        error = (len(terms) + 8) * (numbers.eps / 2 * size + op.spacing)
        near = np.abs(total) + np.array([-1, 0, 1]) * error
        low, value, high = np.power(np.maximum(near, 0), 1 / power).tolist()
        exact = float(np.power(np.float64(total), 1 / power))
    factor = "" if missing == 1 else f"{number(missing)}·"
    exponent = number(power)
    return Expression(
        terms=terms,
        formula=f"y[c,{INDICES[count]}] = ({factor}Σ x^{exponent})^(1/{exponent})",
        substituted=f"{parenthesized(total, first=True)}^(1/{exponent})",
        exact_value=exact,
        roundings=8,
        magnitude=high,
        error=max(high - value, value - low) if near[2] <= numbers.max else math.inf,
        main=next(iter(terms.largest(1)), 0),
    )
