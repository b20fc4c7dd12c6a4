"""Normalization, against the formulas in float64 loops."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from convscope.layers import GlobalContrastNorm, LocalResponseNorm, ZCAWhitening
from tests.explanation.cases.case import Case, Net, column, numbers
from tests.reference import explanations as reference
from tests.reference import layers as slow


def by_running_statistics(x, net, _y):
    mean, variance = (column(net.get_buffer(f"running_{n}"), x.ndim) for n in ("mean", "var"))
    gain, shift = (column(getattr(net, name), x.ndim) for name in ("weight", "bias"))
    y = (x - mean) / np.sqrt(variance + net.eps)
    return y if gain is None else y * gain + shift


def by_own_statistics(alike):
    def expected(x, net, _y):
        gain, shift = (getattr(net, name, None) for name in ("weight", "bias"))
        return reference.standardized(
            x,
            lambda place: alike(place, net),
            eps=net.eps,
            weight=column(gain, x.ndim),
            bias=column(shift, x.ndim),
        )

    return expected


def over_last(x, net, _y):
    wide = len(net.normalized_shape)
    return reference.standardized(
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


def of_one_length(x, net, _y):
    centered = [image - image.mean() for image in x]
    return np.array([net.scale * y / np.sqrt((y * y).sum() + net.eps) for y in centered])


def whitening():
    layer = ZCAWhitening((4, 3, 2), filter_bias=0.1)
    layer.fit([torch.randn(50, 4, 3, 2, generator=torch.manual_seed(0)).cumsum(3) + 0.5])
    return layer


def whitened(x, net, _y):
    mean, weight = (numbers(one).astype(np.float64) for one in (net.mean, net.weight))
    return np.array([(weight @ (image.ravel() - mean)).reshape(image.shape) for image in x])


def paper_norm(x, net, _y):
    letters = {name: getattr(net, name) for name in ("n", "k", "alpha", "beta", "groups")}
    return slow.response_norm(torch.from_numpy(x), **letters)


def torch_norm(x, net, _y):
    letters = {name: getattr(net, name) for name in ("size", "alpha", "beta", "k")}
    return reference.response_norm(x, **letters)


def shared_out(dim, *, logarithm=False, scale=1.0):
    return lambda x, _net, _y: reference.softmax(x * scale, dim, logarithm=logarithm)


NORMALIZATION = [
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
            "expression",
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
            "expression",
            paper_norm,
            (6, 3, 2),
            f"groups={groups}",
        )
        for groups in (1, 2, 3)
    ),
    normed("GlobalContrastNorm", GlobalContrastNorm, of_one_length),
    normed("ZCAWhitening", whitening, whitened, (4, 3, 2)),
    Case("softmax", lambda: nn.Softmax(dim=1), "expression", shared_out(1)),
    Case("softmax", lambda: Net(lambda x: x.softmax(-1)), "expression", shared_out(3), words="-1"),
    Case("softmax", lambda: Net(lambda x: torch.softmax(x, 2)), "expression", shared_out(2)),
    Case("softmax", lambda: nn.Softmax(1), "expression", shared_out(1), (7,), "of logits"),
    Case(
        "softmax",
        lambda: Net(lambda x: F.softmax(x * 128, 1)),
        "expression",
        shared_out(1, scale=128),
        (7,),
        "large",
    ),
    Case(
        "log_softmax",
        lambda: nn.LogSoftmax(dim=1),
        "expression",
        shared_out(1, logarithm=True),
    ),
    Case(
        "log_softmax",
        lambda: Net(lambda x: torch.log_softmax(x * 128, -1)),
        "expression",
        shared_out(1, logarithm=True, scale=128),
        (7,),
        "large",
    ),
]
