"""A run is trained for longer: from where it is, safe under kills, by a stated schedule."""

import json
import os
import re
import shutil
import tomllib

import numpy as np
import pytest

import convscope
from convscope.errors import Interrupted, RequestError
from convscope.runs.folder import Run
from convscope.training.callbacks.base import Callback
from tests.conftest import make_image_folder
from tests.training.small import Net, assert_same_bits, state_of
from tests.training.test_resume import Killed, StopAt

MODEL = dict(model=f"{Net.__module__}:Net", input_size=32, in_channels=1)
SETTINGS = dict(
    batch_size=16,
    checkpoint_seconds=0.0,
    engine="torch",
    progress=False,
    lr_schedule="cosine",
    warmup_epochs=0,
    **MODEL,
)


class Notes(Callback):
    def __init__(self):
        self.texts = []

    def on_message(self, event):
        self.texts.append(event.text)


class Rates(Callback):
    """The learning rate of each step."""

    def __init__(self):
        self.rates = {}

    def on_step_end(self, state, event):
        self.rates[event.step] = event.lr


@pytest.fixture(scope="module")
def fruit(tmp_path_factory):
    return make_image_folder(tmp_path_factory.mktemp("data") / "fruit", ("a", "b", "c"), each=12)


@pytest.fixture(scope="module")
def short(fruit, tmp_path_factory):
    """Two epochs of two steps. Look, do not write."""
    out = tmp_path_factory.mktemp("short") / "run"
    convscope.train(fruit, out=out, epochs=2, **SETTINGS)
    return out


@pytest.fixture
def run(short, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(short, out)
    return out


def resume(run, **options):
    return convscope.resume(run, progress=False, **options)


def test_a_finished_run_says_so_with_the_way_on_and_stays_as_it_is(run, short):
    notes = Notes()
    result = resume(run, callbacks=[notes])
    assert len(notes.texts) == 1
    assert "is finished: it was trained for 2 epochs and tested" in notes.texts[0]
    assert "`epochs=4`" in notes.texts[0]
    assert result.test.to_dict() == json.loads((short / "test.json").read_text())
    assert [*result.history] == Run(short).read_metrics()
    assert_same_bits(run, short)


def test_a_finished_run_is_told_even_if_its_data_are_gone(run, fruit, tmp_path):
    config = run / "config.toml"
    config.write_text(config.read_text().replace(str(fruit), str(tmp_path / "gone")))
    assert resume(run).test.num_images == 6


def test_a_finished_run_whose_report_is_missing_gets_it(run):
    (run / "report.html").unlink()
    resume(run)
    assert (run / "report.html").exists()


def test_longer_goes_on_as_a_training_of_that_length(run):
    notes, rates = Notes(), Rates()
    before = (run / "report.html").read_text(), (run / "test.json").read_text()
    result = resume(run, epochs=4, callbacks=[notes, rates])
    peak = tomllib.loads((run / "config.toml").read_text())["lr"]
    cosine = [peak * (1 + np.cos(np.pi * step / 8)) / 2 for step in range(4, 8)]
    assert [*rates.rates] == [5, 6, 7, 8]
    assert [*rates.rates.values()] == pytest.approx(cosine)
    told = next(text for text in notes.texts if text.startswith("From step 4 on"))
    assert "a training of 4 epochs" in told
    assert f"goes on at {cosine[0]:.3g}, where it had come down to 0" in told
    assert len(result.history) == 4
    assert (run / "report.html").read_text() != before[0]
    assert result.test.num_images == 6
    config = tomllib.loads((run / "config.toml").read_text())
    assert config["epochs"] == 4
    assert config["lengthened"] == {"step": 4, "before": "2 epochs"}
    again = Notes()
    resume(run, callbacks=[again])
    assert "trained for 4 epochs" in again.texts[0]


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_a_schedule_without_a_length_gives_the_bits_of_a_long_training(tmp_path, fruit, schedule):
    settings = {**SETTINGS, "lr_schedule": schedule}
    convscope.train(fruit, out=tmp_path / "long", epochs=4, **settings)
    convscope.train(fruit, out=tmp_path / "short", epochs=2, **settings)
    notes = Notes()
    resume(tmp_path / "short", epochs=4, callbacks=[notes])
    assert_same_bits(tmp_path / "short", tmp_path / "long")
    assert any("the learning rate stays at" in text for text in notes.texts)


@pytest.mark.parametrize(
    ("length", "message"),
    [
        ({"epochs": 2}, None),  # as it is
        ({"epochs": 1}, "`epochs=1` is no more than the 2 epochs that this run has been trained"),
        ({"steps": 4}, "`steps=4` is no more than the 4 steps"),
        ({"max_minutes": 1e-6}, "`max_minutes=1e-06` is no more than the 0.0 minutes"),
        ({"epochs": 4, "steps": 9}, "`epochs` and `steps` exclude each other"),
        ({"epochs": 0}, "`epochs` must be between 1 and"),
        ({"epochs": 2.5}, "`epochs` must be an integer"),
    ],
)
def test_a_length_that_is_no_longer_is_refused_and_changes_nothing(run, short, length, message):
    if message is None:
        resume(run, **length)
    else:
        with pytest.raises(RequestError, match=re.escape(message)):
            resume(run, **length)
    assert (run / "config.toml").read_bytes() == (short / "config.toml").read_bytes()
    assert (run / "test.json").exists()
    assert_same_bits(run, short)


def test_steps_and_minutes_are_lengths_too(run):
    assert len(resume(run, steps=5).history) == 3
    config = tomllib.loads((run / "config.toml").read_text())
    assert config["steps"] == 5
    result = resume(run, max_minutes=0.005)
    config = tomllib.loads((run / "config.toml").read_text())
    assert config["max_minutes"] == 0.005
    assert "steps" not in config
    assert result.history[-1]["step"] > 5


def test_an_unfinished_run_takes_another_length_longer_or_shorter(tmp_path, fruit):
    for epochs in (3, 6):
        out = tmp_path / str(epochs)
        with pytest.raises(Interrupted):
            convscope.train(fruit, out=out, epochs=4, **SETTINGS, callbacks=[StopAt(3)])
        result = resume(out, epochs=epochs)
        assert [row["epoch"] for row in result.history] == [*range(1, epochs + 1)]
        assert "lengthened" not in tomllib.loads((out / "config.toml").read_text())


def test_a_run_that_stopped_early_goes_on_with_new_patience(tmp_path, fruit):
    out, settings = tmp_path / "run", {**SETTINGS, "early_stopping_patience": 1}
    first = convscope.train(
        fruit, out=out, epochs=9, lr=1e-12, **{**settings, "lr_schedule": "plateau"}
    )
    assert len(first.history) < 9
    stopped = len(first.history)
    result = resume(out, epochs=12)
    assert len(result.history) > stopped
    assert state_of(out).metadata["state"]["done"]


def test_a_reason_to_stop_is_taken_back(tmp_path, fruit):
    out = tmp_path / "run"

    class Stop(Callback):
        def on_step_end(self, state, event):
            state.stop("a test")

    convscope.train(fruit, out=out, epochs=3, callbacks=[Stop()], **SETTINGS)
    result = resume(out, epochs=4)
    assert result.history[-1]["step"] == 8
    assert state_of(out).metadata["state"]["stop_reason"] == ""


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("operation", ["fsync", "replace", "unlink"])
def test_a_kill_at_any_write_of_a_longer_training_loses_nothing(
    tmp_path, short, monkeypatch, operation, every
):
    """Enumerate the writes; then a plain resume ends as the short run, or as the long one."""
    shutil.copytree(short, tmp_path / "long")
    resume(tmp_path / "long", epochs=3)
    real, count = getattr(os, operation), 0

    def counted(*args, **options):
        nonlocal count
        count += 1
        if count == last:
            raise Killed
        return real(*args, **options)

    monkeypatch.setattr(os, operation, counted)
    ends = set()
    for last in range(1, 200, every):
        out = tmp_path / str(last)
        count = 10**6  # the copy is not counted
        shutil.copytree(short, out)
        count = 0
        try:
            resume(out, epochs=3)
        except Killed:
            pass
        else:
            break
        count = 10**6
        length = tomllib.loads((out / "config.toml").read_text())["epochs"]
        resume(out)
        assert_same_bits(out, short if length == 2 else tmp_path / "long")
        assert (out / "report.html").exists()
        ends.add(length)
    assert 3 in ends
    assert operation == "unlink" or 2 in ends


def test_data_that_were_moved_are_named_and_their_place_is_kept(tmp_path, run, fruit):
    config = run / "config.toml"
    config.write_text(config.read_text().replace(str(fruit), str(tmp_path / "old")))
    with pytest.raises(RequestError, match="say where they are now with `data`"):
        resume(run, epochs=3)
    moved = tmp_path / "moved here"
    shutil.copytree(fruit, moved)
    resume(run, epochs=3, data=moved)
    assert tomllib.loads(config.read_text())["data"] == str(moved)
    (moved / "a" / "00.png").write_bytes((moved / "b" / "00.png").read_bytes())
    with pytest.raises(RequestError, match="are not those that"):
        resume(run, epochs=4, data=moved)
    with pytest.raises(RequestError, match="classes"):
        resume(run, epochs=4, data="digits")


def test_the_command_line_trains_longer(run, command):
    told = command("resume", run, "--trust").stdout
    assert "such as --epochs 4." in told
    shown = command("resume", run, "--epochs", 3, "--trust").stdout
    assert "From step 4 on, this is a training of 3 epochs: with --lr-schedule cosine" in shown
    assert "epoch   3/3" in shown
    refused = command("resume", run, "--epochs", 3, "--steps", 9, "--trust", code=2)
    assert "--epochs and --steps exclude each other" in refused.stderr
