"""A small network, exported once for all tests here."""

import shutil

import pytest
import torch
from torch import nn

import convscope
from convscope.card import Card

CARD = Card(
    classes=("cat", "dog", "owl"), input_size=(16, 20), in_channels=3, resize_mode="crop",
    mean=(0.5, 0.4, 0.3), std=(0.25, 0.2, 0.3), reading="fast",
)  # fmt: skip


def small_network(card=CARD):
    """A network with random weights, whose answers differ from image to image."""
    torch.manual_seed(0)
    height, width = card.input_size
    net = nn.Sequential(
        nn.Conv2d(card.in_channels, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * (height // 2) * (width // 2), len(card.classes)),
    )
    net.card = card
    return net.eval()


@pytest.fixture(scope="session")
def _exported(tmp_path_factory):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("exported") / "small"
    convscope.export(small_network(), folder, engine="onnxruntime", threads=1)
    return folder


@pytest.fixture
def exported(_exported, tmp_path):
    """A copy of the exported network, which a test may damage."""
    return shutil.copytree(_exported, tmp_path / "small")
