"""The lab opens on a trained network, and what cannot be opened does not stop the rest."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import nn

from convscope.errors import RequestError
from convscope.webapp import entrance
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.launch import apart, fill


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, digits_run: Path) -> list[Any]:
    """The calls of `train`, which copies a run."""
    calls: list[Any] = []

    def train(data: str, *, out: Path, **settings: Any) -> None:
        calls.append((data, settings["epochs"]))
        out.mkdir()
        for file in digits_run.iterdir():
            if file.is_file():
                (out / file.name).write_bytes(file.read_bytes())

    monkeypatch.setattr(entrance, "train", train)
    monkeypatch.setattr(entrance, "cache_dir", lambda: tmp_path)
    return calls


def test_the_first_network_is_trained_once_and_kept(trained: list[Any], tmp_path: Path):
    said: list[str] = []
    first = entrance.first_network(said.append)
    assert Path(first).parent == tmp_path / "lab"
    assert entrance.first_network(said.append) == first
    assert len(trained) == len(said) == 1
    assert [path.name for path in (tmp_path / "lab").iterdir()] == [entrance.NAME]
    store = ModelStore()
    fill(store, [first], [])
    [model] = store.models.values()
    assert len(model.images) == 3
    assert model.warning == ""


def test_without_a_training_the_lab_opens_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    def train(*_args: Any, **_settings: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(entrance, "train", train)
    monkeypatch.setattr(entrance, "cache_dir", lambda: tmp_path)
    said: list[str] = []
    assert entrance.first_network(said.append) == "lenet5"
    assert said[-1] == "LeNet-5 stays untrained: the disk is full"
    assert list((tmp_path / "lab").iterdir()) == []


def test_one_bad_network_or_image_stops_no_other(tmp_path: Path):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(good)
    bad.write_bytes(b"no image")
    store, said = ModelStore(), []
    fill(store, ["lenet6", "lenet5"], [bad, good], say=said.append)
    assert [*store.models] == ["lenet5"]
    assert [image.title for image in store.models["lenet5"].images] == ["good.png"]
    assert len(said) == 2
    assert "lenet6" in said[0]
    assert "bad.png" in said[1]
    with pytest.raises(RequestError, match=r"bad\.png"):
        fill(ModelStore(), ["lenet5"], [bad])


def test_images_may_stand_after_the_networks(tmp_path: Path):
    image = tmp_path / "a.png"
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(image)
    assert apart(["lenet5", str(image)], [Path("b.png")]) == (["lenet5"], [image, Path("b.png")])


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def forward(self, image: Any, mask: Any, *, scale: float = 1.0) -> Any:
        return self.fc(image * mask * scale)


def test_a_network_of_two_inputs_is_told_in_a_sentence():
    with pytest.raises(RequestError, match=r"takes 2 inputs \(image, mask\).* Wrap it"):
        fill(ModelStore(), [TwoInputs()], [])
