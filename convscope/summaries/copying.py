"""Copies of networks on another device, the meta device above all, whatever hooks they have."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode


def copy_to(net: nn.Module, device: str) -> nn.Module:
    """A copy whose tensors are all on `device`; on the meta device they need no memory.

    Tensors that are no parameters or buffers are copied too, also results, of which the old
    `weight_norm` keeps one that `copy.deepcopy` alone refuses.
    """
    memo: dict[int, Any] = {
        id(parameter): nn.Parameter(_moved(parameter, device), parameter.requires_grad)
        for parameter in net.parameters()
        if not is_lazy(parameter)
    }
    with _Copying(device):
        return copy.deepcopy(net, memo)


class _Copying(TorchFunctionMode):
    """Copies every tensor that `copy.deepcopy` meets to a device."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = device

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is Tensor.clone:  # as copies of parameters call it
            return _moved(args[0], self.device)
        if func is not Tensor.__deepcopy__ or is_lazy(args[0]):
            return func(*args, **(kwargs or {}))
        tensor, memo = args
        if id(tensor) not in memo:
            memo[id(tensor)] = _moved(tensor, self.device)
        return memo[id(tensor)]


def _moved(tensor: Tensor, device: str) -> Tensor:
    with torch.no_grad():
        return tensor.detach().to(device, copy=True)
