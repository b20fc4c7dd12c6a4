"""Complex numbers, as pairs of real ones: the last index of a unit is its part, 0 the real one.

A result of complex numbers counts as `torch.view_as_real` of it. So a unit of it is a real number,
and the real numbers that it is computed from are its terms.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from convscope.explanation.operation_view import (
    Index,
    OperationView,
    UnsupportedOperation,
    batch_axes,
    broadcast_index,
    gather,
)
from convscope.recording import Source, get_kind
from convscope.recording.kinds import Rule
from convscope.recording.operation import map_nested, sources_in
from convscope.terms import (
    Decomposition,
    Expression,
    Floats,
    Identity,
    Integers,
    Sum,
    TermGroup,
    Terms,
    exact_sum,
    number,
)


def involves_complex(op: OperationView) -> bool:
    """Whether the operation takes or returns complex numbers."""
    return op.result.is_complex() or any(op.tensor(s).is_complex() for s in _sources(op))


def real_view(tensor: Tensor) -> Tensor:
    """Complex numbers as pairs of real ones along a last axis; other tensors as they are."""
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor


def explain_complex(op: OperationView, at: Index) -> Decomposition:
    """The decomposition of a unit of an operation that takes or returns complex numbers.

    Where the result is complex, `at` ends with the part. Raises UnsupportedOperation.
    """
    kind = get_kind(op.operation.kind)
    match kind.name:
        case "abs":
            return _magnitude(op, at)
        case "angle":
            return _angle(op, at)
        case "polar":
            return polar(op, at)
        case _:
            pass
    if kind.rule == "move":
        return _move(op, at)
    if kind.rule in _LINEAR_RULES:
        return linear_in_parts(op, at)
    if kind.field == "elementwise" or kind.rule == "where":
        return _evaluated(op, at)
    raise UnsupportedOperation("convscope has no rule for this operation on complex numbers")


_LINEAR_RULES: frozenset[Rule | None] = frozenset(
    (
        *("add", "addcmul", "lerp", "multiply", "negate", "reduction", "running_sum", "cast"),
        *("convolution", "transposed_convolution", "dense", "matrix_product", "summed_products"),
        *("outer_product", "linear_map", "joint_linear_map", "fourier_transform"),
        *("avg_pool", "adaptive_avg_pool"),
    )
)


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
    sources = _sources(op)
    chosen = [n for n, one in enumerate(sources) if _has_fractions(op.tensor(one))]
    if get_kind(op.operation.kind).rule not in ("add", "joint_linear_map"):
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
    return Sum(
        terms=terms,
        formula="y = Σ w·x over real and imaginary parts",
        bias=constant,
        roundings=8 + 4 * math.ceil(math.log2(count + 1)) if is_fourier else 8 + 2 * count,
        magnitude=magnitude if math.isfinite(magnitude) else 0.0,
    )


def _differentiate(
    op: OperationView, at: Index, positions: list[int]
) -> tuple[list[_Derivatives], float]:
    """The derivatives by the operands at some positions, and the unit where all of these are 0."""
    sources = _sources(op)
    variables = {n: real_view(op.tensor(sources[n]).detach()).double() for n in positions}
    zeros = {n: torch.zeros_like(x).requires_grad_() for n, x in variables.items()}
    place, part = (at[:-1], at[-1]) if op.result.is_complex() else (at, 0)
    with torch.enable_grad():
        answer = real_view(_call(op, zeros))[place]
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


def _call(op: OperationView, variables: dict[int, Tensor]) -> Tensor:
    """The operation in float64, with these in place of some of its operands."""
    call, numbers = op.operation.call, itertools.count()

    def operand(source: Source) -> Tensor:
        n, tensor = next(numbers), op.tensor(source).detach()
        if n in variables:
            return torch.view_as_complex(variables[n]) if tensor.is_complex() else variables[n]
        return tensor.to(_widened(tensor.dtype)) if _has_fractions(tensor) else tensor

    args, kwargs = map_nested((call.args, dict(call.kwargs)), operand, of=Source)
    args, kwargs = map_nested((args, kwargs), _widened, of=torch.dtype)
    answer: Any = call.function(*args, **kwargs)
    return answer if isinstance(answer, Tensor) else answer[op.operation.output_index]


def _has_fractions(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _widened(dtype: torch.dtype) -> torch.dtype:
    return torch.complex128 if dtype.is_complex else torch.float64


_NOISE = 2.0**-48
"""Weights of a Fourier transform that are 0 but for rounding, relative to the largest."""


def _group(op: OperationView, derivatives: _Derivatives, *, is_fourier: bool) -> TermGroup:
    weights = derivatives.chosen
    least = _NOISE * float(derivatives.sizes.max()) if is_fourier and weights.numel() else 0.0
    indices: Integers = (weights.abs() > least).nonzero().cpu().numpy()
    column = weights[tuple(torch.from_numpy(indices.T.copy()))].cpu().numpy().reshape(len(indices))
    return _terms_of(op, derivatives.source, indices, column)


def _terms_of(
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


def _parts(op: OperationView, source: Source, at: Index) -> TermGroup:
    """The real numbers of one element: both parts of a complex one."""
    place = broadcast_index(source.shape, at)
    several = [(*place, 0), (*place, 1)] if op.tensor(source).is_complex() else [place]
    return _terms_of(op, source, np.array(several, np.int64).reshape(len(several), -1))


def _sources(op: OperationView) -> list[Source]:
    """The tensors among the arguments, in order."""
    return sources_in((op.operation.call.args, dict(op.operation.call.kwargs)))


def _magnitude(op: OperationView, at: Index) -> Expression:
    """y = √(re² + im²)."""
    group = _parts(op, op.input(), at)
    real, imaginary = group.values.tolist()
    return Expression(
        terms=Terms(group, product=lambda _weight, value: np.square(value)),
        formula="y = √(re² + im²)",
        substituted=f"√({number(exact_sum(np.square(group.values).tolist()))})",
        exact_value=math.hypot(real, imaginary),
        roundings=8,
        main=int(abs(imaginary) > abs(real)),
    )


def _angle(op: OperationView, at: Index) -> Expression:
    """y = the angle of (re, im)."""
    group = _parts(op, op.input(), at)
    real, imaginary = group.values.tolist()
    return Expression(
        terms=Terms(group),
        formula="y = the angle of (re, im)",
        substituted=f"the angle of ({number(real)}, {number(imaginary)})",
        exact_value=math.atan2(imaginary, real),
        roundings=8,
        main=int(abs(imaginary) > abs(real)),
    )


def polar(op: OperationView, at: Index) -> Expression:
    """y = r·cos(φ), and r·sin(φ) for the imaginary part."""
    *place, part = at
    radius, angle = (_parts(op, op.source(name), tuple(place)) for name in ("abs", "angle"))
    r, turn = float(radius.values[0]), float(angle.values[0])
    name, share = (("cos", math.cos), ("sin", math.sin))[part]
    return Expression(
        terms=Terms(radius, angle),
        formula=f"y = r·{name}(φ)",
        substituted=f"{number(r)}·{name}({number(turn)})",
        exact_value=r * share(turn),
        magnitude=abs(r),
    )


def _move(op: OperationView, at: Index) -> Identity:
    """y = x, copied from elsewhere, which is found by moving numbers of units in their place."""
    place = at[:-1] if op.result.is_complex() else at
    firsts, count = dict[int, int](), _FIRST
    sources = _sources(op)
    for n, source in enumerate(sources):
        firsts[n] = count
        count += op.tensor(source).numel()
    numbered = {
        n: torch.arange(first, first + op.tensor(sources[n]).numel(), dtype=torch.float64).reshape(
            sources[n].shape
        )
        for n, first in firsts.items()
        if _has_fractions(op.tensor(sources[n]))
    }
    paired = {
        n: torch.stack([x, torch.zeros_like(x)], -1) if op.tensor(sources[n]).is_complex() else x
        for n, x in numbered.items()
    }
    with torch.no_grad():
        element = int(real_view(_call(op, paired))[place].reshape(-1)[0])
    chosen = max((n for n in numbered if firsts[n] <= element), default=None)
    if chosen is None or element < _FIRST:
        return Identity(
            terms=Terms(), formula="y = a constant", constant=float(real_view(op.result)[at])
        )
    source = sources[chosen]
    index = [int(n) for n in np.unravel_index(element - firsts[chosen], source.shape or (1,))]
    full = [*(index if source.shape else ()), *(at[-1:] if op.result.is_complex() else ())]
    return Identity(terms=Terms(_terms_of(op, source, np.array([full], np.int64))), formula="y = x")


_FIRST = 2**40
"""The number of the first unit, which no constant argument has."""


def _evaluated(op: OperationView, at: Index) -> Expression:
    """A function of complex numbers, which torch itself evaluates in float64."""
    place = at[:-1] if op.result.is_complex() else at
    groups = [_parts(op, source, place) for source in _sources(op)]
    call = op.operation.call

    def element(source: Source) -> Tensor:
        unit = op.tensor(source)[broadcast_index(source.shape, place)].detach()
        unit = unit.reshape((1,) * len(source.shape)).clone()
        return unit.to(_widened(unit.dtype)) if _has_fractions(unit) else unit

    args, kwargs = map_nested((call.args, dict(call.kwargs)), element, of=Source)
    with torch.no_grad():
        answer: Any = call.function(*args, **kwargs)
    values = real_view(answer).reshape(-1)
    is_imaginary = op.result.is_complex() and at[-1] == 1
    part = "the imaginary part" if is_imaginary else "the real part"
    size = max(float(values.abs().max()), *(float(np.abs(g.values).max()) for g in groups), 1.0)
    return Expression(
        terms=Terms(*groups),
        formula=f"y = {part} of {op.operation.kind}, of complex numbers",
        substituted=f"{op.operation.kind}(...)",
        exact_value=float(values[int(is_imaginary)]),
        roundings=16,
        magnitude=size if math.isfinite(size) else 0.0,
    )
