"""ONNX Runtime's threads wait at full speed within a batch alone, and not beside decoding."""

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope.conversion.engine_files import write_engine_file
from convscope.conversion.network_graph import exportable, network_graph
from convscope.serving.models import load_model

pytest.importorskip("onnx")
onnxruntime_engine = pytest.importorskip("convscope.engines.onnxruntime_engine")


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 64, 3)).eval()


@pytest.mark.parametrize("spin", [True, False])
def test_a_session_has_the_settings(spin, net, tmp_path):
    path = write_engine_file(
        "onnxruntime", tmp_path, network_graph(exportable(net), (3, 10, 10), 3)
    )
    session = onnxruntime_engine.open_session(path, threads=2, spin=spin)
    options = session.get_session_options()
    found = [
        options.get_session_config_entry(f"session.{name}")
        for name in ("intra_op.allow_spinning", "force_spinning_stop")
    ]
    assert found == ["1" if spin else "0", "1"]


def test_threads_sleep_where_images_are_decoded_beside_them(net, tmp_path, monkeypatch):
    folder, image = tmp_path / "out", np.zeros((10, 10, 3), np.uint8)
    convscope.export(net, folder, input_size=10, engine="onnxruntime", threads=2)
    asked, original = [], onnxruntime_engine.open_session

    def opened(model, *, threads, spin=True):
        asked.append(spin)
        return original(model, threads=threads, spin=spin)

    monkeypatch.setattr(onnxruntime_engine, "open_session", opened)
    convscope.predict(folder, [image] * 3)
    load_model(folder, name=None, engine="auto", threads=2, batch_size=4)
    assert asked == [False, True]
