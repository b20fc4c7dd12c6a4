"""Normalization: by running statistics, by those of the image itself, by neighboring maps."""

import math

import numpy as np

from convscope.explanation.operation_view import (
    Index,
    OperationView,
    UnsupportedOperation,
    index_grid,
    reduced_indices,
)
from convscope.terms import (
    Expression,
    Floats,
    Line,
    Sum,
    Terms,
    exact_sum,
    number,
    parenthesized,
    quotient,
)


def batch_norm(op: OperationView, at: Index) -> Sum:
    """y = scale·x + shift, with scale = γ / √(σ² + ε) and shift = β - μ·scale, one pair for a map.

    μ and σ² are the running statistics; while the network trains they are the map's own.
    """
    source = op.input()
    c = (at[1],)
    mean, variance = op.argument("running_mean"), op.argument("running_var")
    own = bool(op.argument("training", "use_input_stats", default=mean is None)) or mean is None
    if own:
        members = index_grid(range(source.shape[0]), [at[1]], *map(range, source.shape[2:]))
        return _of_members(op, at, op.terms_of(source, members).values, c, c)
    eps = op.argument("eps", default=1e-5)
    return _folded(op, at, op.number(mean, c), op.number(variance, c), eps, affine=(c, c))


def instance_norm(op: OperationView, at: Index) -> Sum:
    """y = γ·(x - μ) / √(σ² + ε) + β, with the mean and variance of one map of one image."""
    if not op.argument("use_input_stats", default=True):
        return batch_norm(op, at)
    members = index_grid([at[0]], [at[1]], *map(range, op.input().shape[2:]))
    return _of_members(op, at, op.terms_of(op.input(), members).values, at[1:2], at[1:2])


def group_norm(op: OperationView, at: Index) -> Sum:
    """y = γ·(x - μ) / √(σ² + ε) + β, with the mean and variance of a group of maps."""
    source = op.input()
    size = source.shape[1] // op.argument("num_groups", "1")
    first = at[1] // size * size
    members = index_grid([at[0]], range(first, first + size), *map(range, source.shape[2:]))
    return _of_members(op, at, op.terms_of(source, members).values, at[1:2], at[1:2])


def layer_norm(op: OperationView, at: Index) -> Sum:
    """y = γ·(x - μ) / √(σ² + ε) + β, with the mean and variance over the last dimensions."""
    source = op.input()
    wide = len(op.argument("normalized_shape", "1"))
    members = index_grid(*([place] for place in at[:-wide]), *map(range, source.shape[-wide:]))
    return _of_members(op, at, op.terms_of(source, members).values, at[-wide:], at[-wide:])


def _of_members(op: OperationView, at: Index, members: Floats, gain: Index, bias: Index) -> Sum:
    """Normalize by the mean and variance of these units."""
    mean = exact_sum(members.tolist()) / len(members)
    with np.errstate(all="ignore"):
        variance = exact_sum(np.square(members - mean).tolist()) / len(members)
    eps = op.argument("eps", default=1e-5)
    largest = float(np.abs(members).max())
    return _folded(
        op,
        at,
        mean,
        variance,
        eps,
        affine=(gain, bias),
        count=len(members),
        largest=largest,
    )


def _folded(
    op: OperationView,
    at: Index,
    mean: float,
    variance: float,
    eps: float,
    *,
    affine: tuple[Index, Index],
    count: int = 0,
    largest: float = 0.0,
) -> Sum:
    gains, biases = op.argument("weight"), op.argument("bias")
    gain = 1.0 if gains is None else op.number(gains, affine[0])
    bias = 0.0 if biases is None else op.number(biases, affine[1])
    scale = gain / math.sqrt(variance + eps)
    shift = bias - mean * scale
    terms = Terms(op.terms_of(op.input(), [at], weights=scale))
    x = float(terms.values[0])
    whose = f"of {count:,} units, " if count else ""
    size = abs(scale) * max(abs(x) + abs(mean), largest) + abs(bias)
    if count:  # a variance that is lost in rounding makes the scale as uncertain
        size *= 1 + mean * mean / (variance + eps)
    return Sum(
        terms=terms,
        bias=shift,
        formula="y = scale·x + shift",
        lines=(
            Line("mean", f"{whose}μ", mean),
            Line("variance", f"{whose}σ²", variance),
            Line(
                "scale", f"γ / √(σ² + ε) = {number(gain)} / √({number(variance)} + {eps:g})", scale
            ),
            Line(
                "shift",
                f"β − μ·scale = {number(bias)} − {parenthesized(mean)}·{number(scale)}",
                shift,
            ),
        ),
        roundings=8 + count,
        magnitude=size,
    )


def response_norm(op: OperationView, at: Index) -> Expression:
    """b = a / (k + α/n·Σ a²)^β over the n maps around, as torch has it: α divided by n."""
    size = op.argument("size", "1")
    alpha, beta = op.argument("alpha", default=1e-4), op.argument("beta", default=0.75)
    return _response(op, at, size, alpha / size, beta, op.argument("k", default=1.0))


def paper_response_norm(op: OperationView, at: Index) -> Expression:
    """b = a / (k + α·Σ a²)^β over the n maps around, among the maps of the unit's group."""
    layer = op.layer
    return _response(op, at, layer.n, layer.alpha, layer.beta, layer.k, groups=layer.groups)


def _response(
    op: OperationView, at: Index, size: int, alpha: float, beta: float, k: float, *, groups: int = 1
) -> Expression:
    source = op.input()
    wide = source.shape[1] // groups
    first = at[1] // wide * wide
    maps = range(max(at[1] - size // 2, first), min(at[1] + (size - 1) // 2 + 1, first + wide))
    group = op.terms_of(source, index_grid([at[0]], maps, *([place] for place in at[2:])))
    terms = Terms(group, product=lambda _weight, value: np.square(value))
    squares = exact_sum(terms.products.tolist())
    own = maps.index(at[1])
    a = float(terms.values[own])
    below = k + alpha * squares
    return Expression(
        terms=terms,
        formula="b = a / (k + α·Σ a²)^β",
        substituted=f"{number(a)} / ({number(k)} + {alpha:g}·{number(squares)})^{number(beta)}",
        exact_value=a / below**beta,
        lines=(
            Line("squares", f"Σ a² over maps {maps[0]} to {maps[-1]}", squares),
            Line("denominator", f"(k + α·Σ a²)^{number(beta)}", below**beta),
        ),
        roundings=16 + len(maps),
        main=own,
    )


def softmax(op: OperationView, at: Index) -> Expression:
    """y_k = e^(x_k) / Σ e^(x_j), or its logarithm, over one dimension."""
    source, dim = op.input(), op.argument("dim")
    if not isinstance(dim, int):
        raise UnsupportedOperation
    dim %= len(source.shape)
    many = range(source.shape[dim])
    group = op.terms_of(
        source, index_grid(*(many if d == dim else [place] for d, place in enumerate(at)))
    )
    logarithm = op.operation.kind == "log_softmax"
    top = float(group.values.max())
    with np.errstate(all="ignore"):
        powers = np.exp(group.values - top)
    whole = exact_sum(powers.tolist())
    terms = Terms(group, product=lambda _weight, _value: powers / whole)
    x = float(group.values[at[dim]])
    log_sum = math.log(whole) + top if math.isfinite(top) else math.nan
    apart = 0.0 if math.isnan(x - top) else abs(x - top)
    total = x - log_sum if logarithm else float(powers[at[dim]]) / whole
    return Expression(
        terms=terms,
        formula="y_k = x_k − ln Σ e^x_j" if logarithm else "y_k = e^x_k / Σ e^x_j",
        substituted=f"{number(x)} − {parenthesized(log_sum)}"
        if logarithm
        else f"e^{parenthesized(x)} / e^{parenthesized(log_sum)}",
        exact_value=total,
        lines=(Line("logarithm of the sum", f"ln Σ e^x_j over {len(many)}", log_sum),),
        roundings=8 + len(many) + math.ceil(min(apart, 1e6)),
        magnitude=abs(x) + abs(top) + 1 if logarithm else 0.0,
        main=at[dim],
    )


def length(op: OperationView, at: Index) -> Expression:
    """y = √Σ x², over the dimensions that are given."""
    if op.argument("p", "ord", default=2) not in (2, "fro"):
        raise UnsupportedOperation
    terms, squares = _squares(op, at, op.argument("dim"))
    return Expression(
        terms=terms,
        formula="y = √Σ x²",
        substituted=f"√{number(squares)}",
        exact_value=math.sqrt(squares),
        roundings=8 + len(terms),
    )


def unit_length(op: OperationView, at: Index) -> Expression:
    """y = x / max(√Σ x², ε), over one dimension."""
    dim = op.argument("dim", default=1)
    if op.argument("p", default=2) != 2 or not isinstance(dim, int):
        raise UnsupportedOperation
    terms, squares = _squares(op, at, dim)
    below = max(math.sqrt(squares), op.argument("eps", default=1e-12))
    main = at[dim % len(at)]
    x = float(terms.values[main])
    return Expression(
        terms=terms,
        formula="y = x / √Σ x²",
        substituted=f"{number(x)} / {number(below)}",
        exact_value=quotient(x, below),
        lines=(Line("length", f"√Σ x² over {len(terms)}", below),),
        roundings=8 + len(terms),
        main=main,
    )


def _squares(op: OperationView, at: Index, dims: object) -> tuple[Terms, float]:
    """The units along some dimensions, and the sum of their squares."""
    group = op.terms_of(op.input(), reduced_indices(op.input().shape, at, dims))
    terms = Terms(group, product=lambda _weight, value: np.square(value))
    return terms, exact_sum(terms.products.tolist())
