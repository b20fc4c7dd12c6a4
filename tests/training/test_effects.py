"""A setting without effect is told or refused, if a person gave it, and only then."""

import tomllib
from dataclasses import replace

import numpy as np
import pytest
import tomli_w

import convscope.training.launched
from convscope.cli import main
from convscope.data.dataset import ArrayImages, Dataset
from convscope.errors import RequestError
from convscope.training.config import TrainConfig
from convscope.training.effects import check_validation, without_effect, without_effect_on
from convscope.training.setting import settings_of

# Each with a value, and every setting that takes its effect away: written by hand.
IN_VAIN = [
    ("momentum", 0.5, {"optimizer": "adamw"}),
    ("momentum", 0.0, {"optimizer": "adamw"}),
    ("nesterov", True, {"optimizer": "adamw"}),
    ("nesterov", True, {"optimizer": "rmsprop"}),
    ("lr_patience", 5, {"lr_schedule": "cosine"}),
    ("lr_patience", 0, {"lr_schedule": "constant"}),
    ("lr_patience", 5, {"lr_schedule": "step"}),
    ("lr_patience", 5, {"lr_schedule": "one-cycle"}),
    ("lr_milestones", [0.2], {"lr_schedule": "cosine"}),
    ("lr_milestones", [0.2], {"lr_schedule": "plateau"}),
    ("lr_milestones", [0.2], {"lr_schedule": "constant"}),
    ("lr_milestones", [0.2], {"lr_schedule": "one-cycle"}),
    ("lr_gamma", 0.5, {"lr_schedule": "cosine"}),
    ("lr_gamma", 0.5, {"lr_schedule": "constant"}),
    ("lr_gamma", 0.5, {"lr_schedule": "linear"}),
    ("lr_gamma", 0.5, {"lr_schedule": "one-cycle"}),
    ("warmup_epochs", 2, {"max_minutes": 1.0}),
    ("warmup_epochs", 2, {"lr_schedule": "one-cycle"}),
    ("crop_padding", 3, {"augment": "none"}),
    ("crop_padding", 3, {"augment": "resized-crop"}),
    ("crop_padding", 3, {"augment": "resized-crop-flip"}),
    ("crop_padding_mode", "reflect", {"augment": "none"}),
    ("crop_padding_mode", "reflect", {"augment": "scaled-crop"}),
    ("crop_scale", [0.2, 1], {"augment": "none"}),
    ("crop_scale", [0.2, 1], {"augment": "crop-flip"}),
    ("crop_ratio", [1, 1], {"augment": "crop"}),
    ("resize_range", [256, 480], {"augment": "crop"}),
    ("magnitude", 5, {"auto_augment": "trivial-augment"}),
    ("num_ops", 3, {"auto_augment": "trivial-augment"}),
    ("epochs", 5, {"steps": 100}),
    ("epochs", 5, {"max_minutes": 1.0}),
    ("simd_width", 8, {"engine": "torch"}),
    ("cache_size", 5.0, {"cache": "ram"}),
    ("cache_fraction", 0.3, {"cache": "none"}),
    ("grades", "a, b", {"task": "multi-label"}),
]

IN_EFFECT = [
    ("momentum", 0.5, {}),
    ("momentum", 0.5, {"optimizer": "rmsprop"}),
    ("nesterov", True, {}),
    ("lr_patience", 5, {"lr_schedule": "plateau"}),
    ("lr_milestones", [0.2], {"lr_schedule": "step"}),
    ("lr_gamma", 0.5, {"lr_schedule": "step"}),
    ("lr_gamma", 0.5, {"lr_schedule": "plateau"}),
    ("warmup_epochs", 2, {}),
    ("warmup_epochs", 0, {"max_minutes": 1.0}),
    ("crop_padding", 3, {"augment": "crop-flip"}),
    ("crop_padding", 0, {"augment": "none"}),
    ("crop_padding_mode", "reflect", {"augment": "crop"}),
    ("crop_scale", [0.2, 1], {"augment": "resized-crop"}),
    ("crop_ratio", [1, 1], {"augment": "resized-crop-flip"}),
    ("crop_scale", [0.2, 1], {"augment": "photo"}),
    ("resize_range", [256, 480], {"augment": "scaled-crop-flip"}),
    ("magnitude", 5, {"auto_augment": "rand-augment"}),
    ("epochs", 5, {}),
    ("simd_width", 8, {"engine": "lanes"}),
]


@pytest.mark.parametrize(("name", "value", "others"), IN_VAIN)
def test_a_setting_without_effect_is_told_with_what_takes_it_away(name, value, others):
    config = TrainConfig.from_dict({name: value, **others})
    [sentence] = without_effect(config, {name, *others})
    [(other, other_value)] = others.items()
    assert sentence.startswith(f"`{name}")
    assert f"`{other}={other_value!r}`" in sentence
    assert without_effect(config, others) == []  # a config lists it, nobody gave it


@pytest.mark.parametrize(("name", "value", "others"), IN_EFFECT)
def test_a_setting_with_an_effect_is_not_told(name, value, others):
    assert without_effect(TrainConfig.from_dict({name: value, **others}), {name, *others}) == []


def test_every_condition_of_a_setting_is_among_these_cases():
    covered = {(name, other) for name, _, others in IN_VAIN for other in others}
    stated = {
        (name, other)
        for name, field in settings_of(TrainConfig).items()
        for other in field.setting.only_if
    }
    assert stated == covered


def test_a_condition_names_settings_and_values_that_exist():
    known = settings_of(TrainConfig)
    for name, field in known.items():
        for other, values in field.setting.only_if.items():
            for value in values:
                assert known[other].accepts(value), f"{name}: {other}={value!r}"


def test_both_ways_of_balancing_together_are_refused():
    with pytest.raises(RequestError, match="choose one"):
        TrainConfig(class_weights="balanced", sampling="balanced")


def dataset(*splits):
    pixels = np.zeros((len(splits), 4, 4), np.uint8)
    return Dataset(
        name="x",
        classes=("a",),
        images=ArrayImages(pixels),
        labels=np.zeros(len(splits), np.int64),
        split=np.array(splits),
    )


def test_fractions_for_splits_that_the_data_has_are_told():
    given = {"val", "test", "split_seed", "data_dir"}
    assert without_effect_on(dataset("", ""), "mnist", given) == []
    told = without_effect_on(dataset("train", "val"), "folder", given)
    assert [sentence.partition(" ")[0] for sentence in told] == ["`val`", "`data_dir`"]
    told = without_effect_on(dataset("train", "val", "test"), "mnist", given)
    assert [sentence.partition(" ")[0] for sentence in told] == ["`val`", "`test`", "`split_seed`"]


@pytest.mark.parametrize("settings", [{"lr_schedule": "plateau"}, {"early_stopping_patience": 2}])
def test_what_needs_validation_images_is_refused_without_any(settings):
    config = TrainConfig(val=0, **settings)
    with pytest.raises(RequestError, match="needs validation images, and `val=0` holds out none"):
        check_validation(config, dataset("train", "test"), settings)
    assert check_validation(config, dataset("train", "val"), settings) == []  # the data's own


def test_the_metric_of_no_validation_is_told():
    config = TrainConfig(val=0, metric="f1")
    [sentence] = check_validation(config, dataset("train", "test"), {"metric"})
    assert "`metric='f1'` has no effect" in sentence
    assert check_validation(config, dataset("train", "test"), ()) == []


def given_on(monkeypatch, *words):
    """What `convscope train` takes for given by a person."""
    seen = []

    def train_run(_data, config, *, given, **_others):
        seen.append((config, given))
        raise RequestError("seen")

    monkeypatch.setattr(convscope.training.launched, "train_together", train_run)
    with pytest.raises(SystemExit):
        main(["train", *map(str, words)])
    return seen[0]


def test_flags_are_given_and_defaults_are_not(monkeypatch):
    config, given = given_on(monkeypatch, "--lr-patience", "3", "--steps=5")
    assert given == {"lr_patience", "steps"}
    assert type(config) is TrainConfig
    assert config == TrainConfig(steps=5)
    assert given_on(monkeypatch)[1] == set()


def test_settings_of_a_file_are_given_but_those_of_a_run_are_not(tmp_path, monkeypatch):
    file = tmp_path / "mine.toml"
    file.write_text('lr_patience = 3\nlr_schedule = "cosine"\n')
    assert given_on(monkeypatch, "--config", file)[1] == {"lr_patience", "lr_schedule"}
    run = TrainConfig(lr_patience=4, augment="none").resolve(100).to_dict()
    file.write_text(tomli_w.dumps({**run, "versions": {"convscope": "1"}}))
    config, given = given_on(monkeypatch, f"--config={file}")
    assert given == set()
    assert config.lr_patience == 4
    _, given = given_on(monkeypatch, "--config", file, "--lr-patience", "7", "--optimizer", "adamw")
    assert given == {"lr_patience", "optimizer"}


def test_the_command_line_tells_in_flags_and_python_in_keywords(tmp_path, command):
    done = command(
        "train", "--steps", 1, "--engine", "torch", "--lr-patience", 5, "--out", tmp_path / "a"
    )
    sentence = (
        "--lr-patience 5 has no effect with --lr-schedule cosine, only with --lr-schedule plateau."
    )
    assert done.stdout.splitlines()[0] == sentence
    again = command("train", "--config", tmp_path / "a" / "config.toml", "--out", tmp_path / "b")
    assert "no effect" not in again.stdout


def test_a_config_of_a_run_has_no_open_warm_up():
    resolved = TrainConfig().resolve(1000)
    assert tomllib.loads(tomli_w.dumps(resolved.to_dict()))["warmup_epochs"] == 1.0
    assert TrainConfig(epochs=2).resolve(1000).warmup_epochs == pytest.approx(0.4)
    assert TrainConfig(steps=32, batch_size=10).resolve(160).warmup_epochs == pytest.approx(0.4)
    assert TrainConfig(lr_schedule="one-cycle").resolve(1000).warmup_epochs == 0
    assert TrainConfig(max_minutes=1).resolve(1000).warmup_epochs == 0
    assert replace(TrainConfig(), warmup_epochs=3.0, epochs=2).resolve(9).warmup_epochs == 3
