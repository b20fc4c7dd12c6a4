"""Broken once in each known way: nothing is written, and the first layer that differs is named."""

import os
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import convscope
from convscope.card import Card
from convscope.conversion import draft, network_graph
from convscope.conversion.pooling import translations
from convscope.engines import is_installed
from convscope.errors import NetworkError, RequestError, WorkError

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

CARD = Card(
    classes=("a", "b", "c"), input_size=(12, 12), in_channels=3, resize_mode="crop",
    mean=(0.5,) * 3, std=(0.25,) * 3,
)  # fmt: skip


class Small(nn.Module):
    """Two convolutions with a pooling between them."""

    def __init__(self, pool=None):
        super().__init__()
        torch.manual_seed(0)
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)
        self.pool = pool or nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(4, 5, 3, padding=1)
        self.fc = nn.LazyLinear(3)
        self(torch.zeros(2, 3, 12, 12))
        self.convscope_card = CARD

    def forward(self, x):
        x = self.conv2(self.pool(F.relu(self.conv1(x))))
        return self.fc(torch.flatten(F.relu(x), 1))


def export(net, folder, **settings):
    return convscope.export(net, folder / "out", input_size=12, engine="onnxruntime", **settings)


def test_what_agrees_is_written(tmp_path):
    exported = export(Small(), tmp_path)
    assert exported.candidates[0].parity.logits < 1e-6
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "README.md", "card.json", "export.json", "golden.safetensors", "images.onnx", "model.onnx",
        "parity.json",
    }  # fmt: skip


def test_whoever_serves_it_may_read_every_file(tmp_path):
    export(Small(), tmp_path)
    wanted = 0o666 & ~_umask()
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()}
    assert {name for name, mode in modes.items() if mode != wanted} == set()
    assert (tmp_path / "out").stat().st_mode & 0o555 == 0o555


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_the_network_that_was_handed_over_is_unchanged(tmp_path):
    net = Small().train().to(memory_format=torch.channels_last)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    export(net, tmp_path)
    assert net.training
    assert net.conv1.weight.is_contiguous(memory_format=torch.channels_last)
    assert all((before[name] == value).all() for name, value in net.state_dict().items())


class Sum(nn.Module):
    def forward(self, x):
        return F.avg_pool2d(x, 2, divisor_override=1)


class Cut(nn.Module):
    def forward(self, x):
        return F.max_pool2d(x, 2, 3, ceil_mode=True)


@pytest.mark.parametrize("pool", [Sum(), nn.AvgPool2d(3, 2, 1, ceil_mode=True), Cut()])
def test_pooling_that_other_exports_lose_is_kept(tmp_path, pool):
    assert export(Small(pool), tmp_path).candidates[0].parity.logits < 1e-6


def test_a_dropped_divisor_is_found_and_its_layer_named(tmp_path, monkeypatch):
    monkeypatch.setattr(network_graph, "translations", dict)
    with pytest.raises(WorkError, match=r"first layer that differs is pool\. Nothing was written"):
        export(Small(Sum()), tmp_path)
    assert [*tmp_path.iterdir()] == []
    assert translations()


def test_a_network_in_train_mode_is_found(tmp_path, monkeypatch):
    def exported_in_train_mode(net):
        return net.train()

    net = Small(nn.Sequential(nn.MaxPool2d(2), nn.Dropout(0.5)))
    monkeypatch.setattr(draft, "exportable", exported_in_train_mode)
    with pytest.raises(NetworkError, match="behaves as in training"):
        export(net, tmp_path)
    assert [*tmp_path.iterdir()] == []


class Frozen(Small):
    def forward(self, x):
        return super().forward(x).reshape(len(x), 3)


def test_a_frozen_batch_is_told(tmp_path):
    with pytest.raises(NetworkError, match=r"number of images as a constant.*x\.shape\[0\]"):
        export(Frozen(), tmp_path)
    assert [*tmp_path.iterdir()] == []


class Random(Small):
    def forward(self, x):
        return super().forward(x) + torch.rand_like(x[:, :3, 0, 0])


def test_a_network_that_answers_by_chance_is_refused(tmp_path):
    with pytest.raises(WorkError, match="answers differently"):
        export(Random(), tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(RequestError, match="is no exported network"):
        export(Small(), tmp_path)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "years of work"


def test_an_exported_network_is_replaced(tmp_path):
    export(Small(), tmp_path)
    first = (tmp_path / "out" / "export.json").read_text()
    export(Small(nn.AvgPool2d(2)), tmp_path)
    assert (tmp_path / "out" / "export.json").read_text() != first
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_unknown_engine_is_told(tmp_path):
    with pytest.raises(RequestError, match="it may be auto, onnxruntime, openvino"):
        convscope.export(Small(), tmp_path / "out", input_size=12, engine="tensorrt")


def test_the_graph_of_images_is_compared_whatever_the_engine(tmp_path, monkeypatch):
    if not is_installed("openvino"):
        pytest.skip("OpenVINO is not installed")
    original = draft.image_graph

    def brighter(network, card, suppression):
        changed = replace(card, mean=tuple(mean + 0.1 for mean in card.mean))
        return original(network, changed, suppression)

    monkeypatch.setattr(draft, "image_graph", brighter)
    with pytest.raises(WorkError, match="of 255 in the bytes"):
        convscope.export(Small(), tmp_path / "out", input_size=12, engine="openvino")
    assert [*tmp_path.iterdir()] == []
