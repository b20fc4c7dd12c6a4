"""The derivative as its definition has it: one number moved at a time."""

import torch

from tests.reference.layers import places


@torch.no_grad()
def finite_differences(function, x, step=1e-6):
    """The gradient of a number by each number of `x`, in float64: (f(x + h) - f(x - h)) / 2h.

    `x` is changed in place for a moment, so it may be a parameter.
    """
    gradient = torch.empty_like(x, memory_format=torch.contiguous_format)
    for at in places(*x.shape):
        middle = x[at].item()
        x[at] = middle + step
        above = function(x).item()
        x[at] = middle - step
        below = function(x).item()
        x[at] = middle
        gradient[at] = (above - below) / (2 * step)
    return gradient
