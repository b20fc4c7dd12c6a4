"""The form of a training says of every setting what the settings themselves say."""

import gzip
import io
import math
import struct
import typing
from dataclasses import fields

import pytest
import torch
from PIL import Image

from convscope.data.source import NAMES
from convscope.errors import RequestError
from convscope.recipes import list_recipes
from convscope.runs.folder import Run
from convscope.training.config import TrainConfig
from convscope.webapp.jobs import form as choices
from convscope.zoo import ZOO

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from starlette.testclient import TestClient

from convscope.webapp.jobs.jobs import TrainingJobs
from tests.webapp.fakes import lab


@pytest.fixture(scope="module")
def settings():
    groups = choices.setting_groups(["net.toml"])
    return {one["name"]: one for group in groups for one in group["settings"]}


def test_every_setting_is_in_the_form_or_listed_as_left_out(settings):
    left_out = {one["name"] for one in choices.left_out()}
    assert left_out == {"data_dir", "class_names", "fsdp", "log", "mean", "std"}
    assert set(settings) | left_out == {field.name for field in fields(TrainConfig)}
    assert not set(settings) & left_out


def test_every_setting_shows_the_help_of_its_field(settings):
    left_out = {one["name"]: one for one in choices.left_out()}
    for field in fields(TrainConfig):
        shown = {**settings, **left_out}[field.name]
        assert shown["help"].startswith(field.metadata["setting"].help)
    assert settings["epochs"]["help"] == "Passes over the training images."
    assert settings["optimizer"]["help"].startswith("SGD with momentum, AdamW, or RMSprop")


def test_the_groups_are_those_of_the_command_line_in_their_order():
    groups = choices.setting_groups()
    assert [group["name"] for group in groups] == [
        "Data",
        "Augmentation",
        "Network",
        "Length",
        "Optimizer and learning rate",
        "Loss and sampling",
        "Machine",
    ]
    assert "lr" in [one["name"] for one in groups[4]["settings"]]
    assert "seed" in [one["name"] for one in groups[6]["settings"]]


def test_defaults_are_those_that_are_used(settings):
    for name, data in settings.items():
        used = getattr(TrainConfig(), name)
        assert data["default"] == (list(used) if isinstance(used, tuple) else used)
        assert data["optional"] == (type(None) in typing.get_args(_hint(name)))


def _hint(name):
    return typing.get_type_hints(TrainConfig)[name]


def test_what_may_be_chosen_is_accepted_and_nothing_else(settings):
    chosen = {name: data for name, data in settings.items() if data["kind"] == "choice"}
    assert chosen.pop("model")["choices"] == ["auto", "net.toml", *ZOO]
    assert chosen.pop("recipe")["choices"] == list_recipes()  # it is checked where it is applied
    assert len(chosen) >= 8
    for name, data in chosen.items():
        for choice in data["choices"]:
            assert getattr(TrainConfig.from_dict({name: choice}), name) == choice
        with pytest.raises(RequestError):
            TrainConfig.from_dict({name: "something else"})


SAMPLES = {"number": 0.25, "whole": 3, "text": "a word", "switch": True, "list": [0.25, 0.5]}
SPECIAL = {"window": "40/400"}  # a text of one form
LISTED = ("grades", "label_column")  # texts that may be lists too
NEEDED = {
    "unfreeze_every": {"freeze": "conv1"},
    "swa_lr": {"swa_start": 0.5},
    "weights_layers": {"weights": "net.pt"},
}


def test_a_kind_is_the_type_that_the_setting_takes(settings):
    for name, data in settings.items():
        fitting = {data["kind"]} | ({"number"} if data["kind"] == "whole" else set())
        if data["kind"] == "choice" or name in ("lr_gamma", *NEEDED):
            continue
        TrainConfig.from_dict({name: SPECIAL.get(name, SAMPLES[data["kind"]])})
        for kind, sample in SAMPLES.items():
            if name in LISTED and kind == "list":
                continue
            if kind not in fitting and (data["kind"], kind) != ("number", "whole"):
                with pytest.raises(RequestError):
                    TrainConfig.from_dict({name: sample})


def test_limits_are_those_at_which_settings_are_refused(settings):
    limited = 0
    for name, data in settings.items():
        for end, beyond in (("low", -math.inf), ("high", math.inf)):
            limit = data[end]
            if limit is None or (name, limit) in {
                ("lr", 0),
                ("max_minutes", 0),
                ("lr_gamma", 0),
                ("swa_lr", 0),
                ("val", 0),
            }:
                continue
            limited += 1
            extra = NEEDED.get(name, {})
            whole = data["kind"] == "whole"
            TrainConfig.from_dict({name: int(limit) if whole else limit, **extra})
            over = (
                int(limit) + (1 if beyond > 0 else -1) if whole else math.nextafter(limit, beyond)
            )
            with pytest.raises(RequestError, match="must be"):
                TrainConfig.from_dict({name: over, **extra})
    assert limited >= 30


def test_every_source_says_whether_it_is_here(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVSCOPE_DATA", str(tmp_path))
    before = {one["name"]: one for one in choices.sources()}
    assert list(before) == list(NAMES)
    assert not before["digits"]["needs_download"]
    assert before["digits"]["description"].endswith("already here")
    assert before["mnist"]["needs_download"]
    assert "12 MB" in before["mnist"]["description"]
    _write_idx(tmp_path / "mnist")
    after = {one["name"]: one for one in choices.sources()}
    assert not after["mnist"]["needs_download"]
    assert after["cifar10"]["needs_download"]
    assert "MB" not in after["mnist"]["description"]
    assert not any("MB" in one["description"] for one in (before["digits"], after["mnist"]))


def _write_idx(folder):
    folder.mkdir()
    images = struct.pack(">HBB3I", 0, 8, 3, 2, 28, 28) + bytes(2 * 28 * 28)
    labels = struct.pack(">HBBI", 0, 8, 1, 2) + bytes(2)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))


def test_the_page_gets_all_of_it_in_one_answer(tmp_path):
    known = TrainingJobs(tmp_path, models=["net.toml"])
    data = TestClient(lab(known)).get("/api/training/form").json()
    assert data["groups"] == choices.setting_groups(["net.toml"])
    names = [one["name"] for one in data["networks"]]
    assert names == ["auto", "net.toml", *ZOO]
    assert all(one["description"] for one in data["networks"])
    assert data["local_data"] == []
    zoo = TestClient(lab(known)).get("/api/zoo").json()
    assert [choices.FITTING, *zoo["networks"]] == data["networks"]


def test_the_form_is_previewed_as_a_picture_of_augmented_images(tmp_path):
    page = TestClient(lab(TrainingJobs(tmp_path)))
    asked = {"data": "digits", "settings": {"augment": "digits", "model": "tinyvgg"}}
    answer = page.post("/api/training/augmented", json=asked)
    assert answer.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(answer.content)) as sheet:
        assert sheet.width > 7 * 100
    for wrong, sentence in (
        ({**asked, "data": "elsewhere"}, "This lab has no data 'elsewhere'"),
        ({**asked, "settings": {"rotation": 999}}, "rotation must be between 0 and 180"),
        ({**asked, "settings": {"augment": "os:remove"}}, "cannot be code from the page"),
    ):
        refused = page.post("/api/training/augmented", json=wrong)
        assert refused.status_code == 422
        assert sentence in refused.json()["message"]


def test_a_first_training_says_about_how_long_it_takes(tmp_path, digits_run):
    page = TestClient(lab(TrainingJobs(tmp_path)))
    told = page.get("/api/training/estimate?model=lenet5").json()
    images = Run.open(digits_run).read_config()["dataset"]["train"]
    passes = TrainConfig().epochs * images * 416_520  # multiply-adds of LeNet-5
    assert told["seconds"] == pytest.approx(3 + passes / (6e9 * torch.get_num_threads()))
    assert told["words"] == f"about {told['seconds']:.2g} seconds"
    larger = page.get("/api/training/estimate?model=resnet18").json()
    assert larger["words"].endswith(("minutes", "hours"))
    assert page.get("/api/training/estimate?model=none").json()["seconds"] is None
