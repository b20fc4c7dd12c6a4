"""Which tensors a pass reads, also where no operation can be recorded."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from convscope.recording import run_once
from convscope.recording.operation import tensors_in
from convscope.recording.retention import storage_id
from convscope.recording.uncompiled import UncompiledMode


def tensors_read(net: nn.Module, image: Tensor, tensors: Mapping[str, Tensor]) -> set[str]:
    """The names of those of `tensors` that an operation takes; the network is left as it was."""
    reads = _Reads()
    with reads:
        run_once(net, image, should_keep=lambda module, kind: False)
    return {name for name, tensor in tensors.items() if storage_id(tensor) in reads.storages}


_OF_RECORDING = frozenset({torch.ops.aten.detach.default, torch.ops.aten.is_set_to.default})
"""What recording itself calls: to keep a tensor, and to see that it was left in place."""


class _Reads(UncompiledMode):
    """Notes the storage of every tensor that an operation takes."""

    def __init__(self) -> None:
        super().__init__()
        self.storages = set[int]()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func not in _OF_RECORDING:
            self.storages.update(storage_id(t) for t in tensors_in((args, kwargs)))
        return func(*args, **kwargs)
