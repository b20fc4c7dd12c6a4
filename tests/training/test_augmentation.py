"""Augmentation in trainings: settings, workers, restarts, the user's own function."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

import convscope
from convscope.card import Card
from convscope.data.digits import digit_images
from convscope.errors import Interrupted, RequestError
from convscope.runs.folder import Run
from convscope.training import own_augmentation
from convscope.training.augmentation import evaluated_side, kept_side
from convscope.training.augmentation_settings import SETS
from convscope.training.config import TrainConfig
from convscope.training.made_with import settings_in
from tests.training.small import Act

ALL = dict(
    augment="crop-flip", vertical_flip=0.5, rotation=30, translation=0.1, zoom=(0.9, 1.1), shear=5,
    brightness=0.3, contrast=0.3, saturation=0.3, hue=0.05, pca_color=0.1,
    auto_augment="rand-augment", random_erasing=0.3,
)  # fmt: skip
WORDS = dict(model="tinyvgg", epochs=2, batch_size=5, threads=1, engine="torch")


def weights(run):
    return Run.open(run).read_weights().tensors


def same(one, other):
    one, other = weights(one), weights(other)
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.parametrize(
    "how",
    [ALL, {**ALL, "augment": "scaled-crop-flip", "resize_range": (16, 24), "input_size": 12}],
    ids=["shifted", "scaled"],
)
def test_memory_files_and_a_stop_give_the_same_bits(tmp_path, image_folder, how):
    words = {"input_size": 16, **WORDS, **how}
    whole = convscope.train(str(image_folder), out=tmp_path / "whole", **words)
    stop = Act((7, lambda: os.kill(os.getpid(), signal.SIGINT)))
    with pytest.raises(Interrupted):
        convscope.train(
            str(image_folder), out=tmp_path / "stopped", cache_fraction=0.0, callbacks=[stop],
            **words,
        )  # fmt: skip
    stopped = convscope.resume(tmp_path / "stopped")
    assert same(whole.run, stopped.run)
    assert whole.test.loss == stopped.test.loss


@pytest.mark.parametrize("name", SETS)
def test_a_set_fills_what_is_open_and_nothing_else(name):
    config = TrainConfig(augment=name, brightness=0.25, rotation=5).resolve(1000)
    assert (config.brightness, config.rotation) == (0.25, 5)
    for setting, value in SETS[name].items():
        assert getattr(config, setting) in (value, 0.25, 5)
    assert config.augment == name
    assert config.resolve(1000) == config
    off = TrainConfig().resolve(1000)
    assert (off.rotation, off.zoom, off.auto_augment, off.random_erasing) == (0, (1, 1), "none", 0)


def test_runs_of_before_go_on_as_they_were():
    """Their config.toml has none of the newer settings."""
    old = {"augment": "crop-flip", "crop_padding": 4, "crop_scale": [0.08, 1.0]}
    decided = settings_in(old, source="config.toml").augmentation_decided()
    assert (decided["crop_padding"], decided["horizontal_flip"]) == (4, 0.5)
    assert decided["rotation"] == decided["brightness"] == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"augment": "flipp"}, "`augment` must be 'none' or .* own function as module:attr"),
        ({"rotation": 200}, "`rotation` must be between 0 and 180, not 200"),
        ({"hue": 0.6}, "`hue` must be between 0 and 0.5"),
        ({"zoom": [1.1, 0.9]}, "`zoom` must be two numbers above 0 .* smaller one first"),
        ({"zoom": [1.1]}, "`zoom` must be two numbers"),
        ({"magnitude": 31}, "`magnitude` must be between 0 and 30"),
        ({"auto_augment": "augmix"}, "Choose rand-augment or trivial-augment"),
    ],
)
def test_what_is_wrong_is_refused(values, message):
    with pytest.raises(RequestError, match=message):
        TrainConfig.from_dict(values)


@pytest.mark.parametrize(
    ("given", "kept", "evaluated"),
    [((256, 256), 256, 256), ((256, 512), 512, 384), ((256, 480), 480, 368), (None, 256, 256)],
)
def test_images_are_kept_at_the_largest_scale_and_evaluated_in_its_middle(given, kept, evaluated):
    """Simonyan & Zisserman, section 3.2: Q = 0.5 (Smin + Smax) = 384."""
    config = TrainConfig(augment="scaled-crop-flip", resize_range=given)
    known = Card(
        classes=("a", "b"), input_size=(224, 224), in_channels=3, resize_mode="crop",
        mean=(0.5,) * 3, std=(1.0,) * 3,
    )  # fmt: skip
    assert (kept_side(config, known), evaluated_side(config, known)) == (kept, evaluated)
    assert kept_side(TrainConfig(augment="medical"), known) is None


def test_a_range_of_scales_below_the_input_is_refused(tmp_path, image_folder):
    with pytest.raises(RequestError, match="`resize_range` begins at 8 pixels, less than"):
        convscope.train(
            str(image_folder), out=tmp_path / "run", model="tinyvgg", input_size=12,
            augment="scaled-crop", resize_range=(8, 16),
        )  # fmt: skip
    assert not (tmp_path / "run").exists()


CODE = """
import torch

def noisy(image):
    return (image // 2 + torch.randint(100, image.shape)).byte()

class Shift:
    def __init__(self, by):
        self.by = by
    def __call__(self, image):
        return image.roll(self.by, 2)

shift, number = Shift(1), 7
"""
SHORT = dict(epochs=1, engine="torch", threads=1, model="lenet5")


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of the user's own in the current folder."""
    name = f"augmenting_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield name
    sys.modules.pop(name, None)


def digits(n=160):
    pixels, labels = digit_images()
    return pixels[:n], labels[:n]


def test_a_function_is_named_or_handed_over_with_the_same_result(tmp_path, module):
    data = digits()
    named = convscope.train(data, augment=f"{module}:noisy", out=tmp_path / "named", **SHORT)
    function = sys.modules[module].noisy
    handed = convscope.train(data, augment=function, out=tmp_path / "handed", **SHORT)
    assert same(named.run, handed.run)
    assert Run.open(handed.run).read_config()["augment"] == f"{module}:noisy"
    plain = convscope.train(data, augment="none", out=tmp_path / "plain", **SHORT)
    assert not same(named.run, plain.run)


def test_an_object_is_needed_again_and_a_name_needs_consent(tmp_path, module):
    data, stop = digits(), Act((9, lambda: os.kill(os.getpid(), signal.SIGINT)))
    convscope.train(data, augment=f"{module}:shift", out=tmp_path / "whole", **SHORT)
    shift = sys.modules[module].Shift(1)
    with pytest.raises(Interrupted):
        convscope.train(data, augment=shift, callbacks=[stop], out=tmp_path / "object", **SHORT)
    own_augmentation._objects.clear()
    with pytest.raises(
        RequestError, match=r"augmented by Shift, which was handed .* Pass it again"
    ):
        convscope.resume(tmp_path / "object", data=data)
    resumed = convscope.resume(tmp_path / "object", data=data, augment=shift)
    assert same(tmp_path / "whole", resumed.run)
    np.savez(tmp_path / "d.npz", *data)
    code = (
        "import numpy as np, convscope\n"
        "data = tuple(np.load('d.npz').values())\n"
        "try:\n"
        "    convscope.resume('whole', epochs=2, data=data)\n"
        "except convscope.ConvscopeError as error:\n"
        "    print(error)\n"
        "convscope.resume('whole', epochs=2, data=data, trust=True, progress=False)\n"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert (
        f"`trust=True`; or name code of your own, in its folder: `augment={module}:" in done.stdout
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nowhere_at_all:f", "There is no module 'nowhere_at_all'"),
        ("{module}:missing", "has no 'missing'"),
        ("{module}:number", "is of type int: not callable"),
        ("{module}:Shift", "is a class. Name an instance of it"),
        (int, "`augment` is the class int. Pass an instance"),
        (lambda image: image.float(), r"returned float32 of shape \(1, 32, 32\)"),
    ],
)
def test_a_function_that_cannot_be_used_is_refused_before_a_run_begins(
    tmp_path, module, given, message
):
    augment = given.format(module=module) if isinstance(given, str) else given
    with pytest.raises(RequestError, match=message):
        convscope.train("digits", augment=augment, out=tmp_path / "run", **SHORT)
    assert not (tmp_path / "run").exists()


def test_a_file_names_no_function_by_itself(tmp_path, module, command):
    (tmp_path / "a.toml").write_text(f'augment = "{module}:shift"\n')
    refused = command("train", "--config", "a.toml", "--out", "run", code=2).stderr
    assert f"--augment {module}:shift" in refused


def test_the_compiled_engine_takes_images_as_they_are_augmented(tmp_path):
    pytest.importorskip("llvmlite")
    words = dict(model="lenet5", steps=6, threads=1, batch_size=16)
    how = dict(augment="digits", brightness=0.2, random_erasing=0.5)
    runs = [
        convscope.train("digits", out=tmp_path / engine, engine=engine, **words, **how).run
        for engine in ("torch", "lanes")
    ]
    one, other = map(weights, runs)
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], rtol=1e-3, atol=1e-5)
    flipped = [
        convscope.train(
            "digits", out=tmp_path / f"{engine}2", engine=engine, augment="none",
            horizontal_flip=0.5, **words,
        ).run
        for engine in ("torch", "lanes")
    ]  # fmt: skip
    one, other = map(weights, flipped)
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], rtol=1e-3, atol=1e-5)
