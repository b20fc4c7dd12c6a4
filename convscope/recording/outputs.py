"""The tensors that a call of a function of torch returned or changed."""

from collections.abc import Callable, Collection
from typing import Any, cast

from torch import Tensor
from torch._ops import OpOverload

from convscope.recording.aten import form_of
from convscope.recording.operation import tensors_in
from convscope.recording.retention import storage_id


def outputs_of(
    func: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    output: object,
    written: Collection[int],
) -> list[Tensor]:
    """What a call returned or, where it returned nothing, what it changed.

    `written` are the storages that it wrote to.
    """
    if isinstance(output, Tensor):
        return [output]
    outputs = list(tensors_in(output))
    if isinstance(func, OpOverload) and outputs:
        return outputs[: form_of(func, args, kwargs).results]
    if func == _SET_DATA:  # which is not one object
        return [args[0]]
    if written and not outputs:  # `x[0] = 1` returns nothing; it changed x
        return [t for t in tensors_in((args, kwargs)) if storage_id(t) in written][:1]
    return outputs


_SET_DATA: Any = cast("Any", Tensor.data).__set__
METADATA: frozenset[Any] = frozenset(
    (
        *(getattr(Tensor, n).__get__ for n in ("shape", "device", "dtype", "ndim", "is_cuda")),
        *(getattr(Tensor, n) for n in ("size", "stride", "dim", "storage_offset")),
        Tensor.untyped_storage,
    )
)
"""What reads metadata of a tensor and computes nothing."""
