"""Local response normalization is one operation, LRN, with PyTorch's numbers in every engine."""

import numpy as np
import pytest
import torch
from torch import nn

from convscope.conversion.engine_files import write_engine_file
from convscope.conversion.network_graph import exportable, network_graph
from convscope.engines import ENGINES, is_installed, open_engine
from convscope.layers import LocalResponseNorm

pytest.importorskip("onnx")


def operations_and_differences(norm, folder):
    """The kinds of the operations, and how far each engine is off PyTorch."""
    torch.manual_seed(0)
    net = exportable(nn.Sequential(nn.Conv2d(3, 8, 1), norm, nn.Flatten(), nn.Linear(8 * 30, 7)))
    x = 20 * torch.randn(3, 3, 5, 6)
    with torch.inference_mode():
        expected = net(x).numpy()
    graph = network_graph(net, (3, 5, 6), 7)
    off = {}
    for engine in filter(is_installed, ENGINES):
        run = open_engine(engine, write_engine_file(engine, folder, graph), threads=1)
        off[engine] = np.abs(run(x.numpy()) - expected).max()
    return [node.op_type for node in graph.graph.node], off


@pytest.mark.parametrize(
    "norm",
    [
        nn.LocalResponseNorm(5, alpha=0.1, beta=0.75, k=2.0),
        nn.LocalResponseNorm(3, alpha=1.0, beta=0.5),
        LocalResponseNorm(n=5, alpha=0.05),
        LocalResponseNorm(n=3, alpha=0.05, groups=2),
    ],
)
def test_it_is_one_operation_with_pytorchs_numbers(norm, tmp_path):
    kinds, off = operations_and_differences(norm, tmp_path)
    assert kinds.count("LRN") == 1
    assert "AveragePool" not in kinds
    assert max(off.values()) < 1e-5, off


def test_a_window_without_a_middle_stays_as_pytorch_has_it(tmp_path):
    kinds, off = operations_and_differences(nn.LocalResponseNorm(4, alpha=0.1), tmp_path)
    assert "LRN" not in kinds
    assert max(off.values()) < 1e-5, off
