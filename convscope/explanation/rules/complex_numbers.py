"""Complex numbers, as pairs of real ones: the last index of a unit is its part, 0 the real one.

A result of complex numbers counts as `torch.view_as_real` of it. So a unit of it is a real number,
and the real numbers that it is computed from are its terms.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from convscope.explanation.rules.complex_sums import (
    call_in_float64,
    has_fractions,
    linear_in_parts,
    real_view,
    sources_of,
    terms_of_parts,
    widened,
)
from convscope.explanation.rules.operation_view import (
    Index,
    OperationView,
    UnsupportedOperation,
    broadcast_index,
)
from convscope.recording import Source, get_kind
from convscope.recording.kinds import Rule
from convscope.recording.operation import map_nested
from convscope.terms import (
    Decomposition,
    Expression,
    Identity,
    TermGroup,
    Terms,
    exact_sum,
    number,
)


def involves_complex(op: OperationView) -> bool:
    """Whether the operation takes or returns complex numbers."""
    return op.result.is_complex() or any(op.tensor(s).is_complex() for s in sources_of(op))


def explain_complex(op: OperationView, at: Index) -> Decomposition:
    """The decomposition of a unit of an operation that takes or returns complex numbers.

    Where the result is complex, `at` ends with the part. Raises UnsupportedOperation.
    """
    kind = get_kind(op.operation.kind)
    special = _SPECIAL.get(kind.name)
    if special is not None:
        return special(op, at)
    if kind.rule == "generated":
        constant = float(real_view(op.result)[at])
        return Identity(terms=Terms(), formula="y = a constant", constant=constant)
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


def _parts(op: OperationView, source: Source, at: Index) -> TermGroup:
    """The real numbers of one element: both parts of a complex one."""
    place = broadcast_index(source.shape, at)
    several = [(*place, 0), (*place, 1)] if op.tensor(source).is_complex() else [place]
    return terms_of_parts(op, source, np.array(several, np.int64).reshape(len(several), -1))


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
    sources = sources_of(op)
    for n, source in enumerate(sources):
        firsts[n] = count
        count += op.tensor(source).numel()
    numbered = {
        n: torch.arange(first, first + op.tensor(sources[n]).numel(), dtype=torch.float64).reshape(
            sources[n].shape
        )
        for n, first in firsts.items()
        if has_fractions(op.tensor(sources[n]))
    }
    paired = {
        n: torch.stack([x, torch.zeros_like(x)], -1) if op.tensor(sources[n]).is_complex() else x
        for n, x in numbered.items()
    }
    with torch.no_grad():
        element = int(real_view(call_in_float64(op, paired))[place].reshape(-1)[0])
    chosen = max((n for n in numbered if firsts[n] <= element), default=None)
    if chosen is None or element < _FIRST:
        return Identity(
            terms=Terms(), formula="y = a constant", constant=float(real_view(op.result)[at])
        )
    source = sources[chosen]
    index = [int(n) for n in np.unravel_index(element - firsts[chosen], source.shape or (1,))]
    full = [*(index if source.shape else ()), *(at[-1:] if op.result.is_complex() else ())]
    return Identity(
        terms=Terms(terms_of_parts(op, source, np.array([full], np.int64))), formula="y = x"
    )


_FIRST = 2**40
"""The number of the first unit, which no constant argument has."""


def _evaluated(op: OperationView, at: Index) -> Expression:
    """A function of complex numbers, which torch itself evaluates in float64."""
    place = at[:-1] if op.result.is_complex() else at
    groups = [_parts(op, source, place) for source in sources_of(op)]
    call = op.operation.call

    def element(source: Source) -> Tensor:
        unit = op.tensor(source)[broadcast_index(source.shape, place)].detach()
        unit = unit.reshape((1,) * len(source.shape)).clone()
        return unit.to(widened(unit.dtype)) if has_fractions(unit) else unit

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


_SPECIAL: dict[str, Callable[[OperationView, Index], Decomposition]] = {
    "abs": _magnitude,
    "angle": _angle,
    "polar": polar,
}
"""By the kind."""
