"""Pooling in ONNX so that every engine computes what PyTorch does.

`ceil_mode` means other windows elsewhere: PyTorch leaves out one that would begin behind the input,
others keep it, and divide means at the border by other numbers. PyTorch's exporter drops
`divisor_override`. So the output's size is computed here by PyTorch's rule, the input is padded at
its end to exactly that size where padding both ends alike gives another, and a divisor that is not
the window's area becomes a factor.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from convscope.arithmetic import output_size
from convscope.errors import NetworkError

Ints = Sequence[int]


def translations() -> dict[Any, Callable[..., Any]]:
    """What PyTorch's exporter shall write for its pooling operations, by overload."""
    aten = torch.ops.aten
    return {
        aten.max_pool1d.default: _max_pool,
        aten.max_pool2d.default: _max_pool,
        aten.max_pool3d.default: _max_pool,
        aten.avg_pool1d.default: _average_pool,
        aten.avg_pool2d.default: _average_pool,
        aten.avg_pool3d.default: _average_pool,
    }


def _max_pool(
    self: Any,
    kernel_size: Ints,
    stride: Ints = (),
    padding: Ints = (0,),
    dilation: Ints = (1,),
    ceil_mode: bool = False,  # noqa: FBT001, FBT002 -- the signature of aten
) -> Any:
    windows = _Windows.of(self, kernel_size, stride, padding, dilation, ceil_mode=ceil_mode)
    maxima, _ = _opset().MaxPool(
        self,
        kernel_shape=windows.kernel,
        strides=windows.strides,
        dilations=windows.dilations,
        pads=windows.pads,
    )
    return maxima


def _average_pool(
    self: Any,
    kernel_size: Ints,
    stride: Ints = (),
    padding: Ints = (0,),
    ceil_mode: bool = False,  # noqa: FBT001, FBT002
    count_include_pad: bool = True,  # noqa: FBT001, FBT002
    divisor_override: int | None = None,
) -> Any:
    windows = _Windows.of(self, kernel_size, stride, padding, (1,), ceil_mode=ceil_mode)
    counts_all = count_include_pad or divisor_override is not None or windows.is_uneven
    means = _opset().AveragePool(
        self,
        kernel_shape=windows.kernel,
        strides=windows.strides,
        pads=windows.pads,
        count_include_pad=int(counts_all),
    )
    if not counts_all:
        return means
    factors = windows.factors(divisor_override, count_include_pad=count_include_pad)
    return means if (factors == 1).all() else _opset().Mul(means, _constant(factors))


@dataclass(frozen=True)
class _Windows:
    """Where the windows of a pooling layer lie, along each axis of its input."""

    sides: Ints
    kernel: Ints
    strides: Ints
    padding: Ints
    dilations: Ints
    outputs: Ints

    @classmethod
    def of(
        cls,
        maps: Any,
        kernel: Ints,
        stride: Ints,
        padding: Ints,
        dilation: Ints,
        *,
        ceil_mode: bool,
    ) -> "_Windows":
        axes = len(kernel)
        sides = [side for side in maps.shape[-axes:] if isinstance(side, int)]
        if len(sides) < axes:
            raise NetworkError("A pooling layer gets maps whose size depends on the image.")
        strides = list(stride or kernel)
        pads, dilations = (list(values) * (axes // len(values)) for values in (padding, dilation))
        outputs = [
            output_size(n, k, stride=s, padding=p, dilation=d, ceil_mode=ceil_mode)
            for n, k, s, p, d in zip(sides, kernel, strides, pads, dilations, strict=True)
        ]
        return cls(sides, list(kernel), strides, pads, dilations, outputs)

    @property
    def pads(self) -> list[int]:
        """As in ONNX: what each axis is padded by at its beginning, then what at its end."""
        ends: list[int] = []
        for side, kernel, stride, pad, dilation, outputs in zip(
            self.sides, self.kernel, self.strides, self.padding, self.dilations, self.outputs,
            strict=True,
        ):  # fmt: skip
            size = dilation * (kernel - 1) + 1
            even = (side + 2 * pad - size) // stride + 1 == outputs
            ends.append(pad if even else max(0, (outputs - 1) * stride + size - side - pad))
        return [*self.padding, *ends]

    @property
    def is_uneven(self) -> bool:
        """Whether the two ends of an axis are padded by different numbers."""
        return self.pads[: len(self.sides)] != self.pads[len(self.sides) :]

    def factors(self, divisor: int | None, *, count_include_pad: bool) -> NDArray[np.float32]:
        """By what the mean over the window's area is to be multiplied: PyTorch divides the sum by
        `divisor`, or by the number of a window's units that lie in the input or, if they count, in
        its padding.
        """
        area = math.prod(self.kernel)
        if divisor is not None:
            return np.array(area / divisor, np.float32)
        counts = np.ones((), np.int64)
        for axis, outputs in enumerate(self.outputs):
            starts = np.arange(outputs) * self.strides[axis] - self.padding[axis]
            padding = self.padding[axis] if count_include_pad else 0
            ends = np.minimum(starts + self.kernel[axis], self.sides[axis] + padding)
            starts = np.maximum(starts, -padding)
            counts = np.multiply.outer(counts, ends - starts)
        factors = (area / counts).astype(np.float32)
        return np.ones((), np.float32) if (factors == 1).all() else factors


def _opset() -> Any:
    from onnxscript import opset20  # noqa: PLC0415 -- an extra

    return opset20


def _constant(values: NDArray[np.float32]) -> Any:
    from onnxscript import ir  # noqa: PLC0415 -- an extra

    return _opset().Constant(value=ir.tensor(values))
