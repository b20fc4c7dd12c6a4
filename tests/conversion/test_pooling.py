"""Pooling in ONNX has PyTorch's windows and divisors, in every engine."""

from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from convscope.conversion.engine_files import write_engine_file
from convscope.conversion.network_graph import exportable, network_graph
from convscope.engines import ENGINES, is_installed, open_engine

pytest.importorskip("onnx")


class Flat(nn.Module):
    """A convolution, so that something is learned, and then a function of the maps, flat."""

    def __init__(self, pool):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1)
        self.pool = pool

    def forward(self, x):
        return torch.flatten(self.pool(self.conv(x)), 1)


def average(kernel, stride, padding, ceil_mode, count_include_pad, divisor):
    return lambda x: F.avg_pool2d(
        x, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override=divisor
    )


def maximum(kernel, stride, padding, dilation):
    return lambda x: F.max_pool2d(x, kernel, stride, padding, dilation, ceil_mode=True)


POOLS = {
    **{
        f"avg k{k} s{s} p{p} {ceil} {include} {divisor}": average(k, s, p, ceil, include, divisor)
        for (k, s, p), ceil, include, divisor in product(
            [(3, 2, 1), (2, 3, 0), ((3, 2), (2, 1), (1, 0)), (1, 2, 0)],
            [False, True],
            [False, True],
            [None, 1, 5],
        )
    },
    **{
        f"max k{k} s{s} p{p} d{d}": maximum(k, s, p, d)
        for k, s, p, d in [(2, 3, 0, 1), (3, 2, 1, 1), ((2, 3), (3, 2), (1, 0), 1)]
    },
}


DILATED = {"max k3 s2 p0 d2": maximum(3, 2, 0, 2)}  # which ncnn does not have


class Pools(nn.Module):
    """All of them in one network: to export is slow."""

    def __init__(self, pools):
        super().__init__()
        self.nets = nn.ModuleList(Flat(pool) for pool in pools.values())

    def forward(self, x):
        return torch.cat([net(x) for net in self.nets], 1)


def wrong_pools(pools, size, engines, folder):
    """The names of those that an engine computes otherwise."""
    torch.manual_seed(0)
    net = exportable(Pools(pools))
    x = torch.randn(3, 2, *size)
    with torch.inference_mode():
        parts = [sub(x) for sub in net.nets]
    expected = torch.cat(parts, 1).numpy()
    graph = network_graph(net, (2, *size), expected.shape[1])
    owners = [name for name, part in zip(pools, parts, strict=True) for _ in range(part.shape[1])]
    for engine in filter(is_installed, engines):
        run = open_engine(engine, write_engine_file(engine, folder, graph), threads=1)
        wrong = np.abs(run(x.numpy()) - expected) > 1e-5
        for column in wrong.any(0).nonzero()[0]:
            yield engine, owners[column]


@pytest.mark.parametrize("size", [(6, 6), (9, 8)])
def test_windows_and_divisors_are_pytorchs(size, tmp_path):
    assert set(wrong_pools(POOLS, size, ENGINES, tmp_path)) == set()


def test_dilated_windows_are_pytorchs(tmp_path):
    engines = [engine for engine in ENGINES if engine != "ncnn"]
    assert set(wrong_pools(DILATED, (9, 8), engines, tmp_path)) == set()
