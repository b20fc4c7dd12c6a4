"""Operations that are linear in what they take, and that no other rule knows: their weights are
derivatives, computed in float64."""

import math

import numpy as np
import torch

from convscope.explanation.operation_view import Index, OperationView, UnsupportedOperation
from convscope.recording import Source
from convscope.recording.operation import replaced, sources_in
from convscope.terms import Sum, Terms


def weighted(op: OperationView, at: Index) -> Sum:
    """y = Σ w·x, with w the derivative of the unit by x: interpolation, `einsum`, attention's sum.

    x is what `_LINEAR` names, of which the operation is linear; whatever else it takes is in w.
    """
    operation = op.operation
    sources = sources_in(dict(operation.given))
    image = sources[_LINEAR[operation.kind]]
    if operation.kind == "einsum":
        image = next((s for s in sources if s.name in operation.operands), image)
    if sources.count(image) > 1 or op.argument("dropout_p"):  # not linear in it, or drawn
        raise UnsupportedOperation
    x = op.tensor(image).detach().double().requires_grad_()

    def doubled(source: Source) -> torch.Tensor:
        if source == image:
            return x
        tensor = op.tensor(source).detach()
        return tensor.double() if tensor.is_floating_point() else tensor

    args, kwargs = replaced((operation.call.args, dict(operation.call.kwargs)), doubled, of=Source)
    with torch.enable_grad():
        answer = operation.call.function(*args, **kwargs)
        (weights,) = torch.autograd.grad(answer[at], x)
    places = weights.nonzero().cpu().numpy()
    if not len(places):
        places = np.zeros((1, x.ndim), np.int64)
    chosen = weights[tuple(torch.from_numpy(places.T.copy()))].cpu().numpy()
    return Sum(
        terms=Terms(op.terms_of(image, places, weights=chosen)),
        formula=f"y = Σ w·x, w of {operation.kind}",
        roundings=64 + len(places),
        magnitude=max(float(np.abs(chosen).sum()), 1.0) * _largest(op, image),
    )


def _largest(op: OperationView, image: Source) -> float:
    largest = float(op.tensor(image).abs().max())
    return largest if math.isfinite(largest) else 0.0


_LINEAR = {
    "interpolate": 0,
    "einsum": 0,
    "grid_sample": 0,
    "scaled_dot_product_attention": 2,
    "fold": 0,
}
WEIGHTED = tuple(_LINEAR)
"""The kinds that `weighted` explains, and which of their tensors they are linear in."""
