"""Directions and distances of vectors: division by the length, cosines, distances of pairs."""

import math
from dataclasses import replace

import numpy as np
import torch

from convscope.explanation.rules.operation_view import (
    Index,
    OperationView,
    broadcast_index,
    index_grid,
    reduced_indices,
)
from convscope.explanation.rules.statistics import length_of
from convscope.recording import Source
from convscope.terms import (
    Expression,
    Integers,
    Line,
    Sum,
    Terms,
    exact_sum,
    number,
    parenthesized,
    quotient,
)


def normalize(op: OperationView, at: Index) -> Expression:
    """y = x / max(‖x‖, ε) along dimensions."""
    dims, order = op.argument("dim", default=1), op.argument("p", default=2.0)
    indices = reduced_indices(op.input().shape, at, dims)
    length = length_of(op.terms_of(op.input(), indices), float(order))
    eps = torch.tensor(op.argument("eps", default=1e-12), dtype=op.result.dtype)  # 0 in float16
    divisor = max(length.exact_value, eps.item())
    main = int((indices == np.array(at)).all(axis=1).argmax())
    x = float(length.terms.values[main])
    return replace(
        length,
        formula=f"y = x / {length.formula.removeprefix('y = ')}",
        substituted=f"{number(x)} / {number(divisor)}",
        exact_value=quotient(x, divisor),
        lines=(Line("length", f"of {len(length.terms):,} units", length.exact_value),),
        roundings=8 + len(length.terms),
        rounded=abs(quotient(x, divisor)),  # the length
        error=abs(quotient(x, divisor)) * quotient(op.spacing, divisor) if x else 0.0,  # subnormal
        main=main,
    )


def weight_norm(op: OperationView, at: Index) -> Expression:
    """w = g·v / ‖v‖, the length over all dimensions but one, or over all for dimension -1."""
    v, g, kept = op.source("v"), op.source("g"), op.argument("dim", default=0)
    dims = [dim for dim in range(len(v.shape)) if dim != kept]
    indices = reduced_indices(v.shape, at, dims)
    length = length_of(op.terms_of(v, indices), 2.0)
    main = int((indices == np.array(at)).all(axis=1).argmax())
    x, gain = float(length.terms.values[main]), op.number(g, broadcast_index(g.shape, at))
    return replace(
        length,
        formula="w = g·v / ‖v‖",
        substituted=f"{number(gain)}·{parenthesized(x)} / {number(length.exact_value)}",
        exact_value=quotient(gain * x, length.exact_value),
        lines=(Line("length", f"of {len(length.terms):,} weights", length.exact_value),),
        roundings=8 + len(length.terms),
        rounded=2 * abs(quotient(gain * x, length.exact_value)),  # the length, the quotient
        main=main,
    )


def cosine_similarity(op: OperationView, at: Index) -> Sum:
    """y = Σ x·z / (max(‖x‖, ε) · max(‖z‖, ε)) along one dimension of two tensors."""
    x, z = op.source("x1"), op.source("x2")
    dim, eps = op.argument("dim", default=1), op.argument("eps", default=1e-8)
    ndim = max(len(x.shape), len(z.shape))
    shape = np.broadcast_shapes(x.shape, z.shape)
    indices = reduced_indices(shape, at, dim % ndim)
    mine, theirs = (_broadcast(source, indices) for source in (x, z))
    values = op.terms_of(z, theirs).values
    group = op.terms_of(x, mine, weights=values, weight=(z, theirs))
    lengths = [
        max(math.sqrt(exact_sum(np.square(column).tolist())), eps)
        for column in (group.values, values)
    ]
    return Sum(
        terms=Terms(group),
        formula="y = Σ x·z / (‖x‖·‖z‖)",
        divisor=math.prod(lengths),
        lines=tuple(
            Line("length", f"of {source.name}", length)
            for source, length in zip((x, z), lengths, strict=True)
        ),
        roundings=12 + 2 * len(group),
        rounded=4 * float(np.abs(group.weights * group.values).sum()) / math.prod(lengths),
    )


def _broadcast(source: Source, indices: Integers) -> Integers:
    """Indices of a result as those of an operand that is broadcast to it."""
    rows = [broadcast_index(source.shape, row) for row in indices.tolist()]
    return np.array(rows, dtype=np.int64).reshape(len(rows), len(source.shape))


def pairwise_distance(op: OperationView, at: Index) -> Expression:
    """y = ‖x − z + ε‖ along the last dimension."""
    x, z = op.source("x1"), op.source("x2")
    shape = np.broadcast_shapes(x.shape, z.shape)
    place = at[:-1] if op.argument("keepdim") else at
    indices = index_grid(*([n] for n in place), range(shape[-1]))
    return _distance(
        op,
        (x, _broadcast(x, indices)),
        (z, _broadcast(z, indices)),
        float(op.argument("p", default=2.0)),
        eps=op.argument("eps", default=1e-6),
    )


def cdist(op: OperationView, at: Index) -> Expression:
    """y[i,j] = ‖x[i] − z[j]‖ of all pairs of rows."""
    x, z = op.source("x1"), op.source("x2")
    *batch, i, j = at
    several = [
        index_grid(
            *([n] for n in broadcast_index(source.shape[:-2], batch)),
            [row],
            range(source.shape[-1]),
        )
        for source, row in ((x, i), (z, j))
    ]
    order = float(op.argument("p", default=2.0))
    distance = _distance(op, (x, several[0]), (z, several[1]), order)
    if order != 2 or max(x.shape[-2], z.shape[-2]) <= _FEW_ROWS:
        return distance
    squares = exact_sum(np.square(distance.terms.values).tolist())
    error = distance.roundings * torch.finfo(op.result.dtype).eps * squares
    size = max(distance.exact_value, math.sqrt(error))
    magnitude = distance.magnitude + quotient(squares, size)
    return replace(distance, magnitude=magnitude, rounded=None)


_FEW_ROWS = 25
"""Of more, torch computes x² − 2·x·z + z², which cancels where two rows are close."""


def _distance(
    op: OperationView,
    one: tuple[Source, Integers],
    other: tuple[Source, Integers],
    order: float,
    *,
    eps: float = 0.0,
) -> Expression:
    x, z = (op.terms_of(source, indices) for source, indices in (one, other))
    differences = x.values - z.values + eps
    both = length_of(x, order, differences)
    shares = both.terms.products
    terms = Terms(
        x,
        replace(z, weights=-z.weights),
        product=lambda _w, _v: np.concatenate([shares, 0 * shares]),
    )
    largest = float(np.abs(terms.values).max(initial=0.0))
    formula = both.formula.replace("x|", "x − z|").replace("x²", "(x − z)²")
    return replace(
        both,
        terms=terms,
        formula=formula,
        roundings=8 + len(terms),
        magnitude=both.exact_value + largest,
        rounded=3 * both.exact_value,  # the differences, twice where ε is added, and the norm
    )
