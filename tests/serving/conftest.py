"""Two small networks, each exported once."""

import shutil

import pytest
import torch
from torch import nn

import convscope
from convscope.card import Card
from tests.serving.servers import served

for package in ("onnx", "onnxruntime", "uvicorn", "prometheus_client", "python_multipart"):
    pytest.importorskip(package)

CARD = Card(
    classes=("cat", "dog", "owl"), input_size=(16, 20), in_channels=3, resize_mode="crop",
    mean=(0.5, 0.4, 0.3), std=(0.25, 0.2, 0.3), reading="whole",
)  # fmt: skip


def network(seed):
    torch.manual_seed(seed)
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    net = nn.Sequential(*layers, nn.Linear(8 * 8 * 10, 3))
    with torch.no_grad():
        net[4].weight *= 4  # so that answers differ from image to image
    net.card = CARD
    return net.eval()


@pytest.fixture(scope="session")
def networks():
    return network(0), network(1)


@pytest.fixture(scope="session")
def exports(tmp_path_factory, networks):
    folder = tmp_path_factory.mktemp("exports")
    for name, net in zip(("first", "second"), networks, strict=True):
        convscope.export(net, folder / name, engine="onnxruntime", threads=1)
    return folder


@pytest.fixture
def folder(exports, tmp_path):
    """A copy of the first, which a test may replace."""
    return shutil.copytree(exports / "first", tmp_path / "served")


@pytest.fixture(scope="module")
def server(exports):
    """A server with the defaults, for all tests of a module that do it no harm."""
    with served(exports / "first", "--threads", 1) as running:
        yield running
