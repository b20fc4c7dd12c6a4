"""A run folder that was changed between stop and resume: named field by field, and refused."""

import json
import os
import re
import shutil
import signal
import tomllib

import pytest
import tomli_w

import convscope
from convscope.errors import Interrupted, RequestError
from convscope.runs import own_code
from convscope.runs.folder import Run
from convscope.runs.live_files import Live
from convscope.runs.tensor_file import save_tensors
from convscope.training.config import TrainConfig
from convscope.training.setting import settings_of
from tests.repetition import sample_fast
from tests.training.small import Act, Net, assert_same_bits, state_of, train

OTHER = {
    "task": "ordinal",
    "grades": "a,b",
    "val": 0.2,
    "test": 0.3,
    "split_seed": 1,
    "image_column": "image",
    "label_column": "label",
    "group_column": "group",
    "group_pattern": "(.)",
    "resize_mode": "stretch",
    "window": "40/400",
    "max_corrupt_fraction": 0.5,
    "duplicates": "allow",
    "augment": "crop-flip",
    "crop_padding": 3,
    "crop_padding_mode": "reflect",
    "crop_scale": [0.25, 1.0],
    "crop_ratio": [0.5, 2.0],
    "resize_range": [40.0, 50.0],
    "horizontal_flip": 0.25,
    "vertical_flip": 0.25,
    "rotation": 5.0,
    "translation": 0.25,
    "zoom": [0.5, 2.0],
    "shear": 5.0,
    "brightness": 0.25,
    "contrast": 0.25,
    "saturation": 0.25,
    "hue": 0.25,
    "pca_color": 0.25,
    "auto_augment": "trivial-augment",
    "magnitude": 5,
    "num_ops": 3,
    "random_erasing": 0.25,
    "recipe": "resnet-cifar10",
    "model": "lenet5",
    "input_size": 28,
    "in_channels": 3,
    "weights": "torchvision:resnet18",
    "weights_layers": "0",
    "pretrained": True,
    "class_names": "a,b",
    "mean": [0.5],
    "std": [0.25],
    "freeze": "0",
    "freeze_bn": True,
    "unfreeze_every": 1,
    "early_stopping_patience": 2,
    "restore_best_weights": False,
    "metric": "f1",
    "optimizer": "adamw",
    "lr": 0.125,
    "backbone_lr_scale": 0.5,
    "momentum": 0.5,
    "nesterov": True,
    "weight_decay": 0.25,
    "lr_schedule": "cosine",
    "warmup_epochs": 0.125,
    "lr_gamma": 0.5,
    "lr_milestones": [0.25],
    "lr_patience": 7,
    "clip_grad_norm": 1.5,
    "ema": 0.5,
    "swa_start": 0.5,
    "swa_lr": 0.5,
    "batch_size": 64,
    "accumulate": 2,
    "label_smoothing": 0.25,
    "mixup": 0.25,
    "cutmix": 0.25,
    "class_weights": "balanced",
    "sampling": "balanced",
    "seed": 17,
    "device": "cuda",
    "threads": 3,
    "engine": "lanes",
    "simd_width": 16,
    "precision": "bf16",
    "compile": True,
    "fsdp": True,
}
FREE = {
    "data_dir": "elsewhere", "checkpoint_seconds": 0.0, "cache": "ram", "cache_fraction": 0.25,
    "cache_size": 7.0, "log": "csv",
}  # fmt: skip
LENGTHS = {"epochs": 4, "steps": 35, "max_minutes": 60}
TOGETHER = {
    "unfreeze_every": {"freeze": "0"},
    "swa_lr": {"swa_start": 0.5},
    "weights_layers": {"weights": "torchvision:resnet18"},
}  # what a setting asks for
BOUND_FILES = ["splits.csv", "images.safetensors"]


def stop():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def halfway(tmp_path_factory):
    out = tmp_path_factory.mktemp("halfway") / "run"
    with pytest.raises(Interrupted):
        train(out, callbacks=[Act((15, stop))])
    return out


@pytest.fixture
def run(tmp_path, halfway):
    return shutil.copytree(halfway, tmp_path / "run")


def edit(run, **values):
    path = run / "config.toml"
    config = tomllib.loads(path.read_text())
    for name, value in values.items():
        *tables, key = name.split(".")
        place = config[tables[0]] if tables else config
        place[key] = value
    path.write_text(tomli_w.dumps(config))


def refusal(run):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(RequestError) as caught:
        convscope.resume(run, progress=False)
    assert {path: path.read_bytes() for path in before} == before, "something was written"
    return str(caught.value)


def test_every_setting_has_a_rule():
    assert {*OTHER, *FREE, *LENGTHS} == {*settings_of(TrainConfig)}


@pytest.mark.parametrize("name", sample_fast(4, OTHER))
def test_another_setting_is_named_with_both_values(run, name):
    before = TrainConfig.from_dict(state_settings(run)).to_dict().get(name, "nothing")
    edit(run, **{name: OTHER[name]}, **TOGETHER.get(name, {}))
    message = refusal(run)
    expected = (
        f"{name}: the training ran with {shown(before)}, config.toml says {shown(OTHER[name])}"
    )
    assert expected in message
    assert "Restore it, or start a new run with `convscope train --config" in message


def shown(value):
    return (
        f"({', '.join(map(str, value))}{',' * (len(value) == 1)})"
        if isinstance(value, list)
        else str(value)
    )


def state_settings(run):
    config = state_of(run).metadata["made_with"]["config"]
    return {name: value for name, value in config.items() if name in settings_of(TrainConfig)}


def test_all_that_was_edited_is_listed(run):
    edit(run, lr=0.125, seed=5, batch_size=32, **{"machine.threads": 77, "dataset.train": 1})
    message = refusal(run)
    named = re.findall(r"([a-z_.]+): the training ran with", message)
    assert named == ["lr", "batch_size", "seed", "dataset.train", "machine.threads"]


def test_a_setting_that_is_missing_or_by_another_name_is_the_same(run, undisturbed):
    path = run / "config.toml"
    config = tomllib.loads(path.read_text())
    config["learning_rate"] = config.pop("lr")
    del config["momentum"]  # which is the default
    path.write_text(tomli_w.dumps(config))
    convscope.resume(run, progress=False)
    assert_same_bits(run, undisturbed)


def test_what_changes_no_bit_may_be_edited(run, undisturbed):
    edit(run, **FREE)
    convscope.resume(run, progress=False)
    assert_same_bits(run, undisturbed)


@pytest.mark.parametrize("name", LENGTHS)
def test_an_edited_length_counts_as_one_that_is_given(tmp_path, halfway, run, name):
    edit(run, **{name: LENGTHS[name]})
    notes = Act((17, stop))
    with pytest.raises(Interrupted):
        convscope.resume(run, progress=False, callbacks=[notes])
    assert any("From step 15 on, this is a training of" in note for note in notes.notes)
    if name == "max_minutes":
        return
    result = convscope.resume(run, progress=False)
    given = shutil.copytree(halfway, tmp_path / "given")
    convscope.resume(given, progress=False, **{name: LENGTHS[name]})
    assert_same_bits(run, given)
    assert result.history[-1]["step"] > 30


def test_an_edited_length_of_a_finished_run_counts_too(tmp_path, undisturbed):
    run = shutil.copytree(undisturbed, tmp_path / "run")
    edit(run, epochs=4)
    assert len(convscope.resume(run, progress=False).history) == 4


class Same(Net):
    """The same network under another name."""


def test_other_code_that_a_resume_recorded_before_it_was_killed_is_no_edit(run, undisturbed):
    other = f"{__name__}:Same"
    Run(run).write_config(own_code.renamed(Run(run).read_config(), other))
    convscope.resume(run, model=other, progress=False)
    assert_same_bits(run, undisturbed)


@pytest.mark.parametrize("name", BOUND_FILES)
@pytest.mark.parametrize("how", ["changed", "missing"])
def test_another_file_is_named(run, name, how):
    path = run / name
    path.unlink() if how == "missing" else path.write_bytes(path.read_bytes() + b"\n")
    message = refusal(run)
    assert str(path) in message
    assert "Restore it, or start a new run" in message


TABLE = """
input = "1x16x20"
layers = '''
layer     filters  size  activation
conv1           4     5  relu
pool1           .     2  .
fc1       classes     .  .
'''
"""


def test_another_layer_table_is_named(tmp_path):
    (tmp_path / "net.toml").write_text(TABLE)
    run = tmp_path / "run"
    with pytest.raises(Interrupted):
        train(run, model=str(tmp_path / "net.toml"), callbacks=[Act((2, stop))])
    path = run / "network.toml"
    path.write_text(path.read_text().replace("relu", "tanh"))
    assert str(path) in refusal(run)


@pytest.mark.parametrize("how", ["another loss", "a line less", "no JSON", "missing"])
def test_changed_metrics_are_told_and_restored(run, undisturbed, how):
    path = run / "metrics.jsonl"
    lines = Run(run).read_metrics()
    changed = {
        "another loss": json.dumps({**lines[0], "val_loss": 0.0}) + "\n",
        "a line less": "",
        "no JSON": "{\n",
    }
    path.unlink() if how == "missing" else path.write_text(changed[how])
    notes = Act()
    convscope.resume(run, progress=False, callbacks=[notes])
    assert sum("metrics.jsonl is not as the training wrote it" in note for note in notes.notes) == 1
    assert_same_bits(run, undisturbed)


def test_a_metric_of_an_epoch_after_the_checkpoint_is_no_change(run, undisturbed):
    [line] = Run(run).read_metrics()
    Run(run).write_metrics([line, {**line, "epoch": 2}])
    notes = Act()
    convscope.resume(run, progress=False, callbacks=[notes])
    assert not any("metrics.jsonl" in note for note in notes.notes)
    assert_same_bits(run, undisturbed)


def test_a_resume_without_checkpoints_keeps_the_weights(run):
    weights = (run / "model.safetensors").read_bytes()
    shutil.rmtree(run / "last")
    assert "has weights and no checkpoint" in refusal(run)
    assert (run / "model.safetensors").read_bytes() == weights


def test_weights_that_were_deleted_are_told(run):
    (run / "model.safetensors").unlink()
    with pytest.raises(RequestError, match=r"model.safetensors, the best weights.*is missing"):
        convscope.load(run)


def test_a_refused_resume_leaves_a_finished_run_finished(tmp_path, undisturbed):
    run = shutil.copytree(undisturbed, tmp_path / "finished")
    with pytest.raises(RequestError, match="no more than"):
        convscope.resume(run, steps=1, progress=False)
    assert Live(run).read_now() == Live(undisturbed).read_now()


def test_a_checkpoint_of_an_earlier_version_binds_nothing(run, undisturbed):
    for path in (run / "last").iterdir():
        stored = state_of(run) if path == max((run / "last").iterdir()) else None
        if stored is None:
            path.unlink()
            continue
        metadata = {key: value for key, value in stored.metadata.items() if key != "made_with"}
        save_tensors(path, stored.tensors, metadata)
    convscope.resume(run, progress=False)
    assert_same_bits(run, undisturbed)
