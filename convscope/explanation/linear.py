"""Other operations that are linear in one input: the weights are its derivatives, in float64."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch

from convscope.explanation.operation_view import Index, OperationView, UnsupportedOperation
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
    sources = sources_in((operation.call.args, dict(operation.call.kwargs)))
    variable = _position(op, sources)
    source = sources[variable]
    x = op.tensor(source).detach().double().requires_grad_()
    numbers = itertools.count()

    def in_float64(other: Source) -> torch.Tensor:
        if next(numbers) == variable:
            return x
        tensor = op.tensor(other).detach()
        return tensor.double() if tensor.is_floating_point() else tensor

    args, kwargs = map_nested(
        (operation.call.args, dict(operation.call.kwargs)), in_float64, of=Source
    )
    with torch.enable_grad():
        answer = operation.call.function(*args, **kwargs)
        answer = answer if isinstance(answer, torch.Tensor) else answer[operation.output_index]
        (weights,) = torch.autograd.grad(answer[at], x)
    indices = weights.nonzero().cpu().numpy()
    if not len(indices):
        indices = np.zeros((1, x.ndim), np.int64)
    nonzero = weights[tuple(torch.from_numpy(indices.T.copy()))].cpu().numpy()
    bias = op.argument("bias")
    bias = bias if isinstance(bias, Source) else None
    return Sum(
        terms=Terms(op.terms_of(source, indices, weights=nonzero.reshape(len(indices)))),
        formula=f"y = Σ w·x{'' if bias is None else ' + b'}, w of {operation.kind}",
        bias=0.0 if bias is None else op.number(bias, at[-1:]),
        bias_location=None if bias is None else op.location(bias, at[-1:]),
        roundings=64 + len(indices),
        magnitude=max(float(np.abs(nonzero).sum()), 1.0) * _largest(op, source),
    )


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


_LINEAR = {
    "interpolate": "input",
    "grid_sample": "input",
    "scaled_dot_product_attention": "value",
    "fold": "input",
    "diff": "input",
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
