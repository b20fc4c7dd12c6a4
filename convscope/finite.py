"""Whether numbers are finite, without a copy of them."""

import math

import torch
from torch import Tensor


def is_finite(tensor: Tensor) -> bool:
    """Whether no value is NaN or infinite.

    `tensor.isfinite().all()` takes twice the tensor's memory, in several passes. The least and the
    greatest value take none: either is NaN where any value is.
    """
    values = tensor.detach()
    if not values.numel() or not (values.is_floating_point() or values.is_complex()):
        return True
    if values.is_complex():
        values = torch.view_as_real(values.resolve_conj())
    if values.element_size() == 1:  # float8 has few operators
        values = values.float()
    return all(math.isfinite(float(value)) for value in torch.aminmax(values))
