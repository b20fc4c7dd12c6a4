"""Pooling, and what is made of whole axes, against slow loops."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from convscope.layers import MinPool2d, Subsampling2d
from tests.explanation.cases.case import Case, Net
from tests.reference import explanations as reference
from tests.reference import layers as slow


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
    decomposition = "maximum" if "max" in kind else "minimum" if "min" in kind.lower() else "sum"
    return Case(kind, build, decomposition, expected, image, words)


def index_of(kernel, stride=None, padding=0, dilation=1, count=2):
    return lambda x, _net, y: reference.index_of_largest(
        x,
        y.shape,
        kernel=both(kernel, count),
        stride=both(kernel if stride is None else stride, count),
        padding=both(padding, count),
        dilation=both(dilation, count),
    )


def index_of_each_quarter(x, _net, y):
    """Of adaptive pooling to a size that divides."""
    kernel = [side // out for side, out in zip(x.shape[2:], y.shape[2:], strict=True)]
    return index_of(kernel)(x, None, y)


def at_random(kernel):
    def expected(x, net, y):
        samples = net.s.detach().double().numpy()[0]
        order = samples[:, ::-1] if len(kernel) == 2 else samples  # columns before rows
        return reference.fractional_pool(x, order, y.shape, kernel=kernel)

    return expected


def powers(power, kernel, stride=None, count=2):
    return lambda x, _net, y: reference.power_pool(
        x,
        y.shape,
        power=power,
        kernel=both(kernel, count),
        stride=both(stride or kernel, count),
    )


def random_samples(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(3))


def unpooled_by(pool):
    """Of what is pooled first, with indices."""

    def expected(x, _net, y):
        units, indices = pool(torch.from_numpy(x))
        return reference.unpooled(units.numpy(), indices.numpy(), y.shape)

    return expected


EVERY = (0, 1, 2, 3)
BY_INDEX = [
    Case(
        "max_pool2d",
        lambda: Net(lambda x: F.max_pool2d(x, 2, return_indices=True)[1]),
        "expression",
        index_of(2),
        words="indices",
    ),
    Case(
        "max_pool2d",
        lambda: Net(lambda x: F.max_pool2d(x, 3, 2, 1, return_indices=True)[1]),
        "expression",
        index_of(3, 2, 1),
        (2, 6, 7),
        words="indices, padding",
    ),
    Case(
        "max_pool1d",
        lambda: Net(lambda x: F.max_pool1d(x, 3, 1, 1, return_indices=True)[1]),
        "expression",
        index_of(3, 1, 1, count=1),
        (3, 8),
        words="indices",
    ),
    Case(
        "max_pool3d",
        lambda: Net(lambda x: F.max_pool3d(x, 2, dilation=(1, 2, 1), return_indices=True)[1]),
        "expression",
        index_of(2, dilation=(1, 2, 1), count=3),
        (2, 3, 4, 5),
        words="indices, dilation",
    ),
    Case(
        "adaptive_max_pool2d",
        lambda: Net(lambda x: F.adaptive_max_pool2d(x, (2, 3), return_indices=True)[1]),
        "expression",
        index_of_each_quarter,
        (2, 4, 6),
        words="indices",
    ),
    Case(
        "fractional_max_pool2d",
        lambda: Net(
            lambda x, s: F.fractional_max_pool2d(x, (2, 3), (4, 3), _random_samples=s.detach()),
            s=random_samples(1, 3, 2),
        ),
        "maximum",
        at_random((2, 3)),
        (3, 7, 9),
    ),
    Case(
        "fractional_max_pool3d",
        lambda: Net(
            lambda x, s: F.fractional_max_pool3d(x, 2, (2, 3, 4), _random_samples=s.detach()),
            s=random_samples(1, 2, 3),
        ),
        "maximum",
        at_random((2, 2, 2)),
        (2, 4, 6, 7),
    ),
    Case(
        "max_unpool2d",
        lambda: Net(lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2)),
        "identity",
        unpooled_by(lambda x: F.max_pool2d(x, 2, return_indices=True)),
        (3, 4, 6),
    ),
    Case(
        "max_unpool2d",
        lambda: Net(
            lambda x: F.max_unpool2d(
                *F.max_pool2d(x, 3, 2, 1, return_indices=True), 3, 2, 1, x.shape[2:]
            )
        ),
        "identity",
        unpooled_by(lambda x: F.max_pool2d(x, 3, 2, 1, return_indices=True)),
        words="overlapping, to a size",
    ),
    Case(
        "max_unpool1d",
        lambda: Net(lambda x: F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2)),
        "identity",
        unpooled_by(lambda x: F.max_pool1d(x, 2, return_indices=True)),
        (3, 8),
    ),
    Case(
        "max_unpool3d",
        lambda: Net(lambda x: F.max_unpool3d(*F.max_pool3d(x, 2, return_indices=True), 2)),
        "identity",
        unpooled_by(lambda x: F.max_pool3d(x, 2, return_indices=True)),
        (2, 2, 4, 6),
    ),
    Case(
        "lp_pool2d",
        lambda: Net(lambda x: F.lp_pool2d(x, 2, (2, 3), ceil_mode=True)),
        "expression",
        powers(2, (2, 3)),
        (2, 5, 7),
    ),
    Case("lp_pool1d", lambda: nn.LPPool1d(4, 3, 1), "expression", powers(4, 3, 1, count=1), (3, 8)),
    Case(
        "lp_pool3d",
        lambda: Net(lambda x: F.lp_pool3d(x.abs(), 1.5, 2)),
        "expression",
        lambda x, net, y: powers(1.5, 2, count=3)(abs(x), net, y),
        (2, 2, 4, 5),
    ),
]
POOLING = [
    *BY_INDEX,
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
