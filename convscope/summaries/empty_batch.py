"""Shapes on the meta device, without the compiler that torch's own rules for it import.

Torch computes most shapes on the meta device in Python, and imports its compiler and sympy for
that, which takes as long as torch itself. Here the operators of ConvNets run on the CPU instead, on
a batch of no images: the kernel checks its arguments, computes nothing, and returns a result whose
shape is right but for the number of images.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import torch
from torch import Tensor

from convscope.recording.operation import map_nested, tensors_in
from convscope.recording.uncompiled import UncompiledMode

Batches = Sequence[Tensor]
"""The operands that have the first axis of the result; none where it is not of batches."""


class EmptyBatch(UncompiledMode):
    """Runs operators on meta tensors as the same operators on the CPU with an empty first axis.

    What is not in its table, or not contiguous, or fails, runs on the meta device.
    """

    supports_higher_order_operators = True

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        batches_of = _batches_of(func)
        if batches_of is not None and (not kwargs or kwargs.keys() <= _SETTINGS):
            with _NotIntercepted(), suppress(Exception):
                if all(operand.is_meta for operand in tensors_in(args)):
                    return _run(func, args, kwargs or {}, batches_of(*args))
        return func(*args, **kwargs) if kwargs else func(*args)


def _run(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], batches: Batches) -> Any:
    """What an operator returns on the meta device. Raises where that cannot be told."""
    contiguous = batches if func in _PRODUCTS else tensors_in(args)
    if not all(operand.is_contiguous() for operand in contiguous):
        raise ValueError(batches)  # channels last, for example, would stay so
    size = max(len(operand) for operand in batches)
    if any(len(operand) not in (1, size) for operand in batches):
        raise ValueError(batches)
    emptied = {id(operand) for operand in batches if len(operand) == size}

    def on_cpu(operand: Tensor) -> Tensor:
        if id(operand) in emptied:
            return torch.empty((0, *operand.shape[1:]), dtype=operand.dtype, device="cpu")
        return torch.empty((), dtype=operand.dtype, device="cpu").expand(operand.shape)

    result = func(*map_nested(args, on_cpu), **kwargs)
    if func._schema.is_mutable:  # noqa: SLF001 -- there is no other way
        return args[0]
    axes = next(tensors_in(result)).ndim  # what has fewer is empty, as the statistics of batch norm

    def on_meta(empty: Tensor) -> Tensor:
        shape = (size, *empty.shape[1:]) if empty.ndim == axes else empty.shape
        return torch.empty(shape, dtype=empty.dtype, device="meta")

    return map_nested(result, on_meta)


@cache
def _batches_of(func: Any) -> Callable[..., Batches] | None:
    """The function that finds the batches among the arguments of an operator; None for others."""
    is_pointwise = torch.Tag.pointwise in getattr(func, "tags", ())
    return _BATCHES.get(func) or (_pointwise if is_pointwise else None)


def _pointwise(*args: Any) -> Batches:
    """Shapes are aligned at their last axes, so that the longest have the first."""
    operands = list(tensors_in(args))
    axes = max(operand.ndim for operand in operands)
    return [operand for operand in operands if operand.ndim == axes]


def _operands(*positions: int) -> Callable[..., Batches]:
    return lambda *args: [args[position] for position in positions]


def _along(operands: Tensor | Sequence[Tensor], axis: int | Sequence[int], *_: Any) -> Batches:
    """All operands, unless it is the first axis along which something is done."""
    batches = [operands] if isinstance(operands, Tensor) else operands
    axes = [axis] if isinstance(axis, int) else axis
    return [] if not axes or {0, -batches[0].ndim} & {*axes} else batches


_NotIntercepted: Any = torch._C.DisableTorchFunction  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
_SETTINGS = frozenset(("alpha", "approximate", "rounding_mode", "dtype"))
"""Arguments by name that are no tensors, and do not change how a result lies in memory."""

_ATEN: Any = torch.ops.aten
_PRODUCTS = frozenset((_ATEN.addmm.default, _ATEN.mm.default))
"""Which take weights in any layout, and return what is contiguous."""
_BATCHES: dict[Any, Callable[..., Batches]] = {
    **dict.fromkeys(
        (
            *(_ATEN.convolution.default, _ATEN.mm.default),
            *(_ATEN.native_batch_norm.default, _ATEN.native_layer_norm.default),
            *(_ATEN.max_pool2d_with_indices.default, _ATEN.max_pool3d_with_indices.default),
            *(_ATEN.avg_pool2d.default, _ATEN.avg_pool3d.default),
            *(_ATEN._adaptive_avg_pool2d.default, _ATEN.adaptive_max_pool2d.default),  # noqa: SLF001
            *(_ATEN.upsample_nearest2d.vec, _ATEN.upsample_bilinear2d.vec),
            *(_ATEN.hardswish.default, _ATEN.hardswish_.default),
            *(_ATEN.normal_.default, _ATEN.uniform_.default),
        ),
        _operands(0),
    ),
    _ATEN.addmm.default: _operands(1),
    _ATEN.bmm.default: _operands(0, 1),
    _ATEN.baddbmm.default: _operands(0, 1, 2),
    **dict.fromkeys(
        (
            *(_ATEN._softmax.default, _ATEN._log_softmax.default),  # noqa: SLF001
            *(_ATEN.cat.default, _ATEN.mean.dim, _ATEN.sum.dim_IntList, _ATEN.amax.default),
        ),
        _along,
    ),
}
"""What finds the batches among the arguments of operators that treat every image alike."""
