"""Tensors of which each process holds a part: PyTorch's DTensor, divided along the first axis.

None of these imports it, for most trainings have none.
"""

from typing import Any, cast

import torch
from torch import Tensor


def is_divided(tensor: Tensor) -> bool:
    """Whether it is one of them."""
    return hasattr(tensor, "to_local")


def local(tensor: Tensor) -> Tensor:
    """This process's part, in the memory of the tensor; of any other tensor itself."""
    return cast("Any", tensor.detach()).to_local() if is_divided(tensor) else tensor


def write_whole(tensor: Tensor, whole: Tensor) -> None:
    """Copy values into a tensor, each process into its part."""
    with torch.no_grad():
        if not is_divided(tensor):
            tensor.copy_(whole)
            return
        mesh = cast("Any", tensor).device_mesh
        parts, rank = whole.chunk(mesh.size()), mesh.get_local_rank()
        if rank < len(parts):
            local(tensor).copy_(parts[rank])
