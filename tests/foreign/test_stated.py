"""What a user states of a foreign network's classes and images holds in every command."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import convscope
from convscope.cli import main as run_main
from convscope.errors import RequestError
from convscope.models import open_model
from convscope.weights.preprocessing import InputSettings
from tests.foreign.test_training import convnetjs

NAMES = "ash,birch,cedar,fir,oak"


def main(words):
    with pytest.raises(SystemExit) as ended:
        run_main(words)
    return ended.value.code or 0


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return convnetjs(tmp_path_factory.mktemp("foreign") / "net")


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (8, 8, 3), np.uint8)).save(path)
    return path


@pytest.mark.parametrize("command", ["predict", "explain", "attribute", "maps"])
def test_classes_are_named(command, path, photo, tmp_path, capsys):
    extra = {
        "attribute": ["--target", "oak", "--random-orders", "0"],
        "maps": ["--rank", "importance", "--target", "oak", "-o", str(tmp_path / "maps.png")],
    }
    words = [command, str(path), str(photo), "--class-names", NAMES, *extra.get(command, [])]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert any(name in said for name in NAMES.split(","))


def test_pixels_are_as_stated(path, photo, capsys):
    """A network that is shown half the contrast answers as for an image of half the contrast."""
    pixels = np.asarray(Image.open(photo)).transpose(2, 0, 1) / np.float32(255)
    net = convscope.create_model(path)
    expected = convscope.explain(net, torch.from_numpy(np.float32(pixels / 2)), at=3).model_value
    words = ["explain", str(path), str(photo), "--mean", "0", "--std", "2", "--at", "3", "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["model_value"] == pytest.approx(expected, rel=1e-6)


def test_an_export_has_the_names_and_the_pixels(path):
    settings = InputSettings(mean=0.2, std=0.5)
    opened = open_model(str(path), settings=settings, class_names=NAMES.split(","))
    assert opened.card.classes == tuple(NAMES.split(","))
    assert (opened.card.mean, opened.card.std) == ((0.2,) * 3, (0.5,) * 3)
    assert not opened.is_assumed
    with pytest.raises(RequestError, match="3 names, and the network has 5 outputs"):
        open_model(str(path), class_names=["a", "b", "c"])


def test_data_of_other_names_ask_for_the_names_of_the_outputs(path, tmp_path, photo, capsys):
    for name in NAMES.split(","):
        (tmp_path / name).mkdir()
        Image.open(photo).save(tmp_path / name / "1.png")
    assert main(["evaluate", str(path), str(tmp_path)]) == 2
    assert "0 to 4. Name them, in their order, with --class-names" in capsys.readouterr().err
    assert main(["evaluate", str(path), str(tmp_path), "--class-names", NAMES]) == 0


def test_a_network_without_weights_has_as_many_classes_as_it_returns():
    net = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d((1, 4)), torch.nn.Flatten())
    assert len(open_model(net, input_size=8).card.classes) == 12
    assert len(open_model(net).card.classes) == 12
