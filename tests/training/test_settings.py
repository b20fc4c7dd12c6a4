"""Settings are checked by name, type and range, and come back from TOML as they went."""

import tomllib
from dataclasses import fields

import pytest
import tomli_w

from convscope.errors import RequestError
from convscope.training.config import TrainConfig


def test_settings_survive_toml():
    settings = TrainConfig.of(
        {"lr": 1, "lr_milestones": [0.25, 0.5], "data_dir": "/x", "input_size": 64}
    )
    assert TrainConfig.of(tomllib.loads(tomli_w.dumps(settings.to_dict()))) == settings


def test_the_defaults_are_the_alexnet_recipes_where_it_names_them():
    assert (TrainConfig().momentum, TrainConfig().weight_decay) == (0.9, 0.0005)


@pytest.mark.parametrize(
    ("pictures", "batch_size"), [(1, 8), (160, 8), (320, 16), (1259, 32), (1280, 64), (10**6, 64)]
)
def test_a_small_set_gets_small_batches_and_the_rate_follows(pictures, batch_size):
    config = TrainConfig().resolve(pictures)
    assert config.batch_size == batch_size
    assert config.lr == pytest.approx(0.05 * batch_size / 64)
    assert config.resolve(10**6) == config
    assert TrainConfig(batch_size=7, lr=0.3, crop_padding=0).resolve(pictures).lr == 0.3
    assert TrainConfig(optimizer="adamw").resolve(pictures).lr == 0.001
    assert TrainConfig(augment="crop-flip").resolve(pictures).crop_padding == 4


def test_every_setting_is_explained():
    assert TrainConfig.__doc__
    for field in fields(TrainConfig):
        assert f"\n        {field.name}: " in TrainConfig.__doc__


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"epoch": 3}, "Did you mean 'epochs'"),
        ({"learning_rate": 1}, "no setting 'learning_rate'"),
        ({"epochs": "many"}, "epochs must be a whole number"),
        ({"epochs": True}, "epochs must be a whole number"),
        ({"epochs": 2.5}, "epochs must be a whole number"),
        ({"lr_schedule": "linear"}, "'plateau' or 'step'"),
        ({"compile": 1}, "compile must be true or false"),
        ({"lr_milestones": [0.5, "x"]}, "list of numbers"),
        ({"lr": -1}, "--lr must be between 0 and 1e"),
        ({"lr": 0}, "--lr must be above 0"),
        ({"batch_size": 0}, "--batch-size must be between 1 and 1e"),
        ({"momentum": 1.5}, "--momentum must be between 0 and 1"),
        ({"lr_milestones": [0.5, 2.0]}, "--lr-milestones"),
        ({"steps": 3, "max_minutes": 1}, "choose one"),
        ({"val": 0, "lr_schedule": "plateau"}, "--val 0"),
        ({"val": 0, "early_stopping_patience": 2}, "--val 0"),
        ({"unfreeze_every": 2}, "--unfreeze-every lets go what --freeze holds"),
        ({"backbone_lr_scale": 1.5}, "--backbone-lr-scale must be between 0 and 1"),
        ({"lr": float("nan")}, "--lr"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(words, told):
    with pytest.raises(RequestError, match=told):
        TrainConfig.of(words)
