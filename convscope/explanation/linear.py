"""Other operations that are linear in one input: the weights are its derivatives, in float64."""

import math

import numpy as np
import torch

from convscope.explanation.operation_view import Index, OperationView, UnsupportedOperation
from convscope.recording import Source
from convscope.recording.operation import map_nested, sources_in
from convscope.terms import Sum, Terms


def linear_map(op: OperationView, at: Index) -> Sum:
    """y = Σ w·x, with w the derivative of the unit by x: interpolation, `einsum`, attention's sum.

    x is the input given by `_LINEAR`, in which the operation is linear; w depends on the others.
    """
    operation = op.operation
    sources = sources_in(dict(operation.arguments))
    source = sources[_LINEAR[operation.kind]]
    if operation.kind == "einsum":
        source = next((s for s in sources if s.name in operation.operands), source)
    if sources.count(source) > 1 or op.argument("dropout_p"):  # not linear in it, or random
        raise UnsupportedOperation
    x = op.tensor(source).detach().double().requires_grad_()

    def in_float64(other: Source) -> torch.Tensor:
        if other == source:
            return x
        tensor = op.tensor(other).detach()
        return tensor.double() if tensor.is_floating_point() else tensor

    args, kwargs = map_nested(
        (operation.call.args, dict(operation.call.kwargs)), in_float64, of=Source
    )
    with torch.enable_grad():
        answer = operation.call.function(*args, **kwargs)
        (weights,) = torch.autograd.grad(answer[at], x)
    indices = weights.nonzero().cpu().numpy()
    if not len(indices):
        indices = np.zeros((1, x.ndim), np.int64)
    nonzero = weights[tuple(torch.from_numpy(indices.T.copy()))].cpu().numpy()
    return Sum(
        terms=Terms(op.terms_of(source, indices, weights=nonzero)),
        formula=f"y = Σ w·x, w of {operation.kind}",
        roundings=64 + len(indices),
        magnitude=max(float(np.abs(nonzero).sum()), 1.0) * _largest(op, source),
    )


def _largest(op: OperationView, source: Source) -> float:
    largest = float(op.tensor(source).abs().max())
    return largest if math.isfinite(largest) else 0.0


_LINEAR = {
    "interpolate": 0,
    "einsum": 0,
    "grid_sample": 0,
    "scaled_dot_product_attention": 2,
    "fold": 0,
}
"""The operations, and which of their tensors they are linear in."""
