"""Every kind of operation that has a rule, against slow loops, numpy and exact fractions."""

import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.explain.activation import CURVES
from convscope.explain.recording import record
from convscope.explain.rules import RULES
from convscope.layers import (
    DropPath,
    DropPathSampler,
    FractalJoin,
    LocallyConnected2d,
    LocalResponseNorm,
    MinPool2d,
    RadialBasis,
    ScaledTanh,
    Subsampling2d,
    TableConv2d,
)
from tests.reference import explanations as reference
from tests.reference import layers as slow

UNITS = 24  # of each result, drawn at random where there are more


class Net(nn.Module):
    """A function of the image and of tensors of its own, parameters and constants by their name."""

    def __init__(self, of: Callable[..., Any], **tensors: torch.Tensor) -> None:
        super().__init__()
        self.of, self.words = of, tuple(tensors)
        for name, tensor in tensors.items():
            if tensor.is_floating_point():
                self.register_parameter(name, nn.Parameter(tensor))
            else:
                self.register_buffer(name, tensor)

    def forward(self, x: torch.Tensor) -> Any:
        return self.of(x, *(getattr(self, name) for name in self.words))


@dataclass(frozen=True)
class Case:
    """A network whose last operation is of a kind, and what it gives: `expected(x, net, y)`.

    x is the image and y the recorded result in float64 arrays, of which only the shape is used,
    or what chance decided.
    """

    kind: str
    build: Callable[[], nn.Module]
    made: str
    expected: Callable[[np.ndarray, nn.Module, np.ndarray], Any]
    image: tuple[int, ...] = (3, 5, 6)
    words: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.kind, self.words)))


def numbers(tensor):
    return None if tensor is None else tensor.detach().double().numpy()


def shaken(net, seed=0):
    """Parameters and running statistics that are not those of a fresh layer."""
    rng = torch.manual_seed(seed)
    with torch.no_grad():
        for name, tensor in (*net.named_parameters(), *net.named_buffers()):
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2, generator=rng)
            elif tensor.is_floating_point() and not getattr(net, "words", ()):
                tensor.uniform_(-1, 1, generator=rng)
    return net


def image_of(shape, seed=1, dtype=torch.float32):
    return torch.randn(1, *shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def some(*shape, seed=7):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def units_of(shape):
    everywhere = list(itertools.product(*map(range, shape)))
    return random.Random(0).sample(everywhere, min(UNITS, len(everywhere)))


def looked_up(recording, net, place):
    """The number at a place, read off the recording or the network."""
    if place.source in recording:
        return recording[place.source].value[place.at].item()
    own = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    return own[place.source.removeprefix("net.")][place.at].item()  # "net" is that of a Flat


def assert_places_are_true(explanation, recording, net):
    padding = dict(maximum=-math.inf, minimum=math.inf).get(explanation.made.kind, 0)
    for term in explanation.terms:
        if term.place is None:
            assert term.value == padding
        else:
            assert same(looked_up(recording, net, term.place), term.value)
        if term.weight_place is not None:
            assert same(looked_up(recording, net, term.weight_place), term.weight)
    bias_place = getattr(explanation.made, "bias_place", None)
    if bias_place is not None:
        assert looked_up(recording, net, bias_place) == explanation.made.bias


def same(one, two):
    return one == two or (math.isnan(one) and math.isnan(two))


NUMPY_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def slid(x, net, y):
    """The convolution of an image that numpy padded."""
    ends = []
    for axis, (kernel, dilation) in enumerate(zip(net.kernel_size, net.dilation, strict=True)):
        if net.padding == "same":
            lacking = dilation * (kernel - 1)
            ends.append((lacking // 2, lacking - lacking // 2))
        else:
            ends.append((0, 0) if net.padding == "valid" else (net.padding[axis],) * 2)
    padded = np.pad(x, ((0, 0), (0, 0), *ends), mode=NUMPY_MODES[net.padding_mode])
    return reference.convolution(
        padded,
        numbers(net.weight),
        numbers(net.bias),
        y.shape,
        stride=net.stride,
        padding=(0,) * len(ends),
        dilation=net.dilation,
        groups=net.groups,
    )


def stamped(x, net, y):
    return reference.transposed_convolution(
        x,
        numbers(net.weight),
        numbers(net.bias),
        y.shape,
        stride=net.stride,
        padding=net.padding,
        dilation=net.dilation,
        groups=net.groups,
    )


def sliding(layer, expected, kind, image, *args, **settings):
    words = ", ".join([*map(str, args), *(f"{k}={v}" for k, v in settings.items())])
    return Case(kind, lambda: layer(*args, **settings), "sum", expected, image, words)


def conv2d(image, *args, **settings):
    return sliding(nn.Conv2d, slid, "conv2d", image, *args, **settings)


def transposed2d(*args, **settings):
    return sliding(nn.ConvTranspose2d, stamped, "conv_transpose2d", (4, 3, 4), *args, **settings)


WINDOWS = [
    conv2d((3, 5, 6), 3, 4, 3),
    conv2d((3, 5, 6), 3, 4, 3, bias=False, padding=1),
    conv2d((1, 5, 6), 1, 1, 2),
    conv2d((4, 5, 6), 4, 6, 3, groups=2, padding=(2, 1)),
    conv2d((3, 5, 6), 3, 6, 3, groups=3, padding=1, stride=2),
    conv2d((3, 7, 6), 3, 2, (3, 2), stride=(2, 1), padding=(0, 1), dilation=(2, 3)),
    conv2d((2, 7, 8), 2, 2, (1, 3), stride=(1, 3)),
    conv2d((2, 5, 6), 2, 2, 3, padding="same"),
    conv2d((2, 5, 6), 2, 2, (4, 2), padding="same"),
    conv2d((2, 7, 6), 2, 2, (3, 2), padding="same", dilation=(2, 3)),
    conv2d((2, 5, 6), 2, 2, 3, padding="valid"),
    conv2d((2, 5, 6), 2, 2, (3, 5), padding=(1, 2), padding_mode="zeros"),
    conv2d((2, 5, 6), 2, 2, (3, 5), padding=(1, 2), padding_mode="reflect"),
    conv2d((2, 5, 6), 2, 2, (3, 5), padding=(1, 2), padding_mode="replicate"),
    conv2d((2, 5, 6), 2, 2, (3, 5), padding=(1, 2), padding_mode="circular", stride=2),
    conv2d((2, 5, 6), 2, 2, (2, 4), padding="same", padding_mode="circular"),
    sliding(nn.Conv1d, slid, "conv1d", (4, 9), 4, 6, 3, groups=2, stride=2, padding=1),
    sliding(nn.Conv1d, slid, "conv1d", (2, 9), 2, 3, 4, dilation=2, padding="same"),
    sliding(nn.Conv3d, slid, "conv3d", (2, 3, 4, 5), 2, 3, (2, 3, 2), padding=(1, 0, 1), stride=2),
    sliding(nn.Conv3d, slid, "conv3d", (4, 3, 4, 5), 4, 4, 2, groups=4, dilation=(1, 2, 1)),
    transposed2d(4, 3, 3),
    transposed2d(4, 6, (3, 2), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), groups=2),
    transposed2d(4, 4, 3, stride=2, padding=2, dilation=(2, 1), groups=4, bias=False),
    transposed2d(4, 2, 3, stride=(3, 1), dilation=2, output_padding=1),
    sliding(
        nn.ConvTranspose1d,
        stamped,
        "conv_transpose1d",
        (2, 5),
        *(2, 4, 4),
        stride=2,
        padding=1,
        groups=2,
    ),
    sliding(
        nn.ConvTranspose3d,
        stamped,
        "conv_transpose3d",
        (2, 2, 3, 2),
        *(2, 2, 2),
        stride=(2, 1, 2),
        output_padding=(1, 0, 0),
    ),
]


def untied(x, net, _y):
    settings = {name: getattr(net, name) for name in ("stride", "padding", "dilation", "groups")}
    bias = None if net.bias is None else net.bias.double()
    return slow.locally_connected(torch.from_numpy(x), net.weight.double(), bias, **settings)


def linked(x, net, _y):
    return slow.table_convolution(
        torch.from_numpy(x),
        net.table,
        net.weight.detach().double(),
        torch.zeros(len(net.table)).double() if net.bias is None else net.bias.detach().double(),
        stride=net.stride,
        padding=net.padding,
    )


TABLE = [(0, 1), (2,), (0, 2, 3), (3, 1)]
OWN_WINDOWS = [
    Case("LocallyConnected2d", lambda: LocallyConnected2d(3, 4, (5, 6), 3), "sum", untied),
    Case(
        "LocallyConnected2d",
        lambda: LocallyConnected2d(
            *(4, 6, (5, 6), (3, 2)), stride=(2, 1), padding=1, dilation=(1, 2), groups=2, bias=False
        ),
        "sum",
        untied,
        (4, 5, 6),
        "groups, dilation",
    ),
    Case("TableConv2d", lambda: TableConv2d(4, TABLE, 3), "sum", linked, (4, 5, 6)),
    Case(
        "TableConv2d",
        lambda: TableConv2d(4, TABLE, (2, 3), stride=(1, 2), padding=(1, 2), bias=False),
        "sum",
        linked,
        (4, 5, 6),
        "padding",
    ),
]


def correlated(x, w, shape, padding=0):
    return reference.convolution(
        x, w, None, shape, stride=(1, 1), padding=(padding,) * 2, dilation=(1, 1)
    )


ODD_WINDOWS = [
    Case(
        "conv2d",
        lambda: Net(lambda x, w: F.conv2d(x[0], w), w=some(2, 3, 2, 3)),
        "sum",
        lambda x, net, y: correlated(x, numbers(net.w), (1, *y.shape))[0],
        words="without a batch",
    ),
    Case(
        "conv2d",
        lambda: Net(lambda x, w: F.conv2d(torch.cat([x, -x]), w, padding=1), w=some(2, 3, 3, 3)),
        "sum",
        lambda x, net, y: correlated(np.concatenate([x, -x]), numbers(net.w), y.shape, 1),
        words="of two images that were one",
    ),
    Case(
        "conv2d",
        lambda: Net(lambda x: F.conv2d(x, x[:, :, :2, :2] * 0.5)),
        "sum",
        lambda x, _net, y: correlated(x, x[:, :, :2, :2] / 2, y.shape),
        words="with filters made of the image",
    ),
    Case(
        "max_pool2d",
        lambda: Net(lambda x: F.max_pool2d(x[0], 2)),
        "maximum",
        lambda x, _net, y: reference.extreme_pool(
            x, (1, *y.shape), kernel=(2, 2), stride=(2, 2), padding=(0, 0), dilation=(1, 1)
        )[0],
        words="without a batch",
    ),
]


def product(kind, of, expected, image=(2, 4, 6), words="", **shapes):
    return Case(
        kind,
        lambda: Net(of, **{n: some(*s, seed=k) for k, (n, s) in enumerate(shapes.items())}),
        "sum",
        lambda x, net, y: expected(
            x, *(numbers(tensor) for tensor in net.parameters()), shape=y.shape
        ),
        image,
        words,
    )


def densely(x, net, _y):
    return reference.dense(x, numbers(net.weight), numbers(net.bias))


MATRICES = [
    Case("linear", lambda: nn.Linear(6, 4), "sum", densely, (6,), "one row"),
    Case("linear", lambda: nn.Linear(6, 4, bias=False), "sum", densely, (6,), "no bias"),
    Case("linear", lambda: nn.Linear(6, 4), "sum", densely, (5, 6), "tokens"),
    Case("linear", lambda: nn.Linear(6, 1), "sum", densely, (2, 5, 6), "last axis of maps"),
    product(
        "linear",
        F.linear,
        lambda x, w, *, shape: reference.dense(x, w[None], None).reshape(shape),
        words="one filter that is a vector",
        w=(6,),
    ),
    product(
        "matmul",
        lambda x, w: x @ w,
        reference.matrix_product,
        w=(6, 5),
    ),
    product(
        "matmul",
        lambda x, w: x @ w,
        reference.matrix_product,
        words="batches",
        w=(1, 2, 6, 3),
    ),
    product(
        "matmul",
        lambda x, w: x @ w,
        reference.matrix_product,
        words="one for each map",
        image=(1, 4, 6),
        w=(3, 6, 2),
    ),
    product(
        "matmul",
        lambda x, w: torch.matmul(w, x),
        lambda x, w, shape: reference.matrix_product(w, x, shape),
        words="weights first",
        w=(3, 4),
    ),
    product(
        "matmul",
        lambda x, w: x.matmul(w),
        reference.matrix_product,
        words="a vector last",
        w=(6,),
    ),
    product(
        "matmul",
        lambda x, w: torch.matmul(w, x),
        lambda x, w, shape: reference.matrix_product(w, x, shape),
        words="a vector first",
        w=(4,),
    ),
    product(
        "matmul",
        lambda x, w: x[0, 0, 0] @ w,
        lambda x, w, shape: reference.matrix_product(x[0, 0, 0], w, shape),
        words="two vectors",
        w=(6,),
    ),
    product(
        "matmul",
        lambda x: x @ x.mT,
        lambda x, shape: reference.matrix_product(x, x.swapaxes(2, 3), shape),
        words="with itself",
    ),
    product(
        "bmm",
        lambda x, w: x.bmm(w),
        reference.matrix_product,
        image=(4, 6),
        w=(1, 6, 3),
    ),
    product(
        "bmm",
        lambda x, w: torch.bmm(x[0], w),
        lambda x, w, shape: reference.matrix_product(x[0], w, shape),
        words="two",
        w=(2, 6, 3),
    ),
    product(
        "mm",
        lambda x, w: x[0, 1].mm(w),
        lambda x, w, shape: reference.matrix_product(x[0, 1], w, shape),
        w=(6, 3),
    ),
    product(
        "mm",
        torch.mm,
        reference.matrix_product,
        image=(6,),
        words="one row",
        w=(6, 3),
    ),
    product(
        "mv",
        lambda x, w: x[0, 1].mv(w),
        lambda x, w, shape: reference.matrix_product(x[0, 1], w, shape),
        w=(6,),
    ),
    product(
        "addmm",
        lambda x, b, w: torch.addmm(b, x[0, 1], w),
        lambda x, b, w, shape: reference.matrix_product(x[0, 1], w, shape, b),
        b=(3,),
        w=(6, 3),
    ),
    product(
        "addmm",
        lambda x, b, w: torch.addmm(b, x[0, 1], w),
        lambda x, b, w, shape: reference.matrix_product(x[0, 1], w, shape, b),
        words="a column",
        b=(4, 1),
        w=(6, 3),
    ),
    product(
        "baddbmm",
        lambda x, b, w: torch.baddbmm(b, x[0], w),
        lambda x, b, w, shape: reference.matrix_product(x[0], w, shape, b),
        b=(2, 1, 3),
        w=(2, 6, 3),
    ),
    product(
        "baddbmm",
        lambda x, b, w: b.baddbmm(x, w),
        lambda x, b, w, shape: reference.matrix_product(x, w, shape, b),
        image=(4, 6),
        words="one",
        b=(1, 4, 3),
        w=(1, 6, 3),
    ),
    Case(
        "RadialBasis",
        lambda: RadialBasis(some(3, 6)),
        "sum",
        lambda x, net, _y: -slow.distance(torch.from_numpy(x), net.codes.double()),
        (6,),
    ),
]


def both(value, count):
    return (value,) * count if isinstance(value, int) else tuple(value)


def largest(kernel, stride=None, padding=0, dilation=1, count=2):
    return lambda x, _net, y: reference.extreme_pool(
        x,
        y.shape,
        kernel=both(kernel, count),
        stride=both(kernel if stride is None else stride, count),
        padding=both(padding, count),
        dilation=both(dilation, count),
    )


def averaged(kernel, stride=None, padding=0, include=True, override=None, count=2):  # noqa: FBT002
    return lambda x, _net, y: reference.average_pool(
        x,
        y.shape,
        kernel=both(kernel, count),
        stride=both(kernel if stride is None else stride, count),
        padding=both(padding, count),
        include=include,
        override=override,
    )


def own_smallest(x, net, y):
    return reference.extreme_pool(
        x,
        y.shape,
        kernel=net.kernel_size,
        stride=net.stride,
        padding=net.padding,
        dilation=net.dilation,
        of=min,
    )


def adaptive(of):
    return lambda x, _net, y: reference.adaptive_pool(x, y.shape, of)


def over(dims, of, *, keep=False):
    def expected(x, _net, y):
        whole = reference.reduced(x, [d % x.ndim for d in dims], of)
        return whole if keep else whole.reshape(y.shape)

    return expected


def pooled(kind, build, expected, image=(3, 5, 6), words=""):
    made = "maximum" if "max" in kind else "minimum" if "min" in kind.lower() else "sum"
    return Case(kind, build, made, expected, image, words)


EVERY = (0, 1, 2, 3)
POOLING = [
    pooled("max_pool2d", lambda: nn.MaxPool2d(2), largest(2)),
    pooled("max_pool2d", lambda: nn.MaxPool2d(3, 2), largest(3, 2), (2, 7, 9), "overlapping"),
    pooled(
        "max_pool2d", lambda: nn.MaxPool2d(3, (2, 1), 1), largest(3, (2, 1), 1), words="padding"
    ),
    pooled(
        "max_pool2d",
        lambda: nn.MaxPool2d((2, 3), (2, 1), (1, 1), (3, 2)),
        largest((2, 3), (2, 1), 1, (3, 2)),
        words="dilation",
    ),
    pooled("max_pool2d", lambda: nn.MaxPool2d(2, ceil_mode=True), largest(2), words="ceil_mode"),
    pooled(
        "max_pool2d",
        lambda: nn.MaxPool2d(3, 2, 1, ceil_mode=True),
        largest(3, 2, 1),
        (2, 6, 8),
        "ceil_mode, padding",
    ),
    pooled(
        "max_pool2d",
        lambda: Net(lambda x: F.max_pool2d(x, 2, return_indices=True)[0]),
        largest(2),
        words="with indices",
    ),
    pooled(
        "max_pool2d",
        lambda: Net(lambda x: torch.max_pool2d(x, kernel_size=[2, 3], stride=[1, 2])),
        largest((2, 3), (1, 2)),
        words="of torch",
    ),
    pooled("max_pool1d", lambda: nn.MaxPool1d(3, 2, 1), largest(3, 2, 1, count=1), (3, 8)),
    pooled(
        "max_pool3d",
        lambda: nn.MaxPool3d((1, 2, 3), 2, (0, 1, 1)),
        largest((1, 2, 3), 2, (0, 1, 1), count=3),
        (2, 3, 4, 5),
    ),
    pooled("avg_pool2d", lambda: nn.AvgPool2d(2), averaged(2)),
    pooled("avg_pool2d", lambda: nn.AvgPool2d(3, 2, 1), averaged(3, 2, 1), words="padding"),
    pooled(
        "avg_pool2d",
        lambda: nn.AvgPool2d((3, 2), 1, (1, 0), count_include_pad=False),
        averaged((3, 2), 1, (1, 0), include=False),
        words="padding that does not count",
    ),
    pooled(
        "avg_pool2d",
        lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True),
        averaged(3, 2, 1),
        (2, 6, 8),
        "ceil_mode",
    ),
    pooled(
        "avg_pool2d",
        lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
        averaged(3, 2, 1, include=False),
        (2, 6, 8),
        "ceil_mode, padding that does not count",
    ),
    pooled(
        "avg_pool2d", lambda: nn.AvgPool2d(2, ceil_mode=True), averaged(2), words="ceil_mode alone"
    ),
    pooled(
        "avg_pool2d",
        lambda: nn.AvgPool2d((4, 5), 3, 2, ceil_mode=True),
        averaged((4, 5), 3, 2),
        (2, 6, 7),
        "ceil_mode, wide padding",
    ),
    pooled(
        "avg_pool2d",
        lambda: nn.AvgPool2d(2, divisor_override=3),
        averaged(2, override=3),
        words="divisor",
    ),
    pooled("avg_pool1d", lambda: nn.AvgPool1d(3, 2, 1), averaged(3, 2, 1, count=1), (3, 8)),
    pooled(
        "avg_pool1d",
        lambda: nn.AvgPool1d(3, 2, 1, ceil_mode=True, count_include_pad=False),
        averaged(3, 2, 1, include=False, count=1),
        (3, 8),
        "ceil_mode, padding that does not count",
    ),
    pooled(
        "avg_pool3d",
        lambda: nn.AvgPool3d(2, 1, 1, divisor_override=5),
        averaged(2, 1, 1, override=5, count=3),
        (2, 2, 3, 4),
    ),
    pooled("adaptive_avg_pool2d", lambda: nn.AdaptiveAvgPool2d(1), adaptive(reference.mean)),
    pooled(
        "adaptive_avg_pool2d",
        lambda: nn.AdaptiveAvgPool2d((3, 4)),
        adaptive(reference.mean),
        words="uneven",
    ),
    pooled(
        "adaptive_avg_pool2d",
        lambda: nn.AdaptiveAvgPool2d((7, None)),
        adaptive(reference.mean),
        words="larger than the map",
    ),
    pooled(
        "adaptive_avg_pool1d", lambda: nn.AdaptiveAvgPool1d(3), adaptive(reference.mean), (2, 7)
    ),
    pooled(
        "adaptive_avg_pool3d",
        lambda: nn.AdaptiveAvgPool3d((2, 2, 3)),
        adaptive(reference.mean),
        (2, 3, 4, 5),
    ),
    pooled("adaptive_max_pool2d", lambda: nn.AdaptiveMaxPool2d((3, 4)), adaptive(max)),
    pooled("adaptive_max_pool1d", lambda: nn.AdaptiveMaxPool1d(3), adaptive(max), (2, 7)),
    pooled("adaptive_max_pool3d", lambda: nn.AdaptiveMaxPool3d(2), adaptive(max), (2, 3, 4, 5)),
    pooled("mean", lambda: Net(lambda x: x.mean((2, 3))), over((2, 3), reference.mean)),
    pooled(
        "mean",
        lambda: Net(lambda x: x.mean(dim=(-1, 1), keepdim=True)),
        over((-1, 1), reference.mean, keep=True),
        words="keepdim",
    ),
    pooled("mean", lambda: Net(lambda x: x.mean()), over(EVERY, reference.mean), words="of all"),
    pooled(
        "mean",
        lambda: Net(lambda x: x.mean([2], keepdim=True)),
        over((2,), reference.mean),
        words="[]",
    ),
    pooled("sum", lambda: Net(lambda x: x.sum(1)), over((1,), math.fsum)),
    pooled("sum", lambda: Net(torch.sum), over(EVERY, math.fsum), words="of all"),
    pooled("amax", lambda: Net(lambda x: x.amax((2, 3))), over((2, 3), max)),
    pooled("amax", lambda: Net(lambda x: x.amax(-1, keepdim=True)), over((-1,), max), words="keep"),
    pooled("amin", lambda: Net(lambda x: torch.amin(x, (1, 2))), over((1, 2), min)),
    pooled("max", lambda: Net(lambda x: x.max()), over(EVERY, max), words="of all"),
    pooled("max", lambda: Net(lambda x: x.max(1).values), over((1,), max), words="along maps"),
    pooled("min", lambda: Net(lambda x: x.min(dim=2, keepdim=True)[0]), over((2,), min)),
    pooled("min", lambda: Net(lambda x: x.min()), over(EVERY, min), words="of all"),
    pooled("MinPool2d", lambda: MinPool2d(2), own_smallest),
    pooled(
        "MinPool2d",
        lambda: MinPool2d(3, stride=(2, 1), padding=1, dilation=(1, 2), ceil_mode=True),
        own_smallest,
        (2, 6, 8),
        "dilation, ceil_mode",
    ),
    pooled(
        "Subsampling2d",
        lambda: Subsampling2d(3, (2, 3)),
        lambda x, net, _y: slow.subsampling(
            torch.from_numpy(x), net.coefficient.double(), net.bias.double(), net.kernel_size
        ),
        (3, 5, 7),
    ),
]


def column(tensor, dims):
    return None if tensor is None else numbers(tensor).reshape(1, -1, *(1,) * (dims - 2))


def by_running_statistics(x, net, _y):
    mean, variance = (column(net.get_buffer(f"running_{n}"), x.ndim) for n in ("mean", "var"))
    gain, shift = (column(getattr(net, name), x.ndim) for name in ("weight", "bias"))
    y = (x - mean) / np.sqrt(variance + net.eps)
    return y if gain is None else y * gain + shift


def by_own_statistics(alike):
    def expected(x, net, _y):
        gain, shift = (getattr(net, name, None) for name in ("weight", "bias"))
        return reference.standardised(
            x,
            lambda place: alike(place, net),
            eps=net.eps,
            weight=column(gain, x.ndim),
            bias=column(shift, x.ndim),
        )

    return expected


def over_last(x, net, _y):
    wide = len(net.normalized_shape)
    return reference.standardised(
        x,
        lambda place: place[:-wide],
        eps=net.eps,
        weight=numbers(net.weight),
        bias=numbers(net.bias),
    )


def normed(kind, build, expected, image=(4, 5, 6), words=""):
    return Case(kind, build, "sum", expected, image, words)


def group_of(place, net):
    return place[1] // (net.num_channels // net.num_groups)


own_map = by_own_statistics(lambda place, _net: place[1])


def paper_norm(x, net, _y):
    letters = {name: getattr(net, name) for name in ("n", "k", "alpha", "beta", "groups")}
    return slow.response_norm(torch.from_numpy(x), **letters)


def torch_norm(x, net, _y):
    letters = {name: getattr(net, name) for name in ("size", "alpha", "beta", "k")}
    return reference.response_norm(x, **letters)


def shared_out(dim, *, logarithm=False, scale=1.0):
    return lambda x, _net, _y: reference.softmax(x * scale, dim, logarithm=logarithm)


NORMALISATION = [
    normed("batch_norm", lambda: nn.BatchNorm2d(4).eval(), by_running_statistics, words="eval"),
    normed("batch_norm", lambda: nn.BatchNorm2d(4, eps=0.5), own_map, words="training"),
    normed(
        "batch_norm",
        lambda: nn.BatchNorm2d(4, affine=False).eval(),
        by_running_statistics,
        words="not affine",
    ),
    normed(
        "batch_norm",
        lambda: nn.BatchNorm2d(4, track_running_stats=False).eval(),
        own_map,
        words="no running statistics",
    ),
    normed("batch_norm", lambda: nn.BatchNorm1d(4).eval(), by_running_statistics, (4,), "1d"),
    normed("batch_norm", lambda: nn.BatchNorm1d(4), own_map, (4, 7), "1d, training"),
    normed("batch_norm", lambda: nn.BatchNorm3d(2), own_map, (2, 2, 3, 4), "3d, training"),
    normed("instance_norm", lambda: nn.InstanceNorm2d(4), own_map),
    normed("instance_norm", lambda: nn.InstanceNorm2d(4, affine=True), own_map, words="affine"),
    normed(
        "instance_norm",
        lambda: nn.InstanceNorm2d(4, track_running_stats=True),
        own_map,
        words="running, training",
    ),
    normed(
        "instance_norm",
        lambda: nn.InstanceNorm2d(4, track_running_stats=True, affine=True).eval(),
        by_running_statistics,
        words="running, eval",
    ),
    normed("instance_norm", lambda: nn.InstanceNorm1d(3), own_map, (3, 7), "1d"),
    normed("group_norm", lambda: nn.GroupNorm(2, 4), by_own_statistics(group_of)),
    normed(
        "group_norm",
        lambda: nn.GroupNorm(4, 4, affine=False, eps=0.1),
        by_own_statistics(group_of),
        words="not affine",
    ),
    normed("group_norm", lambda: nn.GroupNorm(3, 6), by_own_statistics(group_of), (6,), "of units"),
    normed("layer_norm", lambda: nn.LayerNorm(6), over_last),
    normed("layer_norm", lambda: nn.LayerNorm((4, 5, 6), bias=False), over_last, words="three"),
    normed(
        "layer_norm",
        lambda: nn.LayerNorm((7, 6), elementwise_affine=False),
        over_last,
        (7, 6),
        "not affine",
    ),
    *(
        Case(
            "local_response_norm",
            lambda size=size: nn.LocalResponseNorm(size, 0.5, 0.6, 2.0),
            "function",
            torch_norm,
            (6, 3, 2),
            f"over {size}",
        )
        for size in (1, 2, 3, 4, 5)
    ),
    *(
        Case(
            "LocalResponseNorm",
            lambda groups=groups: LocalResponseNorm(n=3, alpha=0.1, groups=groups),
            "function",
            paper_norm,
            (6, 3, 2),
            f"groups={groups}",
        )
        for groups in (1, 2, 3)
    ),
    Case("softmax", lambda: nn.Softmax(dim=1), "function", shared_out(1)),
    Case("softmax", lambda: Net(lambda x: x.softmax(-1)), "function", shared_out(3), words="-1"),
    Case("softmax", lambda: Net(lambda x: torch.softmax(x, 2)), "function", shared_out(2)),
    Case("softmax", lambda: nn.Softmax(1), "function", shared_out(1), (7,), "of logits"),
    Case(
        "softmax",
        lambda: Net(lambda x: F.softmax(x * 128, 1)),
        "function",
        shared_out(1, scale=128),
        (7,),
        "large",
    ),
    Case(
        "log_softmax",
        lambda: nn.LogSoftmax(dim=1),
        "function",
        shared_out(1, logarithm=True),
    ),
    Case(
        "log_softmax",
        lambda: Net(lambda x: torch.log_softmax(x * 128, -1)),
        "function",
        shared_out(1, logarithm=True, scale=128),
        (7,),
        "large",
    ),
]


def elementwise(of):
    return lambda x, _net, _y: np.vectorize(of, otypes=[float])(x)


def curved(kind, of, *settings, formula=None):
    chosen = reference.CURVES[formula or kind]
    build = of if isinstance(of, type) else lambda: Net(of)
    return Case(
        kind,
        build,
        "function",
        elementwise(lambda x: chosen(x, *settings)),
        words=", ".join(map(str, (formula or "", *settings))).strip(", "),
    )


ANYWHERE = [
    curved("relu", nn.ReLU),
    curved("relu", torch.relu),
    curved("relu", lambda x: x.clone().relu_()),
    curved("relu", lambda x: F.relu(x, inplace=True)),
    curved("relu6", F.relu6),
    curved("hardtanh", nn.Hardtanh),
    curved("hardtanh", lambda x: F.hardtanh(x, -0.5, 0.25), -0.5, 0.25),
    curved("clamp", lambda x: x.clamp(-0.5, 0.75), -0.5, 0.75),
    curved("clamp", lambda x: x.clamp(min=-0.5), -0.5),
    curved("clamp", lambda x: torch.clip(x, max=0.5), -math.inf, 0.5),
    curved("threshold", lambda x: F.threshold(x, 0.25, -3.0), 0.25, -3.0),
    curved("threshold", nn.Threshold(-0.5, 20), -0.5, 20),
    curved("leaky_relu", nn.LeakyReLU),
    curved("leaky_relu", lambda x: F.leaky_relu(x, 0.25), 0.25),
    curved("elu", nn.ELU),
    curved("elu", lambda x: F.elu(x, 1.5), 1.5),
    curved("celu", nn.CELU),
    curved("celu", lambda x: F.celu(x, alpha=0.5), 0.5),
    curved("celu", lambda x: torch.celu(x, 2.5), 2.5),
    curved("selu", nn.SELU),
    curved("gelu", nn.GELU),
    curved("gelu", lambda x: F.gelu(x, approximate="tanh"), formula="gelu_tanh"),
    curved("silu", nn.SiLU),
    curved("mish", nn.Mish),
    curved("hardswish", nn.Hardswish),
    curved("hardsigmoid", nn.Hardsigmoid),
    curved("tanh", nn.Tanh),
    curved("tanh", torch.tanh),
    curved("sigmoid", nn.Sigmoid),
    curved("sigmoid", lambda x: x.sigmoid()),
    curved("logsigmoid", nn.LogSigmoid),
    curved("softplus", nn.Softplus),
    curved("softplus", lambda x: F.softplus(x, 2.0), 2.0),
    curved("softplus", lambda x: F.softplus(x, beta=0.5, threshold=60), 0.5),
    curved("softsign", nn.Softsign),
    curved("tanhshrink", nn.Tanhshrink),
    curved("hardshrink", nn.Hardshrink),
    curved("hardshrink", lambda x: F.hardshrink(x, 0.25), 0.25),
    curved("softshrink", nn.Softshrink),
    curved("softshrink", lambda x: F.softshrink(x, 0.25), 0.25),
    curved("exp", torch.exp),
    curved("abs", abs),
    curved("abs", lambda x: x.abs_()),
    curved("square", torch.square),
    curved("erf", torch.erf),
    curved("sin", torch.sin),
    curved("cos", torch.cos),
]


def positive(kind, of):
    """A function of what is 0.01 or more."""
    chosen = reference.CURVES[kind]
    return Case(
        kind,
        lambda: Net(lambda x: of(x.abs().clamp(min=2**-7))),
        "function",
        elementwise(lambda x: chosen(max(abs(x), 2**-7))),
        words="of positive numbers",
    )


ACTIVATIONS = [
    *ANYWHERE,
    positive("log", torch.log),
    positive("log1p", torch.log1p),
    positive("sqrt", torch.sqrt),
    positive("rsqrt", torch.rsqrt),
    positive("reciprocal", torch.reciprocal),
    Case(
        "ScaledTanh",
        lambda: ScaledTanh(amplitude=1.5, slope=0.5),
        "function",
        elementwise(lambda x: 1.5 * math.tanh(x / 2)),
    ),
    Case(
        "prelu",
        lambda: nn.PReLU(3),
        "function",
        lambda x, net, _y: np.where(x > 0, x, x * column(net.weight, 4)),
        words="per map",
    ),
    Case(
        "prelu",
        nn.PReLU,
        "function",
        lambda x, net, _y: np.where(x > 0, x, x * net.weight.item()),
        words="one slope",
    ),
    Case(
        "prelu",
        lambda: nn.PReLU(5),
        "function",
        lambda x, net, _y: np.where(x > 0, x, x * numbers(net.weight)),
        (5,),
        "of units",
    ),
    Case("pow", lambda: Net(lambda x: x**2), "function", elementwise(lambda x: x * x)),
    Case("pow", lambda: Net(lambda x: x.pow(3)), "function", elementwise(lambda x: x * x * x)),
    Case(
        "pow",
        lambda: Net(lambda x: torch.pow(x.abs(), 0.75)),
        "function",
        elementwise(lambda x: math.sqrt(abs(x)) * math.sqrt(math.sqrt(abs(x)))),
        words="a fraction",
    ),
    Case("pow", lambda: Net(lambda x: x**-2), "function", elementwise(lambda x: 1 / x / x)),
]


def plain(kind, of, expected, made="sum", words="", **shapes):
    return Case(
        kind,
        lambda: Net(of, **{n: some(*s, seed=k) for k, (n, s) in enumerate(shapes.items())}),
        made,
        lambda x, net, _y: expected(x, *map(numbers, net.parameters())),
        words=words,
    )


def left_out_or(factor):
    return lambda x, _net, y: np.where(y == 0, 0.0, x * factor)


def three_columns(only=None):
    sampler = DropPathSampler(3)
    sampler.only = only
    sampler.draw(training=False)
    return FractalJoin((1, 2, 3), sampler)


ARITHMETIC = [
    plain("add", lambda x, z: x + z, lambda x, z: x + z, z=(1, 3, 5, 6)),
    plain("add", lambda x, z: z + x, lambda x, z: x + z, words="one for each map", z=(3, 1, 1)),
    plain("add", lambda x, z: x + z, lambda x, z: x + z, words="a larger one", z=(2, 1, 3, 1, 6)),
    plain("add", lambda x, z: x + z, lambda x, z: x + z, words="one number", z=()),
    plain("add", lambda x: x + 0.5, lambda x: x + 0.5, words="a number"),
    plain("add", lambda x: 2 + x, lambda x: 2 + x, words="a number first"),
    plain("add", lambda x: x + x, lambda x: 2 * x, words="itself"),
    plain("add", lambda x: x.add_(1.5), lambda x: x + 1.5, words="in place"),
    plain(
        "add",
        lambda x, z: torch.add(x, z, alpha=-2.5),
        lambda x, z: x - 2.5 * z,
        words="alpha",
        z=(6,),
    ),
    plain("add", lambda x: x.add(2, alpha=3), lambda x: x + 6, words="alpha times a number"),
    plain("sub", lambda x, z: x - z, lambda x, z: x - z, z=(5, 1)),
    plain("sub", lambda x, z: z - x, lambda x, z: z - x, words="from weights", z=(5, 1)),
    plain("sub", lambda x: x - 0.25, lambda x: x - 0.25, words="a number"),
    plain(
        "sub", lambda x, z: x.sub(z, alpha=3), lambda x, z: x - 3 * z, words="alpha", z=(1, 3, 1, 1)
    ),
    plain("rsub", lambda x: 1 - x, lambda x: 1 - x),
    plain(
        "rsub",
        lambda x, z: torch.rsub(x, z, alpha=3),
        lambda x, z: z - 3 * x,
        words="alpha",
        z=(6,),
    ),
    plain("mul", lambda x, z: x * z, lambda x, z: x * z, z=(3, 1, 1)),
    plain("mul", lambda x, z: z * x, lambda x, z: x * z, words="weights first", z=(1, 3, 5, 1)),
    plain("mul", lambda x: x * 0.75, lambda x: x * 0.75, words="a number"),
    plain("mul", lambda x: 3 * x, lambda x: x * 3, words="a number first"),
    plain("mul", lambda x: x * x, lambda x: x * x, words="itself"),
    plain(
        "mul",
        lambda x: x * x.amax((2, 3), keepdim=True),
        lambda x: x * x.max((2, 3), keepdims=True),
    ),
    plain("div", lambda x: x / 3, lambda x: x / 3, words="by a number"),
    plain("div", lambda x, z: x / z, lambda x, z: x / z, "function", z=(5, 1)),
    plain("rdiv", lambda x: 2 / x, lambda x: 2 / x, "function"),
    plain("neg", lambda x: -x, lambda x: -x),
    plain(
        "addcmul",
        lambda x, a, b: torch.addcmul(a, x, b, value=0.5),
        lambda x, a, b: a + 0.5 * x * b,
        a=(3, 1, 1),
        b=(5, 1),
    ),
    plain("gt", lambda x, z: x.gt(z), lambda x, z: x > z, "function", z=(5, 1)),
    plain("ge", lambda x: x >= 0.25, lambda x: x >= 0.25, "function"),
    plain("lt", lambda x: x < 0.25, lambda x: x < 0.25, "function"),
    plain("le", lambda x, z: x.le(z), lambda x, z: x <= z, "function", z=(6,)),
    plain("eq", lambda x: x == x.flip(3), lambda x: x == x[..., ::-1], "function"),
    plain("ne", lambda x: x != x.flip(2), lambda x: x != x[:, :, ::-1], "function"),
    plain("norm", lambda x: x.norm(), lambda x: math.sqrt((x * x).sum()), "function"),
    plain(
        "norm",
        lambda x: x.norm(p=2, dim=(2, 3), keepdim=True),
        lambda x: np.sqrt((x * x).sum((2, 3), keepdims=True)),
        "function",
        "of maps",
    ),
    plain(
        "normalize",
        F.normalize,
        lambda x: x / np.sqrt((x * x).sum(1, keepdims=True)),
        "function",
    ),
    plain(
        "normalize",
        lambda x: F.normalize(x, dim=-1, eps=100.0),
        lambda x: x / 100,
        "function",
        "that is short",
    ),
    plain("maximum", torch.maximum, np.maximum, "maximum", other=(5, 1)),
    plain("minimum", torch.minimum, np.minimum, "minimum", other=(6,)),
    plain("max", torch.max, np.maximum, "maximum", "of two tensors", z=(5, 1)),
    plain("min", torch.min, np.minimum, "minimum", "of two tensors", z=(3, 1, 1)),
    plain(
        "where",
        lambda x, z: torch.where(x > 0, x, z),
        lambda x, z: np.where(x > 0, x, z),
        "copy",
        z=(3, 1, 1),
    ),
    plain(
        "where",
        lambda x: torch.where(x[:, :1] > 0, 0.5, x),
        lambda x: np.where(x[:, :1] > 0, 0.5, x),
        "copy",
        words="a number, and a mask of one map",
    ),
    plain(
        "where",
        lambda x: torch.where(x > 0, x, 0.1),
        lambda x: np.where(x > 0, x, float(np.float32(0.1))),
        "copy",
        words="a number that float32 rounds",
    ),
    plain(
        "where",
        lambda x, z: x.where(z > 0, z),
        lambda x, z: np.where(z > 0, x, z),
        "copy",
        words="as a method",
        z=(5, 6),
    ),
    *(
        Case(kind, lambda of=of: Net(lambda x: of(x, 0.5, training=False)), "copy", kept_as_it_is)
        for kind, of in (("dropout", F.dropout), ("dropout2d", F.dropout2d))
        for kept_as_it_is in [lambda x, _net, _y: x]
    ),
    Case("dropout", lambda: nn.Dropout(0.75), "sum", left_out_or(4.0), words="training"),
    Case("dropout", lambda: nn.Dropout(1.0), "sum", left_out_or(0.0), words="of all"),
    Case("dropout", lambda: nn.Dropout(0.0), "copy", lambda x, _net, _y: x, words="of none"),
    Case("dropout2d", lambda: nn.Dropout2d(0.25), "sum", left_out_or(4 / 3), words="training"),
    Case("dropout1d", lambda: nn.Dropout1d(0.5), "sum", left_out_or(2.0), (6, 4)),
    Case("dropout3d", lambda: nn.Dropout3d(0.5), "sum", left_out_or(2.0), (4, 2, 3, 2)),
    Case(
        "feature_dropout",
        lambda: Net(lambda x: torch.feature_dropout(x, 0.5, train=True)),
        "sum",
        left_out_or(2.0),
        (6, 2, 3),
    ),
    Case("DropPath", lambda: DropPath(0.25).eval(), "sum", lambda x, _net, _y: 0.75 * x),
    Case(
        "DropPath",
        lambda: DropPath(0.25, rescale=True).eval(),
        "copy",
        lambda x, _net, _y: x,
        words="rescaled",
    ),
    *(
        Case(
            "DropPath",
            lambda per=per, rescale=rescale: DropPath(0.5, per=per, rescale=rescale),
            "sum",
            lambda x, net, y: x * (y.any() * (2.0 if net.rescale else 1.0)),
            words=f"training, per {per}, rescale={rescale}",
        )
        for per in ("batch", "sample")
        for rescale in (False, True)
    ),
    Case(
        "FractalJoin",
        lambda: Columns(three_columns().eval()),
        "sum",
        lambda x, _net, _y: (x + 2 * x + np.maximum(x, 0)) / 3,
    ),
    Case(
        "FractalJoin",
        lambda: Columns(three_columns(only=2)),
        "sum",
        lambda x, _net, _y: 2 * x,
        words="one column",
    ),
]


class Columns(nn.Module):
    """Three columns and their join."""

    def __init__(self, join: nn.Module) -> None:
        super().__init__()
        self.join = join

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.join([x + 0, 2 * x, x.relu()])


def move(kind, of, expected, image=(4, 3, 6), words="", **tensors):
    return Case(
        kind,
        lambda: Net(of, **tensors),
        "copy",
        lambda x, net, _y: expected(x, *(numbers(getattr(net, name)) for name in net.words)),
        image,
        words,
    )


def written(shape, writes):
    """An array with numbers put in place."""

    def expected(x, *others):
        y = x.copy() if shape is None else np.zeros(shape)
        writes(y, x, *others)
        return y

    return expected


def put(place, value):
    def write(y, *_):
        y[place] = value

    return written(None, write)


def assigned(place, value):
    def of(x):
        x = x.clone()
        x[place] = value
        return x

    return of


def shuffled(x, groups):
    n, c, h, w = x.shape
    return x.reshape(n, groups, c // groups, h, w).swapaxes(1, 2).reshape(x.shape)


def depth_to_space(x, r):
    n, c, h, w = x.shape
    y = np.empty((n, c // r**2, h * r, w * r))
    for c_, i, j in itertools.product(*map(range, y.shape[1:])):
        y[0, c_, i, j] = x[0, c_ * r**2 + i % r * r + j % r, i // r, j // r]
    return y


def space_to_depth(x, r):
    n, c, h, w = x.shape
    y = np.empty((n, c * r**2, h // r, w // r))
    for c_, i, j in itertools.product(*map(range, x.shape[1:])):
        y[0, c_ * r**2 + i % r * r + j % r, i // r, j // r] = x[0, c_, i, j]
    return y


def patches(x, size, pad):
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(padded[0], (size, size), (1, 2))
    c, rows, cols = windows.shape[:3]
    return windows.transpose(0, 3, 4, 1, 2).reshape(1, c * size * size, rows * cols)


ORDER = torch.tensor([2, 0, 2])
CHOICE = torch.tensor([[[[0, 5, 5], [1, 2, 3], [4, 4, 0]]]]).expand(1, 4, 3, 3)
MASK = torch.arange(18).reshape(3, 6) % 4 == 0


def where_mask(value):
    return lambda x, mask: np.where(mask.astype(bool), value, x)


MOVES = [
    move("flatten", lambda x: x.flatten(1), lambda x: x.reshape(1, -1)),
    move("flatten", nn.Flatten(2, 3), lambda x: x.reshape(1, 4, -1), words="two"),
    move("view", lambda x: x.view(1, -1, 2), lambda x: x.reshape(1, -1, 2)),
    move(
        "reshape",
        lambda x: x.transpose(1, 3).reshape(3, -1),
        lambda x: x.swapaxes(1, 3).reshape(3, -1),
    ),
    move("unflatten", lambda x: x.unflatten(1, (2, 2)), lambda x: x.reshape(1, 2, 2, 3, 6)),
    move("squeeze", lambda x: x.squeeze(), lambda x: x[0]),
    move("squeeze", lambda x: x.squeeze(1), lambda x: x[:, 0], (1, 3, 4), "one of one map"),
    move("unsqueeze", lambda x: x.unsqueeze(2), lambda x: x[:, :, None]),
    move("ravel", lambda x: x.ravel(), lambda x: x.ravel()),
    move("view_as", lambda x, z: x.view_as(z), lambda x, _: x.reshape(6, 12), z=some(6, 12)),
    move("reshape_as", lambda x, z: x.reshape_as(z), lambda x, _: x.reshape(6, 12), z=some(6, 12)),
    move(
        "expand_as",
        lambda x, z: x[:, :1].expand_as(z),
        lambda x, _: np.tile(x[:, :1], (1, 5, 1, 1)),
        z=some(1, 5, 3, 6),
    ),
    move("permute", lambda x: x.permute(0, 2, 3, 1), lambda x: x.transpose(0, 2, 3, 1)),
    move(
        "permute",
        lambda x: torch.permute(x, (3, 0, 1, 2)),
        lambda x: x.transpose(3, 0, 1, 2),
        words="()",
    ),
    move("transpose", lambda x: x.transpose(1, 2), lambda x: x.swapaxes(1, 2)),
    move("transpose", lambda x: x.swapaxes(-1, 1), lambda x: x.swapaxes(-1, 1), words="swapaxes"),
    move("movedim", lambda x: x.movedim(1, 3), lambda x: np.moveaxis(x, 1, 3)),
    move("moveaxis", lambda x: x.moveaxis(3, 1), lambda x: np.moveaxis(x, 3, 1)),
    move("T", lambda x: x[0, 0].T, lambda x: x[0, 0].T),
    move("mT", lambda x: x.mT, lambda x: x.swapaxes(2, 3)),
    move("t", lambda x: x[0, 1].t(), lambda x: x[0, 1].T),
    move("contiguous", lambda x: x.mT.contiguous(), lambda x: x.swapaxes(2, 3)),
    move("clone", lambda x: x.clone(), lambda x: x),
    move("detach", lambda x: x.detach(), lambda x: x),
    move("data", lambda x: x.data, lambda x: x),
    move("alias", torch.ops.aten.alias, lambda x: x),
    move("requires_grad", lambda x: x.requires_grad_(), lambda x: x),
    move("positive", torch.positive, lambda x: x),
    move(
        "expand", lambda x: x[:, :, :1].expand(-1, -1, 4, 6), lambda x: np.repeat(x[:, :, :1], 4, 2)
    ),
    move(
        "broadcast_to",
        lambda x: x[0, 0].broadcast_to(2, 3, 6),
        lambda x: np.broadcast_to(x[0, 0], (2, 3, 6)),
    ),
    move("repeat", lambda x: x.repeat(1, 2, 1, 3), lambda x: np.tile(x, (1, 2, 1, 3))),
    move("tile", lambda x: x.tile(2, 2), lambda x: np.tile(x, (2, 2))),
    move("repeat_interleave", lambda x: x.repeat_interleave(2, 1), lambda x: np.repeat(x, 2, 1)),
    move(
        "repeat_interleave",
        lambda x, n: x.repeat_interleave(n, 2),
        lambda x, n: np.repeat(x, n.astype(int), 2),
        words="each its own",
        n=torch.tensor([2, 0, 3]),
    ),
    move("getitem", lambda x: x[:, 1:, ::2, -4:], lambda x: x[:, 1:, ::2, -4:], words="slices"),
    move("getitem", lambda x: x[0, -1], lambda x: x[0, -1], words="numbers"),
    move("getitem", lambda x: x[..., None, 2], lambda x: x[..., None, 2], words="None"),
    move(
        "getitem",
        lambda x, m: x[:, :, m],
        lambda x, m: x[:, :, m.astype(bool)],
        words="mask",
        m=MASK,
    ),
    move(
        "getitem",
        lambda x, n: x[:, n, 1:, n],
        lambda x, n: x[:, n.astype(int), 1:, n.astype(int)],
        words="indices",
        n=ORDER,
    ),
    move("getitem", lambda x: x[:, [3, 0]], lambda x: x[:, [3, 0]], words="a list"),
    move(
        "setitem",
        assigned((slice(None), 0), 0.1),
        put((slice(None), 0), float(np.float32(0.1))),
        words="a number",
    ),
    move("setitem", assigned((Ellipsis, 0), 0), put((Ellipsis, 0), 0.0), words="zero"),
    move("setitem", assigned((Ellipsis, 0), -1), put((Ellipsis, 0), -1.0), words="minus one"),
    move(
        "setitem",
        assigned((0, slice(1, 3)), some(3, 6)),
        put((0, slice(1, 3)), some(3, 6).double().numpy()),
        words="a tensor",
    ),
    move(
        "setitem",
        assigned(MASK.expand(1, 4, 3, 6), 5.0),
        put(MASK.expand(1, 4, 3, 6).numpy(), 5.0),
        words="under a mask",
    ),
    move("chunk", lambda x: x.chunk(2, 1)[1], lambda x: x[:, 2:], words="second"),
    move("chunk", lambda x: torch.chunk(x, 4, dim=3)[2], lambda x: x[..., 4:], words="last"),
    move("split", lambda x: x.split(3, 1)[1], lambda x: x[:, 3:], words="what is left"),
    move("split", lambda x: torch.split(x, [1, 2, 1], 1)[1], lambda x: x[:, 1:3], words="sizes"),
    move("tensor_split", lambda x: x.tensor_split(3, 1)[2], lambda x: x[:, 3:]),
    move("unbind", lambda x: x.unbind(2)[1], lambda x: x[:, :, 1]),
    move("narrow", lambda x: x.narrow(3, 2, 3), lambda x: x[..., 2:5]),
    move("select", lambda x: x.select(2, 1), lambda x: x[:, :, 1]),
    move(
        "index_select", lambda x, n: x.index_select(1, n), lambda x, n: x[:, n.astype(int)], n=ORDER
    ),
    move(
        "gather",
        lambda x, n: x.gather(3, n),
        lambda x, n: np.take_along_axis(x, n.astype(int), 3),
        n=CHOICE,
    ),
    move(
        "take_along_dim",
        lambda x, n: x.take_along_dim(n, 3),
        lambda x, n: np.take_along_axis(x, n.astype(int), 3),
        n=CHOICE,
    ),
    *(
        move(
            "cat",
            lambda x, z, dim=dim: torch.cat([x, z, x], dim),
            lambda x, z, dim=dim: np.concatenate([x, z, x], dim),
            words=f"along {dim}",
            z=some(1, 4, 3, 6),
        )
        for dim in (0, 1, 2, -1)
    ),
    move(
        "cat",
        lambda x: torch.concat((x[:, :1], x[:, 2:]), dim=1),
        lambda x: x[:, [0, 2, 3]],
        words="concat",
    ),
    move(
        "stack",
        lambda x, z: torch.stack([z, x], 1),
        lambda x, z: np.stack([z, x], 1),
        z=some(1, 4, 3, 6),
    ),
    move(
        "hstack",
        lambda x, z: torch.hstack([z, x]),
        lambda x, z: np.hstack([z, x]),
        z=some(1, 2, 3, 6),
    ),
    move(
        "vstack",
        lambda x, z: torch.vstack([z, x]),
        lambda x, z: np.vstack([z, x]),
        z=some(2, 4, 3, 6),
    ),
    move(
        "pad",
        lambda x: F.pad(x, (1, 2, 0, 1)),
        lambda x: np.pad(x, ((0, 0), (0, 0), (0, 1), (1, 2))),
    ),
    move(
        "pad",
        lambda x: F.pad(x, (1, 2), value=0.1),
        lambda x: np.pad(
            x, ((0, 0), (0, 0), (0, 0), (1, 2)), constant_values=float(np.float32(0.1))
        ),
        words="0.1",
    ),
    move(
        "pad",
        lambda x: F.pad(x, (1, 2), "constant", -1.0),
        lambda x: np.pad(x, ((0, 0), (0, 0), (0, 0), (1, 2)), constant_values=-1),
        words="minus one",
    ),
    move(
        "pad",
        nn.ConstantPad2d((0, 1, 2, 0), math.inf),
        lambda x: np.pad(x, ((0, 0), (0, 0), (2, 0), (0, 1)), constant_values=math.inf),
        words="infinity",
    ),
    move(
        "pad",
        nn.ReflectionPad2d((1, 2, 2, 0)),
        lambda x: np.pad(x, ((0, 0), (0, 0), (2, 0), (1, 2)), "reflect"),
        words="reflect",
    ),
    move(
        "pad",
        nn.ReplicationPad2d(2),
        lambda x: np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)), "edge"),
        words="replicate",
    ),
    move(
        "pad",
        lambda x: F.pad(x, (3, 1, 1, 2), mode="circular"),
        lambda x: np.pad(x, ((0, 0), (0, 0), (1, 2), (3, 1)), "wrap"),
        words="circular",
    ),
    move(
        "pad",
        lambda x: F.pad(x, (-1, -2, 1, -1)),
        lambda x: np.pad(x[:, :, :-1, 1:-2], ((0, 0), (0, 0), (1, 0), (0, 0))),
        words="cut",
    ),
    move("roll", lambda x: x.roll((1, -2), (1, 3)), lambda x: np.roll(x, (1, -2), (1, 3))),
    move("flip", lambda x: x.flip(3), lambda x: x[..., ::-1]),
    move("flip", lambda x: torch.flip(x, (1, 2)), lambda x: x[:, ::-1, ::-1], words="two"),
    move("fliplr", lambda x: x.fliplr(), lambda x: x[:, ::-1]),
    move("flipud", lambda x: x[0].flipud(), lambda x: x[0, ::-1]),
    move("rot90", lambda x: x.rot90(1, (2, 3)), lambda x: np.rot90(x, 1, (2, 3))),
    move("pixel_shuffle", nn.PixelShuffle(2), lambda x: depth_to_space(x, 2), (8, 3, 2)),
    move("pixel_unshuffle", nn.PixelUnshuffle(2), lambda x: space_to_depth(x, 2), (2, 4, 6)),
    move("channel_shuffle", nn.ChannelShuffle(2), lambda x: shuffled(x, 2), (6, 2, 3)),
    move(
        "native_channel_shuffle",
        lambda x: torch.native_channel_shuffle(x, 3),
        lambda x: shuffled(x, 3),
        (6, 2, 3),
    ),
    move("unfold", nn.Unfold(2, padding=1), lambda x: patches(x, 2, 1), words="patches"),
    move(
        "unfold",
        lambda x: x.unfold(3, 3, 2),
        lambda x: np.lib.stride_tricks.sliding_window_view(x, 3, 3)[:, :, :, ::2],
        words="of a tensor",
    ),
    move(
        "masked_fill",
        lambda x, m: x.masked_fill(m, -math.inf),
        where_mask(-math.inf),
        words="-inf",
        m=MASK,
    ),
    move(
        "masked_fill",
        lambda x, m: x.masked_fill_(m, 0.1),
        where_mask(float(np.float32(0.1))),
        words="0.1, in place",
        m=MASK,
    ),
    move(
        "masked_fill",
        lambda x, m: x.masked_fill(mask=m, value=2),
        where_mask(2.0),
        words="by name",
        m=MASK,
    ),
    move(
        "masked_fill",
        torch.masked_fill,
        lambda x, m, z: np.where(m.astype(bool), z, x),
        words="a tensor",
        m=MASK,
        z=some(),
    ),
    move(
        "copy",
        lambda x, z: z.clone().copy_(x[:, 0]),
        lambda x, _: np.broadcast_to(x[:, 0], (2, 3, 6)),
        z=some(2, 3, 6),
    ),
    move("diagonal", lambda x: x.diagonal(1, 2, 3), lambda x: x.diagonal(1, 2, 3)),
    move("tril", lambda x: x.tril(1), lambda x: np.tril(x, 1)),
    move("triu", torch.triu, np.triu),
]


def as_bfloat16(x):
    """Rounded to the nearest of the numbers whose last 16 bits are zero, ties to even."""
    bits = x.astype(np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16 << 16).astype(np.uint32).view(np.float32)


def cast(kind, of, expected=lambda x: x, made="function", words=""):
    return Case(kind, lambda: Net(of), made, lambda x, _net, _y: expected(x), words=words)


NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
CASTS = [
    cast("to", lambda x: x.to(torch.float64)),
    cast("to", lambda x: x.to(torch.float16), lambda x: x.astype(np.float16), words="half"),
    cast("to", lambda x: x.to(dtype=torch.bfloat16), as_bfloat16, words="bfloat16"),
    cast("to", lambda x: (4 * x).to(torch.int64), lambda x: np.trunc(4 * x), words="whole numbers"),
    cast("to", lambda x: x.to("cpu"), made="copy", words="where it is"),
    cast("float", lambda x: x.float(), made="copy"),
    cast("float", lambda x: x.half().float(), lambda x: x.astype(np.float16), words="from half"),
    cast("double", lambda x: x.double()),
    cast("half", lambda x: x.half(), lambda x: x.astype(np.float16)),
    cast("bfloat16", lambda x: x.bfloat16(), as_bfloat16),
    cast("type", lambda x: x.type(torch.float64)),
    cast(
        "type_as",
        lambda x: x.type_as(torch.zeros(1, dtype=torch.float16)),
        lambda x: x.astype(np.float16),
    ),
    cast("cpu", lambda x: x.cpu(), made="copy"),
    cast("cuda", lambda x: x.cuda(), made="copy"),
]


def scaled_up(build, mode, *, corners=False, words=""):
    return Case(
        "interpolate",
        build,
        "sum",
        lambda x, _net, y: reference.resized(x, y.shape, mode, corners=corners),
        (2, 4, 5),
        words or mode,
    )


GRID = torch.stack([some(4, 3, seed=3).tanh() * 1.3, some(4, 3, seed=4).tanh() * 1.3], -1)[None]
LINEAR = [
    scaled_up(lambda: nn.Upsample(scale_factor=2), "nearest"),
    scaled_up(lambda: nn.Upsample(size=(7, 3)), "nearest", words="nearest, to a size"),
    scaled_up(lambda: nn.Upsample((7, 8), mode="bilinear"), "bilinear"),
    scaled_up(
        lambda: nn.Upsample((7, 3), mode="bilinear", align_corners=True),
        "bilinear",
        corners=True,
        words="corners",
    ),
    scaled_up(lambda: nn.Upsample((7, 8), mode="bicubic"), "bicubic"),
    product(
        "einsum",
        lambda x, w: torch.einsum("nchw,oc->nohw", x, w),
        lambda x, w, shape: reference.matrix_product(
            w, x.reshape(1, x.shape[1], -1), (1, len(w), x[0, 0].size)
        ).reshape(shape),
        (3, 4, 5),
        w=(2, 3),
    ),
    product(
        "einsum",
        lambda x, w: torch.einsum("oc,nchw->no", w, x),
        lambda x, w, shape: np.array(
            [[math.fsum((w[o][:, None, None] * x[0]).ravel()) for o in range(len(w))]]
        ).reshape(shape),
        (3, 4, 5),
        words="weights first",
        w=(2, 3),
    ),
    Case(
        "grid_sample",
        lambda: Net(lambda x, grid: F.grid_sample(x, grid, align_corners=False), grid=GRID),
        "sum",
        lambda x, net, _y: reference.sampled(x, numbers(net.grid)),
        (2, 4, 5),
    ),
    product(
        "scaled_dot_product_attention",
        F.scaled_dot_product_attention,
        lambda x, k, v, shape: reference.attention(x, k, v).reshape(shape),
        (2, 4, 6),
        k=(1, 2, 5, 6),
        v=(1, 2, 5, 3),
    ),
    product(
        "scaled_dot_product_attention",
        lambda x: F.scaled_dot_product_attention(x, 2 * x, x / 2, is_causal=True),
        lambda x, shape: reference.attention(x, 2 * x, x / 2, causal=True).reshape(shape),
        (2, 4, 6),
        words="causal",
    ),
    product(
        "fold",
        lambda x: F.fold(x, (4, 5), 2),
        lambda x, shape: reference.folded(x, shape, kernel=(2, 2)),
        (8, 12),
    ),
]


def through(write):
    def of(x):
        x = x.clone()
        write(x)
        return x

    return Net(of)


def rectify_half(x):
    x[:, :2].relu_()


def fill_a_row(x):
    x[0][:, 1][:, 2:] = 5


def double_a_column(x):
    x.permute(0, 3, 1, 2)[:, 4].mul_(2)


def write_twice(x):
    half = x.flatten(1)[:, ::2]
    half.neg_()
    x[:, 1].zero_()


def write_over(x):
    first, second = x[:, :2], x[:, 1:3]
    first.neg_()
    second.mul_(4)


def half_relu(x):
    return np.concatenate([np.maximum(x[:, :2], 0), x[:, 2:]], 1)


def read_after(write):
    """The tensor after something was written to it through another."""

    def of(x):
        x = x.clone()
        write(x)
        return x * 1

    return of


def negated_then_zero(x):
    y = x.copy().reshape(-1)
    y[::2] *= -1
    y = y.reshape(x.shape)
    y[:, 1] = 0
    return y


WRITES = [
    (rectify_half, half_relu),
    (fill_a_row, put((slice(None), slice(None), 1, slice(2, None)), 5.0)),
    (double_a_column, lambda x: x * np.where(np.arange(6) == 4, 2, 1)),
    (write_twice, negated_then_zero),
    (write_over, lambda x: x * np.array([-1, -4, 4, 1])[:, None, None]),
]

CASES = [
    *(
        *WINDOWS,
        *OWN_WINDOWS,
        *ODD_WINDOWS,
        *MATRICES,
        *POOLING,
        *NORMALISATION,
        *ACTIVATIONS,
        *ARITHMETIC,
    ),
    *(*MOVES, *CASTS, *LINEAR),
]
DRAWS = {
    "rand": lambda x: torch.rand(1, 2),
    "randn": lambda x: torch.randn(1, 2),
    "randint": lambda x: torch.randint(5, (1, 2)),
    "randperm": lambda x: torch.randperm(2),
    "bernoulli": lambda x: torch.full((1, 2), 0.5).bernoulli_(0.5),
    "uniform": lambda x: torch.zeros(1, 2).uniform_(),
    "normal": lambda x: torch.zeros(1, 2).normal_(),
    "empty": lambda x: torch.empty(1, 2),
    "zeros": lambda x: torch.zeros(1, 2),
    "ones": lambda x: torch.ones(1, 2),
    "full": lambda x: torch.full((1, 2), 7.0),
    "arange": lambda x: torch.arange(2),
    "linspace": lambda x: torch.linspace(0, 1, 3),
    "eye": lambda x: torch.eye(2),
    "tensor": lambda x: torch.tensor([1.0, 2.0]),
    "zeros_like": torch.zeros_like,
    "ones_like": torch.ones_like,
    "empty_like": torch.empty_like,
    "full_like": lambda x: torch.full_like(x, 3.0),
    "rand_like": torch.rand_like,
    "randn_like": torch.randn_like,
    "new_empty": lambda x: x.new_empty(2),
    "new_zeros": lambda x: x.new_zeros(2),
    "new_ones": lambda x: x.new_ones(2),
    "new_full": lambda x: x.new_full((2,), 4.0),
    "new_tensor": lambda x: x.new_tensor([4.0]),
    "zero": lambda x: (x * 1).zero_(),
    "fill": lambda x: (x * 1).fill_(2.5),
}
ELSEWHERE = {"overwritten", *DRAWS}  # by WRITES, and what has no operand

NOISY = pytest.mark.filterwarnings("ignore:Using padding='same'")


class Flat(nn.Module):
    """A network of rows (n, c, t) or (n, c), fed with an image."""

    def __init__(self, net: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.net, self.shape = net, shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x.reshape(1, *self.shape))


def recorded(case, dtype=torch.float32):
    """The network, what its last operation's network takes, and the recording."""
    net, image = shaken(case.build()).to(dtype), image_of(case.image, dtype=dtype)
    if dtype == torch.float64:  # fill the digits that float32 has not
        image = image / 3
        with torch.no_grad():
            for tensor in net.parameters():
                tensor.div_(3)
    whole = net if len(case.image) > 2 else Flat(net, case.image)
    return net, image, record(whole, image if len(case.image) > 2 else image[None])


@NOISY
@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=NEEDS_GPU if case.kind == "cuda" else ()) for case in CASES],
    ids=str,
)
def test_every_unit_is_what_the_definition_says(case):
    net, image, recording = recorded(case)
    found = recording[recording.output]
    assert found.kind == case.kind
    expected = np.asarray(case.expected(numbers(image), net, numbers(found.full)), dtype=float)
    assert expected.shape == tuple(found.full.shape)
    expected = expected.reshape(found.shape)
    for at in units_of(found.shape):
        explanation = recording.explain(found.name, at)
        assert explanation.made.kind == case.made, explanation.formula
        assert explanation.recorded == found.value[at].item()
        assert explanation.agrees, (at, explanation.total, explanation.recorded)
        assert_is(case.made, explanation.total, expected[at].item())
        assert_places_are_true(explanation, recording, net)
        numbers_at_hand = np.abs([*explanation.terms.values, explanation.total, 1.0])
        most = numbers_at_hand[np.isfinite(numbers_at_hand)].max()
        allowed = (4000 + len(explanation.terms) ** 2) * explanation.epsilon * most
        assert explanation.bound <= allowed, "so wide that anything agrees"


def assert_is(made, total, expected):
    """Sums of float32 products are exact; of functions both sides are float64 calculations."""
    if made in {"maximum", "minimum", "copy"}:
        assert total == expected
    else:
        close = dict(sum=(1e-12, 1e-13), function=(1e-10, 1e-12))[made]
        assert total == pytest.approx(expected, rel=close[0], abs=close[1])


@pytest.mark.parametrize("kind", DRAWS)
def test_what_is_drawn_or_set_has_no_terms_and_is_no_more_than_what_it_is(kind):
    recording = record(Net(DRAWS[kind]), image_of((1, 2, 2)))
    found = recording[recording.output]
    assert found.kind == kind
    for at in units_of(found.shape):
        explanation = recording.explain(found.name, at)
        assert explanation.made.kind == "copy"
        assert len(explanation.terms) == 0
        recorded = found.value[at].item()
        assert explanation.total == recorded or math.isnan(recorded)
        assert explanation.receptive_field is None


def test_no_rule_is_without_a_test():
    assert {case.kind for case in CASES} | ELSEWHERE == set(RULES)
    assert {case.kind for case in ANYWHERE} <= set(CURVES)


SUMS = [
    case
    for case in (*WINDOWS, *OWN_WINDOWS, *ODD_WINDOWS, *MATRICES, *ARITHMETIC)
    if case.made == "sum"
]
NOT_PRODUCTS = {"RadialBasis", "div", "DropPath", "FractalJoin", "TableConv2d"}
EXACT = [c for c in SUMS if c.kind not in NOT_PRODUCTS and "dropout" not in c.kind]


@NOISY
@pytest.mark.parametrize("case", EXACT, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_the_total_is_the_exact_sum_rounded_once(case, dtype):
    _, _, recording = recorded(case, dtype)
    found = recording[recording.output]
    for at in units_of(found.shape)[:8]:
        explanation = recording.explain(found.name, at)
        whole = sum(Fraction(t.weight) * Fraction(t.value) for t in explanation.terms)
        assert explanation.total == float(whole + Fraction(explanation.made.bias))
        assert explanation.agrees
        assert explanation.epsilon == torch.finfo(dtype).eps


def test_in_bfloat16_the_networks_rounding_is_large_and_is_shown():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 2, 3)).to(torch.bfloat16)
    recording = record(net, image_of((3, 5, 6), dtype=torch.bfloat16))
    explanations = [recording.explain("0", at) for at in units_of((2, 3, 4))]
    assert all(one.agrees for one in explanations)
    assert max(abs(one.difference) for one in explanations) > 1e-4


def test_a_patch_is_what_lies_under_the_filter_and_the_channels_add_up():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, (3, 2), stride=2, padding=1))
    image = image_of((3, 5, 6))
    padded = np.pad(numbers(image[0]), ((0, 0), (1, 1), (1, 1)))
    recording = record(net, image)
    for k, i, j in units_of(recording["0"].shape):
        explanation = recording.explain("0", (k, i, j))
        patch = padded[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 2]
        assert np.array_equal(explanation.patch, patch)
        assert np.array_equal(explanation.filter, numbers(net[0].weight[k]))
        sums = (patch * numbers(net[0].weight[k])).sum((1, 2))
        assert explanation.channel_sums == pytest.approx(sums)
        bias = net[0].bias[k].item()
        assert explanation.channel_sums.sum() + bias == pytest.approx(explanation.total)


def test_what_is_wrong_by_more_than_rounding_does_not_agree():
    recording = record(Net(lambda x: x.sum((1, 2))), image_of((3, 4, 5)))
    made = recording.explain(recording.output, (0,))
    assert made.agrees
    wrong = type(made)(**{**vars(made), "recorded": made.recorded + 1e-3})
    assert not wrong.agrees


class OwnFunction(torch.autograd.Function):
    """A function of someone's own."""

    @staticmethod
    def forward(_ctx, x):
        return x * 2 + 1


@pytest.mark.parametrize(
    ("layer", "rows", "winner", "ties"),
    [
        (nn.MaxPool2d(2), [[1, 3], [3, 3]], 1, [2, 3]),
        (nn.MaxPool2d(2), [[3, 1], [2, 0]], 0, []),
        (nn.MaxPool2d(3, 3, 1), [[-1, -2], [-2, -1]], 4, [8]),
        (MinPool2d(2), [[3, 1], [1, 2]], 1, [2]),
        (MinPool2d(3, padding=1), [[1, 2], [2, 1]], 4, [8]),
        (nn.AdaptiveMaxPool2d(1), [[1, 5], [5, 2]], 1, [2]),
        (nn.MaxPool2d(2), [[math.nan, 3], [4, math.nan]], 0, [3]),
        (nn.MaxPool2d(2), [[-math.inf, -math.inf], [-math.inf, -math.inf]], 0, [1, 2, 3]),
        (nn.MaxPool2d(3, 3, 1), [[-math.inf, -math.inf], [-math.inf, -math.inf]], 4, [5, 7, 8]),
        (MinPool2d(3, padding=1), [[math.inf, math.inf], [math.inf, math.inf]], 4, [5, 7, 8]),
    ],
)
def test_the_winner_is_the_first_unit_and_ties_are_named(layer, rows, winner, ties):
    recording = record(nn.Sequential(layer), torch.tensor([[rows]], dtype=torch.float32))
    explanation = recording.explain("0", (0, 0, 0))
    assert (explanation.made.winner, explanation.made.ties) == (winner, ties)
    assert explanation.terms[winner].place is not None
    assert explanation.follow[0] == winner
    assert explanation.agrees
    assert explanation.bound == 0


def test_where_two_are_as_large_both_are_named():
    recording = record(Net(lambda x: torch.maximum(x, x.abs())), torch.tensor([[[2.0, -2.0]]]))
    tie, abs_won = (recording.explain(recording.output, (0, 0, n)).made for n in (0, 1))
    assert (tie.winner, tie.ties) == (0, [1])
    assert (abs_won.winner, abs_won.ties) == (1, [])


ENDS = torch.tensor(
    [0.0, -0.0, 1e-30, -1e-30, 1.0, -1.0, 50.0, -50.0, 1e4, -1e4, math.inf, -math.inf, math.nan]
)
ENDLESS = [
    *ANYWHERE,
    *(
        Case(kind, lambda of=of: Net(of), "function", lambda *_: None)
        for kind, of in [
            ("log", torch.log),
            ("log1p", torch.log1p),
            ("sqrt", torch.sqrt),
            ("rsqrt", torch.rsqrt),
            ("reciprocal", torch.reciprocal),
            ("pow", lambda x: x**-1),
            ("pow", lambda x: x**3),
            ("pow", lambda x: x**0.5),
            ("pow", lambda x: x**0),
            ("rdiv", lambda x: 1 / x),
            ("prelu", nn.PReLU()),
            ("ScaledTanh", ScaledTanh()),
        ]
    ),
]


@pytest.mark.parametrize("case", ENDLESS, ids=str)
def test_functions_are_torchs_in_float64_at_the_ends_too(case):
    net = case.build()
    recording = record(net, ENDS.reshape(1, 1, -1))
    expected = net.double()(ENDS.double().reshape(1, 1, -1)).flatten().tolist()
    for n, exact in enumerate(expected):
        explanation = recording.explain(recording.output, (0, 0, n))
        x = ENDS[n].item()
        assert explanation.made.kind == "function", (x, explanation.formula)
        slack = 1e-12 * max(1.0, abs(x)) if math.isfinite(x) else 0
        assert explanation.total == pytest.approx(exact, rel=1e-10, abs=slack, nan_ok=True), x
        if not math.isnan(explanation.recorded):  # torch's gelu of infinity is NaN in float32 alone
            assert explanation.agrees, (x, explanation.total, explanation.recorded)
        assert math.isnan(x) or not math.isnan(explanation.bound)


@pytest.mark.parametrize("of", [F.hardshrink, F.threshold, F.hardtanh, torch.clamp], ids=str)
@pytest.mark.parametrize("edge", [0.1, 0.3])
def test_a_setting_that_float32_rounds_is_met_as_the_network_meets_it(of, edge):
    settings = (edge, 20.0) if of is F.threshold else (-edge, edge)[of is F.hardshrink :]
    recording = record(Net(lambda x: of(x, *settings)), torch.tensor([[[edge, -edge, 0.5]]]))
    for n in range(3):
        explanation = recording.explain(recording.output, (0, 0, n))
        assert explanation.agrees, (explanation.total, explanation.recorded)


@pytest.mark.parametrize("end", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(
    "build",
    [
        lambda: nn.Conv2d(2, 2, 3, padding=1),
        lambda: nn.Conv2d(2, 2, 3, bias=False),
        lambda: nn.ConvTranspose2d(2, 2, 2),
        lambda: nn.Linear(5, 3),
        lambda: nn.AvgPool2d(2),
        lambda: nn.MaxPool2d(2),
        lambda: nn.BatchNorm2d(2).eval(),
        lambda: nn.Upsample(scale_factor=2),
        lambda: Net(lambda x: x + 1),
        lambda: Net(lambda x: x - x),
        lambda: Net(lambda x: x * x),
        lambda: Net(lambda x: x * 0),
        lambda: Net(lambda x: x / 2),
        lambda: Net(lambda x: 2 / x),
        lambda: Net(lambda x: -x),
        lambda: Net(lambda x: x.sum((2, 3))),
        lambda: Net(lambda x: x.mean((2, 3))),
        lambda: Net(lambda x: x.amax((2, 3))),
        lambda: Net(lambda x: torch.minimum(x, x + 1)),
        lambda: Net(lambda x: x.flatten(1)),
        lambda: Net(lambda x: x.softmax(1)),
        lambda: Net(lambda x: F.local_response_norm(x, 3)),
    ],
)
def test_infinities_and_nan_come_out_as_in_the_network(build, end, dtype):
    net, image = shaken(build()).to(dtype), image_of((2, 4, 5), dtype=dtype)
    image[0, 0, 1, 2], image[0, 1, 1, 2], image[0, 1, 3, 3] = end, -end, end
    recording = record(net, image)
    shape = recording[recording.output].shape
    for at in itertools.product(*map(range, shape)):
        explanation = recording.explain(recording.output, at)
        assert explanation.made.kind != "unknown", explanation.formula
        if math.isfinite(explanation.recorded):
            assert explanation.agrees
        else:
            assert same(explanation.total, explanation.recorded), at


@pytest.mark.parametrize("of", [F.instance_norm, lambda x: F.layer_norm(x, (5,)), F.batch_norm])
@pytest.mark.parametrize("end", [math.inf, math.nan])
def test_a_map_with_an_infinity_is_normalised_to_nan(of, end):
    """The mean of such a map is none, so nothing of it is a number."""
    image = image_of((2, 4, 5))
    image[0, 0, 1, 2] = end
    given = (torch.zeros(2), torch.ones(2)) if of is F.batch_norm else ()
    recording = record(Net(lambda x: of(x, *given, **dict(training=True) if given else {})), image)
    for at in [(0, 1, 1), (0, 1, 2)]:
        explanation = recording.explain(recording.output, at)
        assert math.isnan(explanation.total)
        assert explanation.agrees


def test_float64_sums_are_exact_from_end_to_end_of_their_numbers():
    net = Net(F.linear, w=torch.tensor([[2.0, 3.0, 0.1]]))
    for scale in (1e300, 1e-140):
        image = torch.tensor([[[scale, 3 * scale, -7 * scale]]], dtype=torch.float64) / 3
        recording = record(net.double(), image)
        explanation = recording.explain(recording.output, (0, 0, 0))
        exact = sum(Fraction(t.weight) * Fraction(t.value) for t in explanation.terms)
        assert explanation.total == float(exact)
        assert explanation.agrees


@pytest.mark.parametrize("divisor", [0.0, -0.0])
def test_division_by_zero_is_what_float_arithmetic_says(divisor):
    zero = torch.full((1, 1, 1), divisor)
    image = torch.tensor([[[1.0, -1.0, 0.0, math.nan]]])
    for of in (lambda x: x / divisor, lambda x: x / zero, lambda x: x.div(divisor)):
        recording = record(Net(of), image)
        for n in range(4):
            explanation = recording.explain(recording.output, (0, 0, n))
            assert same(explanation.total, recording[recording.output].value[0, 0, n].item())
            assert explanation.agrees


@pytest.mark.parametrize(("write", "expected"), WRITES)
def test_what_was_written_through_another_tensor_is_followed_to_it(write, expected):
    image = image_of((4, 3, 6))
    net = Net(read_after(write))
    recording = record(net, image)
    before = expected(numbers(image)).astype(float)[0]
    (name,) = recording[recording.output].operands
    assert recording[name].kind == "overwritten"
    for at in itertools.product(*map(range, before.shape)):
        explanation = recording.explain(name, at)
        assert explanation.made.kind == "copy", explanation.formula
        assert explanation.total == before[at]
        assert explanation.agrees
        assert_places_are_true(explanation, recording, net)


def test_what_was_not_written_is_as_it_was_and_what_was_names_the_writer():
    recording = record(Net(read_after(rectify_half)), image_of((4, 3, 6)))
    (name,) = recording[recording.output].operands
    (rectified,) = recording.explain(name, (1, 2, 3)).terms
    (as_it_was,) = recording.explain(name, (3, 2, 3)).terms
    assert (recording[rectified.place.source].kind, rectified.place.at) == ("relu", (1, 2, 3))
    assert (recording[as_it_was.place.source].kind, as_it_was.place.at) == ("clone", (3, 2, 3))


@pytest.mark.parametrize("seed", range(6))
def test_a_join_is_the_mean_of_the_columns_that_survived(seed):
    join = three_columns()
    join.sampler.rate, join.sampler.global_share = 0.5, 0.0
    net = Columns(join)
    torch.manual_seed(seed)
    join.sampler.draw(training=True)
    image = image_of((2, 3, 4)).abs() + 1
    recording = record(net, image)
    columns = {1.0: "add", 2.0: "mul"}  # of positive numbers the third equals the first
    for at in units_of((2, 3, 4)):
        explanation = recording.explain("join", at)
        assert explanation.agrees
        gains = [term.value / image[0][at].item() for term in explanation.terms]
        mean = recording["join"].value[at].item() / image[0][at].item()
        assert sum(gains) / len(gains) == pytest.approx(mean, rel=1e-6)
        for term, gain in zip(explanation.terms, gains, strict=True):
            assert recording[term.place.source].kind in {columns[round(gain)], "relu"}


def test_dropout_shows_its_mask():
    image = image_of((6, 4, 5)).abs() + 1
    recording = record(nn.Sequential(nn.Dropout2d(0.5)), image)
    masks = set()
    for k, i, j in itertools.product(range(6), range(4), range(5)):
        (term,) = recording.explain("0", (k, i, j)).terms
        masks.add((k, term.weight))
        assert term.weight == (2.0 if recording["0"].value[k, i, j] else 0.0)
    assert len(masks) == 6
    assert {mask for _, mask in masks} == {0.0, 2.0}


def test_constants_that_were_given_lie_nowhere():
    recording = record(Net(lambda x: F.pad(x, (1, 1), value=0.5)), image_of((1, 2, 3)))
    explanation = recording.explain("pad", (0, 0, 0))
    assert len(explanation.terms) == 0
    assert (explanation.total, explanation.agrees) == (0.5, True)


def test_whole_numbers_and_truth_values_are_copied_too():
    of = [
        lambda x: (x > 0).flatten(1),
        lambda x: (x > 0)[:, 1:],
        lambda x: (4 * x).long().flatten(1),
        lambda x: torch.cat([(4 * x).long(), torch.arange(6).expand(1, 2, 4, 6)], 1),
    ]
    for one in of:
        recording = record(Net(one), image_of((2, 4, 6)))
        found = recording[recording.output]
        for at in units_of(found.shape):
            explanation = recording.explain(found.name, at)
            assert explanation.made.kind == "copy", explanation.formula
            assert explanation.total == found.value[at].item()
            (term,) = explanation.terms
            assert recording[term.place.source].value[term.place.at].item() == term.value


ATTENTION = "scaled_dot_product_attention"


def test_units_whose_number_depends_on_the_image_are_explained_too():
    image = image_of((2, 4, 5))
    recording = record(Net(lambda x: x[x > 0]), image)
    expected = numbers(image)[numbers(image) > 0]
    for n, value in enumerate(expected):
        explanation = recording.explain(recording.output, n)
        assert explanation.total == value
        (term,) = explanation.terms
        assert image[0][term.place.at] == value


@pytest.mark.parametrize(
    ("of", "kind"),
    [
        (lambda x: x.sort(1).values, "sort"),
        (lambda x: x.cumsum(1), "cumsum"),
        (lambda x: x.max(1).indices, "max"),
        (lambda x: F.max_pool2d(x, 2, return_indices=True)[1], "max_pool2d"),
        (lambda x: F.adaptive_max_pool2d(x, 2, return_indices=True)[1], "adaptive_max_pool2d"),
        (lambda x: x.std((2, 3)), "std"),
        (lambda x: x.div(0.3, rounding_mode="floor"), "div"),
        (lambda x: x ** x.abs(), "pow"),
        (lambda x: torch.clamp(x, -x.abs(), x.abs()), "clamp"),
        (lambda x: torch.einsum("nchw,ndhw->ncd", x, x), "einsum"),
        (lambda x: F.scaled_dot_product_attention(x, 2 * x, 4 * x, dropout_p=0.5), ATTENTION),
        (lambda x: F.scaled_dot_product_attention(x, x, x), ATTENTION),
        (lambda x: F.lp_pool2d(x, 2, 2), "lp_pool2d"),
        (lambda x: torch.where(x > 0)[1], "where"),
        (lambda x: x.view(torch.int32), "view"),
        (lambda x: torch.addmm(x[0, 0], x[0, 0], x[0, 0].new_ones(5, 5), alpha=2), "addmm"),
        (torch.fft.fft, "fft_fft"),
    ],
)
def test_an_operation_without_a_rule_is_unknown_and_names_its_operands(of, kind):
    recording = record(Net(of), image_of((2, 4, 5)))
    found = recording[recording.output]
    if kind == "fft_fft":
        found = recording[recording.names[0]]
    elif kind not in RULES:
        assert found.kind == kind
    for at in units_of(found.shape)[:6]:
        explanation = recording.explain(found.name, at)
        made = explanation.made
        assert (made.kind, made.operands) == ("unknown", found.operands)
        assert found.operands
        assert math.isnan(explanation.total)
        assert not explanation.agrees
        assert len(explanation.terms) == 0
        assert "rule failed" not in made.formula
        assert explanation.to_dict()["operands"]


def test_a_function_of_someones_own_is_seen_through():
    recording = record(nn.Sequential(Net(OwnFunction.apply), nn.ReLU()), image_of((2, 3)))
    values = recording["1"].value
    for at in itertools.product(range(1), range(2), range(3)):
        explanation = recording.explain("1", at)
        assert explanation.agrees
        assert explanation.total == values[at].item()


DIRECTLY = {
    "batch_norm": lambda x, w, b: torch.batch_norm(
        x,
        w,
        b,
        w + 1,
        w.abs() + 0.5,
        *(False, 0.1, 1e-5, False),
    ),
    "layer_norm": lambda x, w, b: torch.layer_norm(x, (3,), w, b),
    "group_norm": lambda x, w, b: torch.group_norm(x, 3, w, b),
    "instance_norm": lambda x, w, b: torch.instance_norm(
        x,
        w,
        b,
        *(None, None, True, 0.1, 1e-5, False),
    ),
    "prelu": lambda x, w, *_: torch.prelu(x, w),
    "conv_transpose2d": lambda x, w, b: torch.conv_transpose2d(
        x, w.reshape(3, 1, 1, 1).expand(3, 1, 2, 2), b[:1], 2, 0, 1
    ),
    "dropout": lambda x, *_: torch.dropout(x, 0.5, False),  # noqa: FBT003
}


@pytest.mark.parametrize("kind", DIRECTLY)
def test_torchs_own_spelling_of_a_function_is_explained_or_unknown_never_wrong(kind):
    net = Net(DIRECTLY[kind], w=some(3, seed=3), b=some(3, seed=4))
    recording = record(net, image_of((3, 4, 3)))
    found = recording[recording.output]
    assert found.kind == kind
    for at in units_of(found.shape):
        explanation = recording.explain(found.name, at)
        assert explanation.made.kind == "unknown" or explanation.agrees
