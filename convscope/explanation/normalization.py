"""Normalization: by running statistics, by those of the image itself, by neighboring maps."""

import math

import numpy as np

from convscope.explanation.operation_view import Index, Step, Unexplained, along, grid
from convscope.terms import (
    Floats,
    Function,
    Line,
    Sum,
    Terms,
    bracketed,
    exact_sum,
    number,
    quotient,
)


def batch_norm(step: Step, at: Index) -> Sum:
    """y = scale·x + shift, with scale = γ / √(σ² + ε) and shift = β - μ·scale, one pair for a map.

    μ and σ² are the running statistics; while the network trains they are the map's own.
    """
    image = step.input()
    c = (at[1],)
    mean, variance = step.given("running_mean"), step.given("running_var")
    own = bool(step.given("training", "use_input_stats", default=mean is None)) or mean is None
    if own:
        members = grid(range(image.shape[0]), [at[1]], *map(range, image.shape[2:]))
        return _of_members(step, at, step.part(image, members).values, c, c)
    eps = step.given("eps", default=1e-5)
    return _folded(step, at, step.number(mean, c), step.number(variance, c), eps, affine=(c, c))


def instance_norm(step: Step, at: Index) -> Sum:
    """y = γ·(x - μ) / √(σ² + ε) + β, with the mean and variance of one map of one image."""
    if not step.given("use_input_stats", default=True):
        return batch_norm(step, at)
    members = grid([at[0]], [at[1]], *map(range, step.input().shape[2:]))
    return _of_members(step, at, step.part(step.input(), members).values, at[1:2], at[1:2])


def group_norm(step: Step, at: Index) -> Sum:
    """y = γ·(x - μ) / √(σ² + ε) + β, with the mean and variance of a group of maps."""
    image = step.input()
    size = image.shape[1] // step.given("num_groups", "1")
    first = at[1] // size * size
    members = grid([at[0]], range(first, first + size), *map(range, image.shape[2:]))
    return _of_members(step, at, step.part(image, members).values, at[1:2], at[1:2])


def layer_norm(step: Step, at: Index) -> Sum:
    """y = γ·(x - μ) / √(σ² + ε) + β, with the mean and variance over the last dimensions."""
    image = step.input()
    wide = len(step.given("normalized_shape", "1"))
    members = grid(*([place] for place in at[:-wide]), *map(range, image.shape[-wide:]))
    return _of_members(step, at, step.part(image, members).values, at[-wide:], at[-wide:])


def _of_members(step: Step, at: Index, members: Floats, gain: Index, bias: Index) -> Sum:
    """Normalize by the mean and variance of these units."""
    mean = exact_sum(members.tolist()) / len(members)
    with np.errstate(all="ignore"):
        variance = exact_sum(np.square(members - mean).tolist()) / len(members)
    eps = step.given("eps", default=1e-5)
    largest = float(np.abs(members).max())
    return _folded(
        step,
        at,
        mean,
        variance,
        eps,
        affine=(gain, bias),
        count=len(members),
        largest=largest,
    )


def _folded(
    step: Step,
    at: Index,
    mean: float,
    variance: float,
    eps: float,
    *,
    affine: tuple[Index, Index],
    count: int = 0,
    largest: float = 0.0,
) -> Sum:
    gains, biases = step.given("weight"), step.given("bias")
    gain = 1.0 if gains is None else step.number(gains, affine[0])
    bias = 0.0 if biases is None else step.number(biases, affine[1])
    scale = gain / math.sqrt(variance + eps)
    shift = bias - mean * scale
    terms = Terms(step.part(step.input(), [at], weights=scale))
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
                "shift", f"β − μ·scale = {number(bias)} − {bracketed(mean)}·{number(scale)}", shift
            ),
        ),
        roundings=8 + count,
        magnitude=size,
    )


def response_norm(step: Step, at: Index) -> Function:
    """b = a / (k + α/n·Σ a²)^β over the n maps around, as torch has it: α divided by n."""
    size = step.given("size", "1")
    alpha, beta = step.given("alpha", default=1e-4), step.given("beta", default=0.75)
    return _response(step, at, size, alpha / size, beta, step.given("k", default=1.0))


def paper_response_norm(step: Step, at: Index) -> Function:
    """b = a / (k + α·Σ a²)^β over the n maps around, among the maps of the unit's group."""
    layer = step.layer
    return _response(step, at, layer.n, layer.alpha, layer.beta, layer.k, groups=layer.groups)


def _response(
    step: Step, at: Index, size: int, alpha: float, beta: float, k: float, *, groups: int = 1
) -> Function:
    image = step.input()
    wide = image.shape[1] // groups
    first = at[1] // wide * wide
    maps = range(max(at[1] - size // 2, first), min(at[1] + (size - 1) // 2 + 1, first + wide))
    part = step.part(image, grid([at[0]], maps, *([place] for place in at[2:])))
    terms = Terms(part, product=lambda _weight, value: np.square(value))
    squares = exact_sum(terms.products.tolist())
    own = maps.index(at[1])
    a = float(terms.values[own])
    below = k + alpha * squares
    return Function(
        terms=terms,
        formula="b = a / (k + α·Σ a²)^β",
        worked=f"{number(a)} / ({number(k)} + {alpha:g}·{number(squares)})^{number(beta)}",
        total=a / below**beta,
        lines=(
            Line("squares", f"Σ a² over maps {maps[0]} to {maps[-1]}", squares),
            Line("denominator", f"(k + α·Σ a²)^{number(beta)}", below**beta),
        ),
        roundings=16 + len(maps),
        main=own,
    )


def softmax(step: Step, at: Index) -> Function:
    """y_k = e^(x_k) / Σ e^(x_j), or its logarithm, over one dimension."""
    image, dim = step.input(), step.given("dim")
    if not isinstance(dim, int):
        raise Unexplained
    dim %= len(image.shape)
    many = range(image.shape[dim])
    part = step.part(image, grid(*(many if d == dim else [place] for d, place in enumerate(at))))
    logarithm = step.operation.kind == "log_softmax"
    top = float(part.values.max())
    with np.errstate(all="ignore"):
        powers = np.exp(part.values - top)
    whole = exact_sum(powers.tolist())
    terms = Terms(part, product=lambda _weight, _value: powers / whole)
    x = float(part.values[at[dim]])
    log_sum = math.log(whole) + top if math.isfinite(top) else math.nan
    apart = 0.0 if math.isnan(x - top) else abs(x - top)
    total = x - log_sum if logarithm else float(powers[at[dim]]) / whole
    return Function(
        terms=terms,
        formula="y_k = x_k − ln Σ e^x_j" if logarithm else "y_k = e^x_k / Σ e^x_j",
        worked=f"{number(x)} − {bracketed(log_sum)}"
        if logarithm
        else f"e^{bracketed(x)} / e^{bracketed(log_sum)}",
        total=total,
        lines=(Line("logarithm of the sum", f"ln Σ e^x_j over {len(many)}", log_sum),),
        roundings=8 + len(many) + math.ceil(min(apart, 1e6)),
        magnitude=abs(x) + abs(top) + 1 if logarithm else 0.0,
        main=at[dim],
    )


def length(step: Step, at: Index) -> Function:
    """y = √Σ x², over the dimensions that are given."""
    if step.given("p", "ord", default=2) not in (2, "fro"):
        raise Unexplained
    terms, squares = _squares(step, at, step.given("dim"))
    return Function(
        terms=terms,
        formula="y = √Σ x²",
        worked=f"√{number(squares)}",
        total=math.sqrt(squares),
        roundings=8 + len(terms),
    )


def unit_length(step: Step, at: Index) -> Function:
    """y = x / max(√Σ x², ε), over one dimension."""
    dim = step.given("dim", default=1)
    if step.given("p", default=2) != 2 or not isinstance(dim, int):
        raise Unexplained
    terms, squares = _squares(step, at, dim)
    below = max(math.sqrt(squares), step.given("eps", default=1e-12))
    main = at[dim % len(at)]
    x = float(terms.values[main])
    return Function(
        terms=terms,
        formula="y = x / √Σ x²",
        worked=f"{number(x)} / {number(below)}",
        total=quotient(x, below),
        lines=(Line("length", f"√Σ x² over {len(terms)}", below),),
        roundings=8 + len(terms),
        main=main,
    )


def _squares(step: Step, at: Index, dims: object) -> tuple[Terms, float]:
    """The units along some dimensions, and the sum of their squares."""
    part = step.part(step.input(), along(step.input().shape, at, dims))
    terms = Terms(part, product=lambda _weight, value: np.square(value))
    return terms, exact_sum(terms.products.tolist())
