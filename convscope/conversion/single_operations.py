"""Parts of a network that PyTorch's exporter writes as several operations, or as a general one, and
engines compute faster as the one that ONNX has for them.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import torch


def translations() -> dict[Any, Callable[..., Any]]:
    """What PyTorch's exporter shall write for them, by overload."""
    aten = torch.ops.aten
    return {aten.hardswish.default: _hard_swish, aten.mean.dim: _mean}


def _hard_swish(self: Any) -> Any:
    """Engines compute it at the end of the convolution before it, which two branches are not."""
    return _opset().HardSwish(self)


def _mean(
    self: Any,
    dim: Sequence[int] | None,
    keepdim: bool = False,  # noqa: FBT001, FBT002 -- the signature of aten
    dtype: Any = None,
) -> Any:
    """Of whole maps it is a pooling, which has kernels for 8 bits."""
    opset, rank = _opset(), len(self.shape)
    axes = [*range(rank)] if not dim else sorted(axis % rank for axis in dim)
    assert dtype is None or dtype == 1  # float32 stays float32
    if rank == 4 and axes == [2, 3]:
        means = opset.GlobalAveragePool(self)
        return means if keepdim else opset.Squeeze(means, _axes(axes))
    return opset.ReduceMean(self, _axes(axes), keepdims=int(keepdim))


def _axes(axes: Sequence[int]) -> Any:
    return _opset().Constant(value_ints=list(axes))


def _opset() -> Any:
    return import_module("onnxscript").opset20  # an extra
