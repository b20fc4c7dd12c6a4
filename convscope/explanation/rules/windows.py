"""Operations that slide a window of weights: convolutions and similar."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from convscope.arithmetic import padding_pair
from convscope.explanation.rules.operation_view import Index, OperationView, index_grid
from convscope.explanation.rules.precision import uses_onednn
from convscope.explanation.rules.products import sum_of_products, weighted_terms
from convscope.receptive.windows import per_axis
from convscope.terms import Integers, Sum

INDICES = {1: "j", 2: "i,j", 3: "t,i,j"}
"""The letters of a position along one, two and three axes."""
_TAPS = {1: "v", 2: "uv", 3: "suv"}


def convolution(op: OperationView, at: Index) -> Sum:
    """y[k,i,j] = Σ w[k,c,u,v] · x[c, S·i + D·u - P, S·j + D·v - P] + b[k]."""
    source, filters = op.input(), op.source("weight")
    kernel = filters.shape[2:]
    *batch, k = at[: -len(kernel)]
    window = _window(op, kernel, source.shape[-len(kernel) :])
    rows = [
        n * stride + np.arange(size) * dilation - pad
        for n, size, (stride, pad, dilation) in zip(at[-len(kernel) :], kernel, window, strict=True)
    ]
    groups = op.argument("groups", default=1)
    first = k // (filters.shape[0] // groups) * filters.shape[1]
    operands = index_grid(*([b] for b in batch), range(first, first + filters.shape[1]), *rows)
    weights = index_grid([k], *map(range, filters.shape[1:]))
    terms = weighted_terms(op, source, operands, filters, weights, shape=tuple(filters.shape[1:]))
    channel = f"{first} + c" if groups > 1 else "c"
    positions = [_input_index(*letters) for letters in zip(_letters(kernel), window, strict=True)]
    formula = f"y[k,{INDICES[len(kernel)]}] = Σ w[k,c,{','.join(_TAPS[len(kernel)])}] · "
    formula += f"x[{', '.join([channel, *positions])}]"
    return sum_of_products(op, terms, formula, bias=op.argument("bias"), at=(k,))


def transposed_convolution(op: OperationView, at: Index) -> Sum:
    """y[k,i,j] = Σ w[c,k,u,v] · x[c, (i + P - D·u) / S, (j + P - D·v) / S] + b[k].

    The sum is over the taps where S divides the numerator; all others count as padding.
    """
    source, filters = op.input(), op.source("weight")
    kernel = filters.shape[2:]
    *batch, k = at[: -len(kernel)]
    window = _window(op, kernel, source.shape[-len(kernel) :])
    rows: list[Integers] = []
    for n, size, (stride, pad, dilation) in zip(at[-len(kernel) :], kernel, window, strict=True):
        reached = n + pad - np.arange(size) * dilation
        rows.append(np.where(reached % stride == 0, reached // stride, -1))
    groups = op.argument("groups", default=1)
    depth = filters.shape[0] // groups
    first = k // filters.shape[1] * depth
    operands = index_grid(*([b] for b in batch), range(first, first + depth), *rows)
    weights = index_grid(
        range(first, first + depth), [k % filters.shape[1]], *map(range, filters.shape[2:])
    )
    terms = weighted_terms(op, source, operands, filters, weights, shape=(depth, *kernel))
    positions = [
        _divided(f"{letter}{f' + {pad}' if pad else ''} − {_times(dilation, tap)}", stride)
        for (letter, tap), (stride, pad, dilation) in zip(_letters(kernel), window, strict=True)
    ]
    taps, indices = ",".join(_TAPS[len(kernel)]), INDICES[len(kernel)]
    formula = f"y[k,{indices}] = Σ w[c,k,{taps}] · x[c, {', '.join(positions)}]"
    total = sum_of_products(op, terms, formula, bias=op.argument("bias"), at=(k,))
    return replace(total, rounded=_rounded_taps(op, total)) if _rounds_taps(op) else total


def _rounds_taps(op: OperationView) -> bool:
    """Whether the sum of each tap over the channels is rounded before these sums are added.

    On CPUs, PyTorch does so for 16-bit numbers where oneDNN does not compute the operation.
    """
    dtype = op.result.dtype
    if dtype.itemsize > 2 or not op.result.is_cpu:
        return False
    strides, extra = (
        per_axis(op.argument(name, default=default), len(op.operation.shape) - 2)
        for name, default in (("stride", 1), ("output_padding", 0))
    )
    is_regular = all(pad < stride for pad, stride in zip(extra, strides, strict=True))
    return not (is_regular and uses_onednn(dtype))


def _rounded_taps(op: OperationView, total: Sum) -> float:
    """The magnitudes of the sums of all taps, and of what is added up from them in any order."""
    channels = total.terms.groups[0].shape[0]
    taps = np.abs(total.terms.products.reshape(channels, -1).sum(0))
    count = np.count_nonzero(taps)
    smallest = torch.finfo(op.result.dtype).smallest_normal
    return float((count + 1) * taps.sum()) + abs(total.bias) + count * smallest


def locally_connected(op: OperationView, at: Index) -> Sum:
    """y[k,i,j] = Σ w[i,j,k,c,u,v] · x[c, S·i + D·u - P, S·j + D·v - P] + b[i,j,k]."""
    layer, source = op.layer, op.input()
    batch, k, i, j = at
    rows = _layer_rows(op, (i, j))
    depth = layer.in_channels // layer.groups
    first = k // (layer.out_channels // layer.groups) * depth
    operands = index_grid([batch], range(first, first + depth), *rows)
    filters, bias = op.parameter("weight"), op.bias()
    weights = index_grid([i], [j], [k], *map(range, filters.shape[3:]))
    terms = weighted_terms(op, source, operands, filters, weights, shape=tuple(filters.shape[3:]))
    formula = "y[k,i,j] = Σ w[i,j,k,c,u,v] · x[c, ...]"
    return sum_of_products(op, terms, formula, bias=bias, at=(i, j, k))


def connection_table(op: OperationView, at: Index) -> Sum:
    """y[k,i,j] = Σ w[l,u,v] · x[c, S·i + u - P, S·j + v - P] + b[k] over links l from c to k."""
    layer, source = op.layer, op.input()
    batch, k, i, j = at
    filters, bias = op.parameter("weight"), op.bias()
    first = sum(map(len, layer.table[:k]))
    linked = layer.table[k]
    operands = index_grid([batch], linked, *_layer_rows(op, (i, j)))
    weights = index_grid(range(first, first + len(linked)), *map(range, filters.shape[1:]))
    terms = weighted_terms(
        op, source, operands, filters, weights, shape=(len(linked), *filters.shape[1:])
    )
    formula = f"y[k,i,j] = Σ w[l,u,v] · x[c, ...], c of {', '.join(map(str, linked))}"
    return sum_of_products(op, terms, formula, bias=bias, at=(k,))


def _layer_rows(op: OperationView, at: Sequence[int]) -> list[Integers]:
    layer = op.layer
    dilations = getattr(layer, "dilation", (1, 1))
    settings = zip(at, layer.kernel_size, layer.stride, layer.padding, dilations, strict=True)
    return [
        n * stride + np.arange(size) * dilation - pad for n, size, stride, pad, dilation in settings
    ]


def _window(
    op: OperationView, kernel: Sequence[int], sides: Sequence[int]
) -> list[tuple[int, int, int]]:
    """The stride, the padding before the first element, and the dilation along each axis."""
    strides, paddings, dilations = (
        per_axis(op.argument(name, default=default), len(kernel))
        for name, default in (("stride", 1), ("padding", 0), ("dilation", 1))
    )
    return [
        (
            stride,
            padding_pair(side, size, stride=stride, padding=pad, dilation=dilation)[0],
            dilation,
        )
        for side, size, stride, pad, dilation in zip(
            sides, kernel, strides, paddings, dilations, strict=True
        )
    ]


def _letters(kernel: Sequence[int]) -> list[tuple[str, str]]:
    return list(zip(INDICES[len(kernel)].split(","), _TAPS[len(kernel)], strict=True))


def _input_index(letters: tuple[str, str], window: tuple[int, int, int]) -> str:
    """The index of the input under a tap: `2i + u − 3`."""
    (letter, tap), (stride, pad, dilation) = letters, window
    position = f"{_times(stride, letter)} + {_times(dilation, tap)}"
    return f"{position} − {pad}" if pad else position


def _divided(position: str, stride: int) -> str:
    return position if stride == 1 else f"({position}) / {stride}"


def _times(factor: int, letter: str) -> str:
    return letter if factor == 1 else f"{factor}{letter}"
