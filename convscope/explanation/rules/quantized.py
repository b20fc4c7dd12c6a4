"""Quantized numbers: integers q that stand for s·(q - z), with a scale s and a zero point z.

Where a number to be rounded to an integer lies as near to a half as the network's own rounding
reaches, either neighbor is right.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from convscope.explanation.rules.operation_view import (
    Index,
    OperationView,
    UnsupportedOperation,
    broadcast_index,
)
from convscope.recording import Source, get_kind
from convscope.terms import (
    Decomposition,
    Expression,
    Identity,
    Line,
    Precision,
    Sum,
    Terms,
    number,
    parenthesized,
)

EPSILON = 2.0**-23


def given_at(op: OperationView, position: int) -> Any:
    """An argument by its position; operators of quantized numbers name theirs in many ways."""
    given = list(op.operation.arguments.values())
    return given[position] if position < len(given) else None


class Grid(NamedTuple):
    """The numbers s·(q - z) with q from `low` to `high`."""

    scale: float
    zero: int
    low: int
    high: int

    @classmethod
    def of(cls, tensor: Tensor, at: Index) -> "Grid":
        """Of one element of a quantized tensor."""
        if tensor.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
            scale, zero = tensor.q_scale(), tensor.q_zero_point()
        else:
            channel = at[tensor.q_per_channel_axis()]
            scale = float(tensor.q_per_channel_scales()[channel])
            zero = int(tensor.q_per_channel_zero_points()[channel])
        kind = torch.iinfo(tensor.dtype)
        return cls(scale, int(zero), kind.min, kind.max)

    def nearest(self, value: float) -> int:
        """The integer of the nearest number; of a half, the even one."""
        if math.isnan(value):
            raise UnsupportedOperation("a quantized number cannot be NaN")
        steps = min(max(value / self.scale, self.low - self.zero), self.high - self.zero)
        return min(max(round(steps) + self.zero, self.low), self.high)

    def slack(self, value: float, error: float) -> float:
        """How far the network's number may be: by one step where `value` lies near a half."""
        steps = value / self.scale
        near = (error + 4 * EPSILON * abs(value)) / self.scale + 2**-24
        is_half = abs(abs(steps - round(steps)) - 0.5) <= near
        return self.scale if is_half and math.isfinite(steps) else 0.0


def on_grid(
    grid: Grid,
    value: float,
    error: float,
    *,
    terms: Terms,
    formula: str,
    lines: tuple[Line, ...] = (),
) -> Expression:
    """The number of the grid that is nearest to a value, which the network has up to an error."""
    q = grid.nearest(value)
    result = grid.scale * (q - grid.zero)
    written = f"round({number(value)} / {number(grid.scale)}) + {parenthesized(grid.zero)}"
    return Expression(
        terms=terms,
        formula=formula,
        substituted=f"{number(grid.scale)}·({q} − {parenthesized(grid.zero)})",
        lines=(*lines, Line("q", written, q)),
        exact_value=result,
        roundings=1,
        rounded=0.0,
        error=EPSILON * abs(result) + grid.slack(value, error),
        main=next(iter(terms.largest(1)), 0),
    )


def requantized(op: OperationView, at: Index, value: Decomposition) -> Decomposition:
    """What is computed of quantized numbers as of others, and then rounded to the result's grid."""
    stored = op.stored(op.operation.name)
    is_rounded = str(get_kind(op.operation.kind).rule).startswith("quantize")
    if not stored.is_quantized or is_rounded or not isinstance(value, Sum | Expression):
        return value
    return on_grid(
        Grid.of(stored, at),
        value.exact_value,
        value.rounding_bound(Precision(EPSILON / 2, EPSILON / 2)),
        terms=value.terms,
        formula=f"{value.formula}, rounded to s·(q − z)",
        lines=value.lines,
    )


def quantize(op: OperationView, at: Index) -> Expression:
    """y = s·(q - z) with q = round(x / s) + z, between the least and the largest integer."""
    terms = Terms(op.terms_of(given_at(op, 0), [at]))
    grid = Grid.of(op.stored(op.operation.name), at)
    formula = "y = s·(q − z), q = round(x / s) + z"
    return on_grid(grid, float(terms.values[0]), 0.0, terms=terms, formula=formula)


def dequantize(op: OperationView, at: Index) -> Identity:
    """y = s·(q - z), which is what a quantized number counts as."""
    return Identity(terms=Terms(op.terms_of(given_at(op, 0), [at])), formula="y = s·(q − z) = x")


def integers(op: OperationView, at: Index) -> Expression:
    """The integer q that stands for s·(q - z)."""
    source = given_at(op, 0)
    grid, terms = Grid.of(op.stored(source.name), at), Terms(op.terms_of(source, [at]))
    x = float(terms.values[0])
    return Expression(
        terms=terms,
        formula="q = x / s + z",
        substituted=f"{number(x)} / {number(grid.scale)} + {grid.zero}",
        exact_value=float(grid.nearest(x)),
        roundings=0,
    )


def grid_of_result(op: OperationView, at: Index) -> Grid:
    """Without the numbers below 0 where a ReLU is part of the operation."""
    grid = Grid.of(op.stored(op.operation.name), at)
    return grid._replace(low=max(grid.low, grid.zero)) if "relu" in op.operation.kind else grid


def arithmetic(op: OperationView, at: Index) -> Expression:
    """The sum or the product of two quantized tensors, or of one and a number, rounded once.

    A number that is added is rounded to a multiple of the tensor's scale first.
    """
    name = op.operation.kind.removeprefix("quantized::")
    grid = grid_of_result(op, at)
    operands: Sequence[Any] = [given_at(op, 0), given_at(op, 1)]
    sources = [operand for operand in operands if isinstance(operand, Source)]
    groups = [op.terms_of(s, [broadcast_index(s.shape, at)]) for s in sources]
    values = [float(group.values[0]) for group in groups]
    sign = "+" if "add" in name else "·"
    for operand in operands:
        if isinstance(operand, int | float):
            step = Grid.of(op.stored(sources[0].name), at).scale if sign == "+" else 0.0
            values.append(step * round(operand / step) if step else float(operand))
    value = sum(values) if sign == "+" else math.prod(values)
    written = f"x {sign} z"
    line = Line(written, f" {sign} ".join(map(parenthesized, values)), value)
    return on_grid(
        grid,
        value,
        0.0,
        terms=Terms(*groups),
        formula=f"y = {written}, rounded to s·(q − z)",
        lines=(line,),
    )


_CURVES: dict[str, tuple[str, Callable[[float, float], float]]] = {
    "quantized::relu6": ("min(max(0, x), 6)", lambda x, _slope: min(max(x, 0.0), 6.0)),
    "quantized::hardswish": (
        "x·min(max(0, x + 3), 6) / 6",
        lambda x, _slope: x * min(max(x + 3, 0), 6) / 6,
    ),
    "quantized::leaky_relu": ("x if x > 0 else a·x", lambda x, slope: x if x > 0 else slope * x),
    "quantized::sigmoid": ("1 / (1 + e^−x)", lambda x, _slope: 0.5 * (1 + math.tanh(x / 2))),
}


def curve(op: OperationView, at: Index) -> Expression:
    """y = f(x), rounded to the grid of the result; its second argument may be a slope."""
    formula, function = _CURVES[op.operation.kind]
    terms = Terms(op.terms_of(given_at(op, 0), [at]))
    slope = given_at(op, 1)
    value = function(float(terms.values[0]), float(slope or 0.0))
    grid = Grid.of(op.stored(op.operation.name), at)
    formula = f"y = {formula}, rounded to s·(q − z)"
    return on_grid(grid, value, EPSILON * abs(value), terms=terms, formula=formula)


def norm(op: OperationView, at: Index) -> Expression:
    """y = scale·x + shift, as in a batch norm by running statistics, rounded to s·(q - z)."""
    x, gain, bias, mean, variance = (
        op.number(given_at(op, n), at if n == 0 else at[1:2]) if given_at(op, n) else default
        for n, default in enumerate((0.0, 1.0, 0.0, 0.0, 1.0))
    )
    scale = gain / math.sqrt(variance + given_at(op, 5))
    shift = bias - mean * scale
    value = scale * x + shift
    written = f"{parenthesized(scale)}·{parenthesized(x)} + {parenthesized(shift)}"
    return on_grid(
        grid_of_result(op, at),
        value,
        8 * EPSILON * (abs(scale) * (abs(x) + abs(mean)) + abs(bias)),
        terms=Terms(op.terms_of(given_at(op, 0), [at], weights=scale)),
        formula="y = scale·x + shift, rounded to s·(q − z)",
        lines=(Line("scale·x + shift", written, value),),
    )


def concatenation(op: OperationView, at: Index) -> Expression:
    """y = x, rounded to the grid of the whole."""
    dim = int(op.argument("dim", default=0)) % len(at)
    place = at[dim]
    for source in given_at(op, 0):
        if place < source.shape[dim]:
            terms = Terms(op.terms_of(source, [(*at[:dim], place, *at[dim + 1 :])]))
            grid = grid_of_result(op, at)
            formula = "y = x, rounded to s·(q − z)"
            return on_grid(grid, float(terms.values[0]), 0.0, terms=terms, formula=formula)
        place -= source.shape[dim]
    raise UnsupportedOperation
