"""Statistics of whole dimensions: variance, norms, products, logarithms of sums, distances."""

import math
from collections.abc import Sequence

import numpy as np

from convscope.explanation.rules.operation_view import (
    Index,
    OperationView,
    UnsupportedOperation,
    reduced_indices,
)
from convscope.terms import (
    Expression,
    Floats,
    Line,
    Sum,
    TermGroup,
    Terms,
    exact_sum,
    number,
    parenthesized,
    quotient,
)


def variance(op: OperationView, at: Index) -> Expression | Sum:
    """y = Σ (x − μ)² / (n − c), its root, or the mean: `var`, `std`, `var_mean` and `std_mean`.

    c is 1, or 0 without Bessel's correction, or what `correction` says.
    """
    dims, correction = _dims_and_correction(op)
    group = op.terms_of(op.input(), reduced_indices(op.input().shape, at, dims))
    count = len(group)
    if op.operation.output_index:
        return Sum(terms=Terms(group), formula="y = Σ x / n", divisor=count)
    mean = exact_sum(group.values.tolist()) / count
    with np.errstate(all="ignore"):
        squares = np.square(group.values - mean)
    degrees = max(count - correction, 0)
    spread = quotient(exact_sum(squares.tolist()), degrees)
    is_root = op.operation.kind.startswith("std")
    root = math.sqrt(spread) if spread >= 0 else spread
    shares = squares / degrees if degrees else squares
    terms = Terms(group, product=lambda _weight, _value: shares)
    largest = float(np.abs(group.values).max())
    return Expression(
        terms=terms,
        formula=f"y = {'√(' if is_root else ''}Σ (x − μ)² / (n − c){')' if is_root else ''}",
        substituted=f"√{number(spread)}"
        if is_root
        else f"{number(spread * degrees)} / {degrees:g}",
        exact_value=root if is_root else spread,
        lines=(Line("mean", f"μ of {count:,} units", mean),),
        roundings=8 + count,
        rounded=0.0,  # torch sums float16 and bfloat16 in float32 or float64
        magnitude=root / 2 + largest if is_root else spread + 2 * largest * root,
        main=_largest(terms),
    )


def _dims_and_correction(op: OperationView) -> tuple[object, float]:
    """The dimensions, None for all, and what the count of the variance lacks.

    A first argument that is a bool is not a dimension: `x.std(False)`.
    """
    dims, unbiased = op.argument("dim", "axis"), op.argument("unbiased")
    if isinstance(dims, bool):
        dims, unbiased = None, dims
    if unbiased is not None:
        return dims, float(bool(unbiased))
    correction = op.argument("correction", default=1)
    if not isinstance(correction, int | float):
        raise UnsupportedOperation
    return dims, float(correction)


def product(op: OperationView, at: Index) -> Expression:
    """y = Π x over one dimension, or over all."""
    group = op.terms_of(
        op.input(), reduced_indices(op.input().shape, at, op.argument("dim", "axis"))
    )
    return product_of(group, "y = Π x")


def product_of(group: TermGroup, formula: str) -> Expression:
    """The product of these numbers; the one nearest 0 matters most."""
    factors = [number(value) for value in group.values[:6]]
    more = "·..." if len(group) > len(factors) else ""
    return Expression(
        terms=Terms(group),
        formula=formula,
        substituted="·".join(f"({one})" if one[0] == "\N{MINUS SIGN}" else one for one in factors)
        + more,
        exact_value=_exact_product(group.values.tolist()),
        roundings=len(group) + 2,
        main=int(np.abs(group.values).argmin()),
    )


def _exact_product(factors: Sequence[float]) -> float:
    """The product without overflow on the way."""
    mantissa, exponent = 1.0, 0
    for factor in factors:
        if not math.isfinite(factor) or not factor:
            with np.errstate(all="ignore"):
                return float(np.prod(factors))
        part, power = math.frexp(factor)
        mantissa, shift = math.frexp(mantissa * part)
        exponent += power + shift
    try:
        return math.ldexp(mantissa, exponent)
    except OverflowError:
        return math.copysign(math.inf, mantissa)


def log_sum_exp(op: OperationView, at: Index) -> Expression:
    """y = ln Σ e^x over dimensions."""
    dims = op.argument("dim", "axis")
    group = op.terms_of(op.input(), reduced_indices(op.input().shape, at, dims))
    return log_sum_exp_of(group, "y = ln Σ e^x")


def log_sum_exp_of(group: TermGroup, formula: str) -> Expression:
    """The logarithm of the sum of the powers of e, without overflow."""
    top = float(group.values.max())
    with np.errstate(all="ignore"):
        powers = np.exp(group.values - (top if math.isfinite(top) else 0.0))
    total = exact_sum(powers.tolist())
    shares = powers / total if math.isfinite(total) and total else np.zeros_like(powers)
    terms = Terms(group, product=lambda _weight, _value: shares)
    shift = top if math.isfinite(top) else 0.0
    value = float(np.log(total)) + shift if total > 0 else -math.inf
    return Expression(
        terms=terms,
        formula=formula,
        substituted=f"ln {number(total)} + {parenthesized(shift)}",
        exact_value=math.nan if math.isnan(total) else value,
        lines=(Line("sum", f"Σ e^(x − {parenthesized(shift)}) of {len(group):,} units", total),),
        roundings=8 + len(group),
        magnitude=abs(top) + 1 if math.isfinite(top) else 0.0,
        main=_largest(terms),
    )


def norm(op: OperationView, at: Index) -> Expression:
    """y = (Σ |x|^p)^(1/p) over dimensions: √Σ x² by default, the largest |x| for p = ∞."""
    order, dims = op.argument("p", "ord"), op.argument("dim", "axis")
    shape, kind = op.input().shape, op.operation.kind
    if kind == "matrix_norm" and dims is None:
        dims = (-2, -1)
    is_matrix = kind == "matrix_norm" or (
        "ord" in op.operation.arguments  # `torch.linalg.norm`
        and kind == "norm"
        and (
            (dims is None and len(shape) == 2)
            or (isinstance(dims, tuple | list) and len(dims) == 2)
        )
    )
    if order in (None, "fro"):
        order = 2
    elif is_matrix or isinstance(order, str):
        raise UnsupportedOperation("it is a norm of matrices")
    return length_of(op.terms_of(op.input(), reduced_indices(shape, at, dims)), float(order))


def length_of(group: TermGroup, order: float, values: Floats | None = None) -> Expression:
    """The norm of these numbers, or of `values` computed from them."""
    sizes = np.abs(group.values if values is None else values)
    infinite = math.isinf(order)
    with np.errstate(all="ignore"):
        powers = (sizes != 0).astype(float) if order == 0 else sizes if infinite else sizes**order
    terms = Terms(group, product=lambda _weight, _value: powers)
    if infinite:
        total = value = float(powers.max() if order > 0 else powers.min())
        formula = f"y = {'max' if order > 0 else 'min'} |x|"
    else:
        total = exact_sum(powers.tolist())
        value = total if order in (0, 1) else float(np.float64(total) ** (1 / order))
        formula = _NORMS.get(order, f"y = (Σ |x|^{number(order)})^(1/{number(order)})")
    return Expression(
        terms=terms,
        formula=formula,
        substituted=f"√{number(total)}" if order == 2 else number(total),
        exact_value=value,
        roundings=0 if infinite or order == 0 else 8 + len(terms),
        rounded=0.0,
        main=int(sizes.argmin()) if order < 0 else _largest(terms),
    )


_NORMS: dict[float, str] = {0: "y = how many x are not 0", 1: "y = Σ |x|", 2: "y = √Σ x²"}


def _largest(terms: Terms) -> int:
    """The term that contributes most."""
    return (terms.largest(1) or [0])[0]
