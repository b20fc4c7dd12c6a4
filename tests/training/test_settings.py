"""Settings are checked by name, type and range, and come back from TOML as they went."""

import inspect
import re
import tomllib
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import tomli_w

import convscope
from convscope.errors import RequestError
from convscope.training import config, setting
from convscope.training.config import TrainConfig, decided
from convscope.training.setting import settings_of


def test_settings_survive_toml():
    settings = TrainConfig.from_dict(
        {"lr": 1, "lr_milestones": [0.25, 0.5], "data_dir": "/x", "input_size": 64}
    )
    assert TrainConfig.from_dict(tomllib.loads(tomli_w.dumps(settings.to_dict()))) == settings


def test_the_defaults_are_the_alexnet_recipes_where_it_names_them():
    assert (TrainConfig().momentum, TrainConfig().weight_decay) == (0.9, 0.0005)


@pytest.mark.parametrize(
    ("num_images", "batch_size"), [(1, 8), (160, 8), (320, 16), (1259, 32), (1280, 64), (10**6, 64)]
)
def test_a_small_set_gets_small_batches_and_the_rate_follows(num_images, batch_size):
    resolved = TrainConfig().resolve(num_images)
    assert resolved.batch_size == batch_size
    assert resolved.lr == pytest.approx(0.05 * batch_size / 64)
    assert resolved.resolve(10**6) == resolved
    assert TrainConfig(batch_size=7, lr=0.3, crop_padding=0).resolve(num_images).lr == 0.3
    assert TrainConfig(optimizer="adamw").resolve(num_images).lr == 0.001
    assert TrainConfig(augment="crop-flip").resolve(num_images).crop_padding == 4
    assert TrainConfig(augment="resized-crop").resolve(num_images).crop_padding == 0


def test_every_setting_is_explained_in_sentences():
    known = settings_of(TrainConfig)
    assert list(known) == [field.name for field in fields(TrainConfig)]
    for field in known.values():
        assert re.fullmatch(r"[A-Z][^`]+\.", field.setting.help), field.name
        assert "--" not in field.setting.help


def test_every_default_is_accepted_and_in_range():
    for name, field in settings_of(TrainConfig).items():
        assert field.accepts(field.default), name
        assert TrainConfig.from_dict({name: field.default}) == TrainConfig()


def test_train_shows_its_settings_in_signature_and_docstring():
    parameters = inspect.signature(convscope.train).parameters
    for name, field in settings_of(TrainConfig).items():
        assert parameters[name].default == field.default
        assert parameters[name].annotation == field.type
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert f"\n    {name}: {field.setting.help}\n" in convscope.train.__doc__
    others = [name for name in parameters if name not in settings_of(TrainConfig)]
    assert others == ["data", "out", "callbacks", "progress"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epocs": 3}, "Unknown setting 'epocs'. Did you mean 'epochs'?"),
        ({"learning_rate": 1, "lr": 1}, "`learning_rate` and `lr` are the same"),
        ({"learning_rate": -1}, "`lr` must be above 0"),
        ({"epochs": "many"}, "`epochs` must be an integer, not 'many'."),
        ({"epochs": True}, "`epochs` must be an integer"),
        ({"epochs": 2.5}, "`epochs` must be an integer"),
        ({"lr_schedule": "sawtooth"}, "'plateau' or 'step'"),
        ({"compile": 1}, "`compile` must be true or false"),
        ({"lr_milestones": [0.5, "x"]}, "a list of numbers"),
        ({"lr": -1}, "`lr` must be above 0 and at most 1,000,000, not -1."),
        ({"lr": 0}, "`lr` must be above 0"),
        ({"batch_size": 0}, "`batch_size` must be between 1 and 1,000,000, not 0."),
        ({"momentum": 1.5}, "`momentum` must be between 0 and 1, not 1.5."),
        ({"seed": -1}, "`seed` must be at least 0, not -1."),
        ({"lr_gamma": 10}, "`lr_gamma` must be above 0 and at most 1"),
        ({"lr_milestones": [0.5, 2.0]}, "`lr_milestones` must be between 0 and 1, not 0.5, 2."),
        ({"crop_scale": [0.5]}, "`crop_scale` must be two numbers above 0 and at most 1, the sma"),
        ({"crop_scale": [0.5, 0.1]}, "the smaller one first, not 0.5, 0.1."),
        ({"crop_scale": [0, 1]}, "`crop_scale` must be two numbers above 0"),
        ({"crop_ratio": [1, 2000]}, "`crop_ratio` must be two numbers above 0 and at most 1,000"),
        ({"steps": 3, "max_minutes": 1}, "`steps` and `max_minutes` exclude each other"),
        ({"unfreeze_every": 2}, "`unfreeze_every` needs `freeze`"),
        ({"backbone_lr_scale": 1.5}, "`backbone_lr_scale` must be between 0 and 1"),
        ({"lr": float("nan")}, "`lr` must be above 0"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_keyword(values, message):
    with pytest.raises(RequestError, match=re.escape(message)):
        TrainConfig.from_dict(values)


@pytest.mark.parametrize(
    ("given", "size"),
    [
        (64, 64),
        ((64, 48), (64, 48)),
        ([64, 48], (64, 48)),
        ("64x48", (64, 48)),
        ("64, 48", (64, 48)),
        ((64, 64), 64),
        ("64", 64),
        ((np.int64(64), np.int32(48)), (64, 48)),
        (None, None),
    ],
)
def test_an_input_size_is_one_side_or_two(given, size):
    config = TrainConfig.from_dict({"input_size": given})
    assert config.input_size == size
    assert TrainConfig.from_dict(tomllib.loads(tomli_w.dumps(config.to_dict()))) == config


def test_numbers_of_numpy_are_numbers():
    config = TrainConfig.from_dict({"epochs": np.int64(3), "lr": np.float32(0.5)})
    assert (config.epochs, config.lr) == (3, 0.5)
    assert (type(config.epochs), type(config.lr)) == (int, float)
    with pytest.raises(RequestError, match="`epochs` must be an integer"):
        TrainConfig.from_dict({"epochs": np.float64(3)})


@pytest.mark.parametrize("given", [(64,), (1, 2, 3), "64x", (64.0, 48), True, (0, 3), "0", -1])
def test_a_wrong_input_size_is_refused(given):
    with pytest.raises(RequestError, match="`input_size` must be"):
        TrainConfig.from_dict({"input_size": given})


def test_the_command_line_takes_two_sides_and_so_does_a_file(tmp_path, command):
    words = ("train", "--model", "tinyvgg", "--steps", 1, "--engine", "torch")
    first = command(*words, "--input-size", "16x12", "--out", tmp_path / "a")
    assert "3x16x12" in first.stdout
    config = tmp_path / "a" / "config.toml"
    assert "3x16x12" in command("train", "--config", config, "--out", tmp_path / "b").stdout
    refused = command(*words, "--input-size", "16x", code=2).stderr
    assert "'16x' is no size in pixels, such as 224 or 224x160" in refused


def test_an_error_in_a_file_names_the_file_and_the_key():
    with pytest.raises(RequestError, match=r"^net\.toml: lr must be above 0"):
        TrainConfig.from_dict({"lr": 0}, source="net.toml")


def test_a_setting_that_is_still_open_cannot_be_used():
    assert decided(TrainConfig().resolve(100).batch_size) == 8
    with pytest.raises(ValueError, match="resolve"):
        decided(TrainConfig().batch_size)


def test_settings_know_nothing_of_the_command_line():
    source = (Path(config.__file__).read_text(), Path(setting.__file__).read_text())
    assert not re.search(r"cyclopts|[\" ]--[a-z]", "".join(source))
