"""Normalization by running statistics, the image's own statistics, or neighboring channels."""

import math
from dataclasses import replace

import numpy as np
import torch

from convscope.explanation.rules.operation_view import (
    Index,
    OperationView,
    UnsupportedOperation,
    index_grid,
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
)


def batch_norm(op: OperationView, at: Index) -> Sum:
    """y = scale·x + shift, with scale = γ / √(σ² + ε) and shift = β - μ·scale, for each channel.

    μ and σ² are the running statistics; in training mode, those of the channel itself.
    """
    source = op.input()
    c = (at[1],)
    mean, variance = op.argument("running_mean"), op.argument("running_var")
    batch_statistics = (
        bool(op.argument("training", "use_input_stats", default=mean is None)) or mean is None
    )
    if batch_statistics:
        members = index_grid(range(source.shape[0]), [at[1]], *map(range, source.shape[2:]))
        total = _of_members(op, at, op.terms_of(source, members).values, c, c)
        return _with_rounded_statistics(op, total)
    eps = op.argument("eps", default=1e-5)
    return _folded(op, at, op.number(mean, c), op.number(variance, c), eps, affine=(c, c))


def instance_norm(op: OperationView, at: Index) -> Sum:
    """y = γ·(x - μ) / √(σ² + ε) + β, with the mean and variance of one channel of one image."""
    if not op.argument("use_input_stats", default=True):
        return batch_norm(op, at)
    members = index_grid([at[0]], [at[1]], *map(range, op.input().shape[2:]))
    total = _of_members(op, at, op.terms_of(op.input(), members).values, at[1:2], at[1:2])
    return _with_rounded_statistics(op, total)


def _with_rounded_statistics(op: OperationView, total: Sum) -> Sum:
    """A batch norm whose mean and scale are rounded to the type of the result before their use."""
    term, mean = total.terms[0], total.lines[0].value
    size = abs(term.product) + abs(mean * term.weight) + abs(total.bias)
    return replace(total, rounded=2 * size, error=abs(term.weight) * op.spacing)


def group_norm(op: OperationView, at: Index) -> Sum:
    """y = γ·(x - μ) / √(σ² + ε) + β, with the mean and variance of a group of channels."""
    source = op.input()
    size = source.shape[1] // op.argument("num_groups", "1")
    first = at[1] // size * size
    members = index_grid([at[0]], range(first, first + size), *map(range, source.shape[2:]))
    return _of_members(op, at, op.terms_of(source, members).values, at[1:2], at[1:2])


def layer_norm(op: OperationView, at: Index) -> Sum:
    """y = γ·(x - μ) / √(σ² + ε) + β, with the mean and variance over the last dimensions."""
    source = op.input()
    width = len(op.argument("normalized_shape", "1"))
    members = index_grid(*([n] for n in at[:-width]), *map(range, source.shape[-width:]))
    return _of_members(op, at, op.terms_of(source, members).values, at[-width:], at[-width:])


def rms_norm(op: OperationView, at: Index) -> Sum:
    """y = γ·x / √(Σ x² / n + ε) over the last dimensions; ε is the machine epsilon by default.

    It is that of float32 also for 16-bit numbers, which torch casts to float32 first.
    """
    source, gains = op.input(), op.argument("weight")
    width = len(op.argument("normalized_shape", "1"))
    members = index_grid(*([n] for n in at[:-width]), *map(range, source.shape[-width:]))
    values = op.terms_of(source, members).values
    with np.errstate(all="ignore"):
        mean_square = exact_sum(np.square(values).tolist()) / len(values)
    computed = torch.promote_types(op.tensor(source).dtype, torch.float32)
    eps = op.argument("eps", default=torch.finfo(computed).eps)
    gain = 1.0 if gains is None else op.number(gains, at[-width:])
    scale = gain / math.sqrt(mean_square + eps)
    return Sum(
        terms=Terms(op.terms_of(source, [at], weights=scale)),
        formula="y = scale·x",
        lines=(
            Line("mean square", f"of {len(values):,} units, Σ x² / n", mean_square),
            Line(
                "scale",
                f"γ / √(Σ x² / n + ε) = {number(gain)} / √({number(mean_square)} + {eps:g})",
                scale,
            ),
        ),
        roundings=8 + len(values),
        rounded=0.0 if gains is None else abs(scale * op.number(source, at)),  # before the gain
    )


def global_contrast_norm(op: OperationView, at: Index) -> Sum:
    """y = s·(x - μ) / √(Σ (x - μ)² + ε), with mean and length of the whole image."""
    source, layer = op.input(), op.layer
    members = op.terms_of(source, index_grid(at[:1], *map(range, source.shape[1:]))).values
    mean = exact_sum(members.tolist()) / len(members)
    squares = exact_sum(np.square(members - mean).tolist())
    scale = layer.scale / math.sqrt(squares + layer.eps)
    shift = -mean * scale
    terms = Terms(op.terms_of(source, [at], weights=scale))
    size = max(abs(float(terms.values[0])) + abs(mean), float(np.abs(members).max()))
    return Sum(
        terms=terms,
        bias=shift,
        formula="y = scale·x + shift",
        lines=(
            Line("mean", f"of {len(members):,} units, μ", mean),
            Line("squares", "Σ (x − μ)²", squares),
            Line(
                "scale",
                f"s / √(Σ (x − μ)² + ε) = {layer.scale:g} / √({number(squares)} + {layer.eps:g})",
                scale,
            ),
            Line("shift", f"−μ·scale = −{parenthesized(mean)}·{parenthesized(scale)}", shift),
        ),
        roundings=8 + len(members),
        rounded=4 * abs(float(terms.values[0]) + shift) + scale * abs(mean),
        magnitude=scale * size * (1 + len(members) * mean * mean / (squares + layer.eps)),
    )


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
    prefix = f"of {count:,} units, " if count else ""
    size = abs(scale) * max(abs(x) + abs(mean), largest) + abs(bias)
    if count:  # cancellation in the variance makes the scale equally uncertain
        size *= 1 + mean * mean / (variance + eps)
    return Sum(
        terms=terms,
        bias=shift,
        formula="y = scale·x + shift",
        lines=(
            Line("mean", f"{prefix}μ", mean),
            Line("variance", f"{prefix}σ²", variance),
            Line(
                "scale", f"γ / √(σ² + ε) = {number(gain)} / √({number(variance)} + {eps:g})", scale
            ),
            Line(
                "shift",
                f"β − μ·scale = {number(bias)} − {parenthesized(mean)}·{parenthesized(scale)}",
                shift,
            ),
        ),
        roundings=8 + count,
        magnitude=size,
    )


def local_response_norm(op: OperationView, at: Index) -> Expression:
    """b = a / (k + α/n·Σ a²)^β over the n nearest channels; as in torch, α is divided by n."""
    size = op.argument("size", "1")
    alpha, beta = op.argument("alpha", default=1e-4), op.argument("beta", default=0.75)
    return _response(op, at, size, alpha / size, beta, op.argument("k", default=1.0))


def paper_response_norm(op: OperationView, at: Index) -> Expression:
    """b = a / (k + α·Σ a²)^β over the n nearest channels of the unit's group, as in the paper."""
    layer = op.layer
    return _response(op, at, layer.n, layer.alpha, layer.beta, layer.k, groups=layer.groups)


def _response(
    op: OperationView, at: Index, size: int, alpha: float, beta: float, k: float, *, groups: int = 1
) -> Expression:
    source = op.input()
    group_size = source.shape[1] // groups
    first = at[1] // group_size * group_size
    channels = range(
        max(at[1] - size // 2, first), min(at[1] + (size - 1) // 2 + 1, first + group_size)
    )
    group = op.terms_of(source, index_grid([at[0]], channels, *([n] for n in at[2:])))
    terms = Terms(group, product=lambda _weight, value: np.square(value))
    squares = exact_sum(terms.products.tolist())
    center = channels.index(at[1])
    a = float(terms.values[center])
    base = k + alpha * squares
    return Expression(
        terms=terms,
        formula="b = a / (k + α·Σ a²)^β",
        substituted=f"{number(a)} / ({number(k)} + {alpha:g}·{number(squares)})^{number(beta)}",
        exact_value=a / base**beta,
        lines=(
            Line("squares", f"Σ a² over channels {channels[0]} to {channels[-1]}", squares),
            Line("denominator", f"(k + α·Σ a²)^{number(beta)}", base**beta),
        ),
        roundings=16 + len(channels),
        rounded=6 * abs(a / base**beta),  # a chain of operations of torch
        main=center,
    )


def softmax(op: OperationView, at: Index) -> Expression:
    """y_k = e^(x_k) / Σ e^(x_j), or its logarithm, along one dimension."""
    source, dim = op.input(), op.argument("dim")
    if not isinstance(dim, int):
        raise UnsupportedOperation
    dim %= len(source.shape)
    indices = range(source.shape[dim])
    group = op.terms_of(
        source, index_grid(*(indices if d == dim else [n] for d, n in enumerate(at)))
    )
    logarithm = op.operation.kind == "log_softmax"
    top = float(group.values.max())
    with np.errstate(all="ignore"):
        powers = np.exp(group.values - top)
    sum_of_powers = exact_sum(powers.tolist())
    terms = Terms(group, product=lambda _weight, _value: powers / sum_of_powers)
    x = float(group.values[at[dim]])
    log_sum = math.log(sum_of_powers) + top if math.isfinite(top) else math.nan
    distance = 0.0 if math.isnan(x - top) else abs(x - top)
    total = x - log_sum if logarithm else float(powers[at[dim]]) / sum_of_powers
    return Expression(
        terms=terms,
        formula="y_k = x_k − ln Σ e^x_j" if logarithm else "y_k = e^x_k / Σ e^x_j",
        substituted=f"{number(x)} − {parenthesized(log_sum)}"
        if logarithm
        else f"e^{parenthesized(x)} / e^{parenthesized(log_sum)}",
        exact_value=total,
        lines=(Line("logarithm of the sum", f"ln Σ e^x_j over {len(indices)}", log_sum),),
        roundings=8 + len(indices) + math.ceil(min(distance, 1e6)),
        magnitude=abs(x) + abs(top) + 1 if logarithm else 0.0,
        rounded=2.0 if logarithm else 2 * abs(total),  # the powers and their sum may be
        main=at[dim],
    )
