"""Quantized convolutions and dense layers: sums of products of integers, which are exact.

The sum is scaled, and rounded to an integer once.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from convscope.explanation.rules.operation_view import (
    Index,
    OperationView,
    UnsupportedOperation,
    in_bounds,
    index_grid,
)
from convscope.explanation.rules.quantized import Grid, given_at, grid_of_result, on_grid
from convscope.terms import (
    Expression,
    Integers,
    Line,
    TermGroup,
    Terms,
    exact_sum,
    number,
    parenthesized,
)

_TORCH: Any = torch  # some of which is private


def convolution(op: OperationView, at: Index) -> Expression:
    """y = s·(q - z) with q = round((s' · Σ (q_x - z_x)·(q_w - z_w) + b) / s) + z."""
    packed = given_at(op, 1)
    count = int(op.operation.kind.split("conv")[1][0])
    weight, bias = packed.unpack()
    filters = weight.int_repr().reshape(*weight.shape[:2], *weight.shape[-count:])
    kernel = filters.shape[2:]
    *batch, k = at[:-count]
    settings = (packed.stride(), packed.padding(), packed.dilation())
    window = zip(at[-count:], kernel, *(list(s)[-count:] for s in settings), strict=True)
    rows: list[Integers] = [
        n * step + np.arange(size) * apart - pad for n, size, step, pad, apart in window
    ]
    first = k // (filters.shape[0] // packed.groups()) * filters.shape[1]
    operands = index_grid(*([b] for b in batch), range(first, first + filters.shape[1]), *rows)
    whole = replace(
        _integer_sum(op, operands, weight, filters[k].reshape(-1), k),
        shape=tuple(filters.shape[1:]),
    )
    return _layer(op, at, whole, weight, None if bias is None else bias[k].item(), k)


def dense(op: OperationView, at: Index) -> Expression:
    """The same for a dense layer."""
    packed = given_at(op, 1)
    weight, bias = packed.unpack()
    *batch, k = at
    operands = index_grid(*([n] for n in batch), range(weight.shape[1]))
    whole = _integer_sum(op, operands, weight, weight.int_repr()[k], k)
    return _layer(op, at, whole, weight, None if bias is None else bias[k].item(), k)


def dynamic_dense(op: OperationView, at: Index) -> Expression:
    """y = s_x·s_w · Σ (q_x - z_x)·(q_w - z_w) + b, with s_x and z_x from all units of x."""
    packed = given_at(op, 1)
    weight, bias = packed.unpack()
    if not weight.is_quantized:
        raise UnsupportedOperation("its weights are float16")
    x, (*batch, k) = op.tensor(given_at(op, 0)), at
    scale, zero = _TORCH._choose_qparams_per_tensor(x, bool(given_at(op, 2)))  # noqa: SLF001
    of_x, of_w = Grid(float(scale), int(zero), 0, 255), Grid.of(weight, (k, 0))
    operands = index_grid(*([n] for n in batch), range(weight.shape[1]))
    group = _integer_sum(op, operands, weight, weight.int_repr()[k], k)
    whole = np.array([of_x.nearest(value) - of_x.zero for value in group.values.tolist()])
    weights = np.rint(group.weights / of_w.scale)
    total, shift = int(whole @ weights), 0.0 if bias is None else bias[k].item()
    value = of_x.scale * of_w.scale * total + shift
    slack = sum(
        of_x.slack(one, 0.0) * abs(w)
        for one, w in zip(group.values.tolist(), group.weights.tolist(), strict=True)
    )
    is_cut = "relu" in op.operation.kind and value < 0
    scaled = of_x.scale * of_w.scale
    return Expression(
        terms=Terms(group, product=lambda _weights, _values: scaled * whole * weights),
        formula="y = s_x·s_w·Σ (q_x − z_x)·(q_w − z_w) + b, q_x = round(x / s_x) + z_x",
        substituted=f"{number(scaled)}·{parenthesized(total)} + {parenthesized(shift)}",
        lines=(
            Line("s_x", "of all units of x", of_x.scale),
            Line("z_x", "of all units of x", of_x.zero),
            Line("s_w", f"of unit {k}", of_w.scale),
        ),
        exact_value=0.0 if is_cut else value,
        magnitude=abs(scaled * total) + abs(shift),
        rounded=0.0,
        error=slack,
        main=next(iter(Terms(group).largest(1)), 0),
    )


def _integer_sum(
    op: OperationView, operands: Integers, weight: Tensor, row: Tensor, k: int
) -> TermGroup:
    """Operands and weights of a unit, as the numbers that they stand for."""
    source = given_at(op, 0)
    scale, zero, _, _ = Grid.of(weight, (k,) + (0,) * (weight.ndim - 1))
    weights = scale * (row.numpy().astype(np.float64) - zero)
    return op.terms_of(source, operands, weights=weights, inside=in_bounds(operands, source.shape))


def _layer(
    op: OperationView, at: Index, group: TermGroup, weight: Tensor, bias: float | None, k: int
) -> Expression:
    of_w = Grid.of(weight, (k,) + (0,) * (weight.ndim - 1))
    of_x = Grid.of(op.stored(given_at(op, 0).name), at)
    grid, scale = grid_of_result(op, at), of_x.scale * of_w.scale
    whole = np.rint(group.values / of_x.scale) * np.rint(group.weights / of_w.scale)
    total = int(exact_sum(whole.tolist()))
    lines = [
        Line("Σ", f"(q_x − {of_x.zero})·(q_w − {parenthesized(of_w.zero)})", total),
        Line("s_x·s_w", f"{number(of_x.scale)}·{number(of_w.scale)}", scale),
    ]
    added = bias or 0.0
    rounded = scale * round(added / scale)  # as some engines do first
    recorded = float(op.result[at]) / grid.scale + grid.zero
    if (
        abs(grid.nearest(scale * total + added) - recorded) > 0.5
        and abs(grid.nearest(scale * total + rounded) - recorded) < 0.5
    ):
        lines.append(Line("b", f"{number(added)}, rounded to a multiple of s_x·s_w", rounded))
        added = rounded
    value = scale * total + added
    scaled = f"{number(scale)}·{parenthesized(total)}"
    lines.append(Line("x", scaled if bias is None else f"{scaled} + {parenthesized(added)}", value))
    sums = "s_x·s_w·Σ (q_x − z_x)·(q_w − z_w)"
    return on_grid(
        grid,
        value,
        0.0,
        terms=Terms(group, product=lambda _weights, _values: scale * whole),
        formula=f"y = s·(q − z), q = round(x / s) + z, x = {sums}{'' if bias is None else ' + b'}",
        lines=tuple(lines),
    )
