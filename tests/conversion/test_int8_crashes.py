"""An engine may end its process while it opens a network in 8 bits; the export goes on."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convscope
from convscope.conversion import int8
from convscope.engines import is_installed
from convscope.errors import WorkError

pytest.importorskip("onnxruntime")


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(6):
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), np.uint8)).save(folder / f"{number}.png")
    return folder


def network():
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)).eval()


def export(images, folder):
    return convscope.export(
        network(), folder, int8=True, calibration=images, input_size=16, threads=1, max_drop=100
    )


def ending(measured, *, engine, times):
    """What is measured, but for the first networks of an engine: they end their processes."""
    left = [times]

    def measure(name, path, **settings):
        if name == engine and left[0]:
            left[0] -= 1
            raise WorkError(f"{name} could not run the network in a process of its own.")
        return measured(name, path, **settings)

    return measure


@pytest.mark.parametrize(("times", "placement"), [(1, "layers"), (2, None)])
def test_another_way_is_taken_or_the_engine_left_out(
    images, tmp_path, monkeypatch, times, placement
):
    if not is_installed("openvino"):
        pytest.skip("OpenVINO is not installed")
    measure = ending(int8.measure_footprint, engine="openvino", times=times)
    monkeypatch.setattr(int8, "measure_footprint", measure)
    exported = export(images, tmp_path / "out")
    found = {one.engine: one.rounding.placement for one in exported.candidates}
    assert found.get("openvino") == placement
    assert found["onnxruntime"] == "everywhere"
    assert (tmp_path / "out" / "model.xml").exists() == (placement is not None)


def test_where_every_engine_ends_nothing_is_written(images, tmp_path, monkeypatch):
    def measure(name, _path, **_settings):
        raise WorkError(name)

    monkeypatch.setattr(int8, "measure_footprint", measure)
    with pytest.raises(WorkError, match="could not run the network in 8 bits"):
        export(images, tmp_path / "out")
    assert not (tmp_path / "out").exists()
