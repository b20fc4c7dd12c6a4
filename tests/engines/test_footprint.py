"""What an engine costs is measured in a process of its own, which may end abnormally."""

import pytest
import torch
from torch import nn

from convscope.conversion.engine_files import write_engine_file
from convscope.conversion.network_graph import exportable, network_graph
from convscope.engines import ENGINES, files_of, is_installed
from convscope.engines.footprint import measure_footprint
from convscope.errors import WorkError

pytest.importorskip("onnx")


def graph(width=8):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4))
    net(torch.zeros(1, 3, 32, 32))
    return network_graph(exportable(net), (3, 32, 32), 4)


@pytest.mark.parametrize("engine", ENGINES)
def test_load_memory_and_size_are_those_of_the_engine(engine, tmp_path):
    if not is_installed(engine):
        pytest.skip(f"{engine} is not installed")
    path = write_engine_file(engine, tmp_path, graph())
    small = measure_footprint(engine, path, threads=1, shape=(1, 3, 32, 32))
    large = measure_footprint(engine, path, threads=1, shape=(4000, 3, 32, 32))
    assert 0 < small.load < 60
    assert small.size == sum((tmp_path / name).stat().st_size for name in files_of(engine))
    images = 4 * 3 * 32 * 32 * 3999
    assert large.memory - small.memory > images / 2
    assert small.memory < 300e6  # this process, with PyTorch, takes more


def test_a_process_that_ends_abnormally_is_told(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(WorkError, match="onnxruntime could not run the network"):
        measure_footprint("onnxruntime", path, threads=1, shape=(1, 3, 8, 8))
