"""Other operations that are linear in one input: the weights are its derivatives, in float64."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from convscope.explanation.rules.complex_sums import call_in_float64, sources_of
from convscope.explanation.rules.operation_view import Index, OperationView, UnsupportedOperation
from convscope.recording import Source
from convscope.recording.operation import map_nested, sources_in
from convscope.terms import Sum, Terms


def linear_map(op: OperationView, at: Index) -> Sum:
    """y = Σ w·x, with w the derivative of the unit by x: interpolation, `einsum`, attention's sum.

    x is the argument that `_LINEAR` names, or else the first that depends on the image. Where the
    same tensor is passed twice, as in the product of maps with themselves, w depends on it too.
    """
    operation = op.operation
    if op.argument("dropout_p"):
        raise UnsupportedOperation("it drew random numbers, which are not recorded")
    sources = sources_of(op)
    variable = _position(op, sources)
    source = sources[variable]
    x = op.tensor(source).detach().double().requires_grad_()
    with torch.enable_grad():
        answer = call_in_float64(op, {variable: x})
        (weights,) = torch.autograd.grad(answer[at], x)
    indices = weights.nonzero().cpu().numpy()
    if not len(indices):
        indices = np.zeros((1, x.ndim), np.int64)
    nonzero = weights[tuple(torch.from_numpy(indices.T.copy()))].cpu().numpy()
    bias = op.argument("bias")
    bias = bias if isinstance(bias, Source) else None
    added = "" if bias is None else " + b"
    total = Sum(
        terms=Terms(op.terms_of(source, indices, weights=nonzero.reshape(len(indices)))),
        formula=f"y = Σ w·x{added}, w of {operation.kind}{op.note_of_casts()}",
        bias=0.0 if bias is None else op.number(bias, at[-1:]),
        bias_location=None if bias is None else op.location(bias, at[-1:]),
        roundings=64 + len(indices),
        magnitude=max(float(np.abs(nonzero).sum()), 1.0) * _largest(op, source),
    )
    return replace(total, rounded=_ROUNDED.get(operation.kind, _nothing)(op, total, at))


def _position(op: OperationView, sources: Sequence[Source]) -> int:
    """Which of the tensors among the arguments, in order, is the one that the map is linear in."""
    name = _LINEAR[op.operation.kind]
    position = 0
    for argument, value in op.operation.arguments.items():
        if argument == name:
            return position
        position += len(sources_in(value))
    dependent = (n for n, one in enumerate(sources) if one.name in op.operation.operands)
    return next(dependent, 0)


def _largest(op: OperationView, source: Source) -> float:
    largest = float(op.tensor(source).abs().max())
    return largest if math.isfinite(largest) else 0.0


def _nothing(_op: OperationView, _total: Sum, _at: Index) -> float:
    return 0.0


def _of_interpolation(op: OperationView, total: Sum, _at: Index) -> float:
    """Weights along each axis and sums over it, except where torch keeps them in float32."""
    if op.argument("mode", default="nearest") not in ("linear", "bicubic", "trilinear"):
        return 0.0
    axes = len(op.operation.shape) - 2
    size = max(float(np.abs(total.terms.weights).sum()), 1.0)
    return 4 * axes * size * float(np.abs(total.terms.values).max())


def _of_sampling(op: OperationView, _total: Sum, _at: Index) -> float:
    """Coordinates in pixels: three roundings along each axis, which two weights depend on."""
    source = op.input()
    return (6 * sum(source.shape[2:]) + 8) * _largest(op, source)


def _of_attention(op: OperationView, total: Sum, at: Index) -> float:
    """The weights w and their sum; and queries, keys and scores, whose exponentials they are.

    Errors δ of the scores change a weight by w · (δ - Σ w·δ). On CPUs, the scores of 16-bit numbers
    are computed in float32, and rounded nowhere; their weights may be.
    """
    query, key = (op.tensor(op.source(name)).double().abs() for name in ("query", "key"))
    if query.shape[:-2] != key.shape[:-2]:  # fewer heads of keys than of queries
        key = key.amax(tuple(range(key.ndim - 2))).expand(*query.shape[:-2], -1, -1)
    scale = op.argument("scale", default=query.shape[-1] ** -0.5)
    keys = total.terms.groups[0].at[:, -2]
    scores = (key[at[:-2]] @ query[at[:-1]]).cpu().numpy()[keys] * scale
    mask = op.argument("attn_mask")
    if isinstance(mask, Source) and op.tensor(mask).is_floating_point():
        scores = scores + float(op.tensor(mask).nan_to_num(0, 0, 0).abs().max())
    mean = float((scores * total.terms.weights).sum())
    if _has_float32_scores(op):
        own = torch.finfo(op.result.dtype)
        unit = (query.shape[-1] + 16) * torch.finfo(torch.float32).eps / own.eps
        rounded = float(((1 + unit * (scores + mean)) * np.abs(total.terms.products)).sum())
        return rounded + len(keys) * float(np.abs(total.terms.values).max()) * own.smallest_normal
    return float(((2 + 3 * (scores + mean)) * np.abs(total.terms.products)).sum())


def _has_float32_scores(op: OperationView) -> bool:
    """Whether attention in 16 bits computes its scores in float32, as PyTorch does from 2.5 on."""
    allowed = getattr(torch.backends.cuda, "fp16_bf16_reduction_math_sdp_allowed", lambda: True)
    return op.result.is_cpu and op.result.dtype.itemsize < 4 and not allowed()


def _of_partial_sums(_op: OperationView, total: Sum, _at: Index) -> float:
    return len(total.terms) * float(np.abs(total.terms.products).sum())


def _of_products(op: OperationView, total: Sum, at: Index) -> float:
    """The results of all products of two operands but the last."""
    call = op.operation.call
    operands = len(sources_in((call.args, dict(call.kwargs))))
    if operands < 3:
        return float(np.abs(total.terms.products).sum()) if op.operation.kind == "cross" else 0.0

    def sizes(source: Source) -> torch.Tensor:
        return op.tensor(source).detach().double().abs()

    args, kwargs = map_nested((call.args, dict(call.kwargs)), sizes, of=Source)
    return (operands - 1) * float(call.function(*args, **kwargs)[at])


_ROUNDED = {
    "interpolate": _of_interpolation,
    "grid_sample": _of_sampling,
    "scaled_dot_product_attention": _of_attention,
    "fold": _of_partial_sums,
    **dict.fromkeys(("einsum", "bilinear", "chain_matmul", "multi_dot", "cross"), _of_products),
}
"""The magnitudes of intermediate results that are rounded to the type of the result."""

_LINEAR = {
    "interpolate": "input",
    "grid_sample": "input",
    "scaled_dot_product_attention": "value",
    "fold": "input",
    "cross": None,
    "einsum": None,
    "bilinear": None,
    "dot": None,
    "vdot": None,
    "inner": None,
    "kron": None,
    "tensordot": None,
    "chain_matmul": None,
    "multi_dot": None,
}
"""The operations, and the argument that they are linear in; None for any of their tensors."""
