"""Fake quantization: numbers rounded to the grid of a quantized network, which stay floats."""

from typing import Any

import torch

from convscope.explanation.rules.operation_view import Index, OperationView, UnsupportedOperation
from convscope.explanation.rules.quantized import Grid, on_grid
from convscope.recording import Source
from convscope.recording.operation import map_nested
from convscope.terms import Expression, Identity, Terms

_MOVED = "the observer had moved on between the calls of this fake quantization"


def fake_quantize(op: OperationView, at: Index) -> Expression | Identity:
    """y = s·(q - z) with q = round(x / s) + z, between the least and the largest integer."""
    terms = Terms(op.terms_of(op.input(), [at]))
    scale, zero = op.argument("scale"), op.argument("zero_point")
    if op.argument("fake_quant_on") is not None:
        if not op.number(op.argument("fake_quant_on"), (0,)):
            return Identity(terms=terms, formula="y = x, because fake quantization is off")
        scale, zero = _observed(op)
    grid = Grid(
        _element(op, scale, at),
        _zero_point(op, _element(op, zero, at)),
        int(op.argument("quant_min")),
        int(op.argument("quant_max")),
    )
    formula = "y = s·(q − z), q = round(x / s) + z"
    return on_grid(grid, float(terms.values[0]), 0.0, terms=terms, formula=formula)


def _element(op: OperationView, value: Any, at: Index) -> float:
    """The scale or the zero point of the unit's channel, or of all."""
    if isinstance(value, Source):
        value = op.tensor(value)
    if not isinstance(value, torch.Tensor):
        return float(value)
    if value.numel() == 1:
        return float(value)
    return float(value[at[int(op.argument("axis", "ch_axis"))]])


def _zero_point(op: OperationView, zero: float) -> int:
    """A learned one is rounded to an integer in the range."""
    low, high = float(op.argument("quant_min")), float(op.argument("quant_max"))
    return int(min(max(round(zero), low), high)) if "learnable" in op.operation.kind else int(zero)


def _observed(op: OperationView) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and zero point after the observer, if it is on, has seen x."""
    call = op.operation.call
    kept: dict[Source, torch.Tensor] = {}

    def copied(source: Source) -> torch.Tensor:
        return kept.setdefault(source, op.tensor(source).detach().clone())

    args, kwargs = map_nested((call.args, dict(call.kwargs)), copied, of=Source)
    with torch.no_grad():
        again = call.function(*args, **kwargs)
    if not torch.equal(again, op.result):
        raise UnsupportedOperation(_MOVED)
    return kept[op.source("scale")], kept[op.source("zero_point")]
