"""Sums over the real and imaginary parts of operands, with weights from derivatives."""

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from convscope.explanation.rules.operation_view import Index, OperationView, batch_axes, gather
from convscope.recording import Source, get_kind
from convscope.recording.operation import map_nested, sources_in
from convscope.terms import Floats, Identity, Integers, Sum, TermGroup, Terms


def real_view(tensor: Tensor) -> Tensor:
    """Complex numbers as pairs of real ones along a last axis; other tensors as they are."""
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor


@dataclass(frozen=True)
class _Derivatives:
    """The derivatives of the parts of one element of a result by an operand.

    Attributes:
        source: the operand.
        chosen: by its real numbers, of the part that is explained.
        sizes: of both parts together, by its elements; `amounts`: the magnitudes of these.
    """

    source: Source
    chosen: Tensor
    sizes: Tensor
    amounts: Tensor


def linear_in_parts(op: OperationView, at: Index) -> Sum | Identity:
    """y = Σ w·x over the real numbers of the operands, with w the derivatives, in float64.

    A sum is linear in all of its operands together, a product in one of them.
    """
    sources = sources_of(op)
    chosen = [n for n, one in enumerate(sources) if has_fractions(op.tensor(one))]
    is_joint = get_kind(op.operation.kind).rule in ("add", "joint_linear_map")
    if not is_joint and not op.argument("accumulate"):
        dependent = (n for n, one in enumerate(sources) if one.name in op.operation.operands)
        chosen = [next(dependent, 0)]
    several, constant = _differentiate(op, at, chosen)
    is_fourier = get_kind(op.operation.kind).rule == "fourier_transform"
    groups = [_group(op, one, is_fourier=is_fourier) for one in several]
    terms = Terms(*(group for group in groups if len(group)))
    if not len(terms) and not is_fourier:
        return Identity(terms=terms, formula="y = a constant", constant=constant)
    if len(terms) == 1 and terms.weights[0] == 1 and not constant:
        return Identity(terms=terms, formula="y = x")
    count = sum(int((one.sizes > 0).sum()) for one in several)
    magnitude = sum(float((one.sizes * one.amounts).sum()) for one in several) + abs(constant)
    is_complex = op.result.is_complex() or any(op.tensor(one).is_complex() for one in sources)
    return Sum(
        terms=terms,
        formula="y = Σ w·x over real and imaginary parts" if is_complex else "y = Σ w·x",
        bias=constant,
        roundings=8 + 4 * math.ceil(math.log2(count + 1)) if is_fourier else 8 + 2 * count,
        magnitude=magnitude if math.isfinite(magnitude) else 0.0,
        rounded=count * magnitude if op.operation.kind in _ADDED_ONE_BY_ONE else 0.0,
    )


_ADDED_ONE_BY_ONE = frozenset({"index_add", "scatter_add"})
"""Every partial sum is rounded to the type of the result."""


def _differentiate(
    op: OperationView, at: Index, positions: list[int]
) -> tuple[list[_Derivatives], float]:
    """The derivatives by the operands at some positions, and the unit where all of these are 0."""
    sources = sources_of(op)
    variables = {n: real_view(op.tensor(sources[n]).detach()).double() for n in positions}
    zeros = {n: torch.zeros_like(x).requires_grad_() for n, x in variables.items()}
    written = {n: x.clone() for n, x in zeros.items()}  # no leaves, which no one may write to
    place, part = (at[:-1], at[-1]) if op.result.is_complex() else (at, 0)
    with torch.enable_grad():
        answer = real_view(call_in_float64(op, written))[place]
        parts = [answer] if answer.ndim == 0 else list(answer)
        gradients = [
            torch.autograd.grad(
                one, list(zeros.values()), retain_graph=True, materialize_grads=True
            )
            for one in parts
        ]
    several: list[_Derivatives] = []
    for column, (n, x) in enumerate(variables.items()):
        found = [g[column] for g in gradients]
        square, amount = torch.stack(found).square().sum(0), x.abs()
        if op.tensor(sources[n]).is_complex():
            square, amount = square.sum(-1), x.square().sum(-1).sqrt()
        several.append(_Derivatives(sources[n], found[part], square.sqrt(), amount))
    return several, float(parts[part].detach())


def call_in_float64(op: OperationView, variables: dict[int, Tensor]) -> Tensor:
    """The operation in float64, with these in place of some of its operands."""
    call, numbers = op.operation.call, itertools.count()

    def operand(source: Source) -> Tensor:
        n, tensor = next(numbers), op.tensor(source).detach()
        if n in variables:
            return torch.view_as_complex(variables[n]) if tensor.is_complex() else variables[n]
        return tensor.to(widened(tensor.dtype)) if has_fractions(tensor) else tensor

    args, kwargs = map_nested((call.args, dict(call.kwargs)), operand, of=Source)
    args, kwargs = map_nested((args, kwargs), widened, of=torch.dtype)
    answer: Any = call.function(*args, **kwargs)
    return answer if isinstance(answer, Tensor) else answer[op.operation.output_index]


def has_fractions(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def widened(dtype: torch.dtype) -> torch.dtype:
    return torch.complex128 if dtype.is_complex else torch.float64


_NOISE = 2.0**-48
"""Weights of a Fourier transform that are 0 but for rounding, relative to the largest."""


def _group(op: OperationView, derivatives: _Derivatives, *, is_fourier: bool) -> TermGroup:
    weights = derivatives.chosen
    least = _NOISE * float(derivatives.sizes.max()) if is_fourier and weights.numel() else 0.0
    indices: Integers = (weights.abs() > least).nonzero().cpu().numpy()
    column = weights[tuple(torch.from_numpy(indices.T.copy()))].cpu().numpy().reshape(len(indices))
    return terms_of_parts(op, derivatives.source, indices, column)


def terms_of_parts(
    op: OperationView, source: Source, indices: Integers, weights: Floats | None = None
) -> TermGroup:
    """Terms of real numbers: the indices of complex ones end with the part."""
    values = gather(real_view(op.tensor(source)), indices)
    return TermGroup(
        source.name,
        values,
        np.ones_like(values) if weights is None else weights,
        indices[:, batch_axes(source) :],
    )


def sources_of(op: OperationView) -> list[Source]:
    """The tensors among the arguments, in order."""
    return sources_in((op.operation.call.args, dict(op.operation.call.kwargs)))
