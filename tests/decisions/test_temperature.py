"""Temperatures against scipy and an explicit loop, and what becomes of a run that gets one."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize_scalar

import convscope
from convscope.card import Card
from convscope.decisions.temperature import fit_temperature, log_losses
from convscope.errors import RequestError
from convscope.inference import probabilities
from convscope.runs.folder import Run
from convscope.runs.tensor_file import load_tensors
from tests.cards import write_card


def loop(logits, truth, temperature, task) -> float:
    """The mean negative log likelihood, one image and one class after another."""
    losses = []
    for row, target in zip(logits.tolist(), truth.tolist(), strict=True):
        if task == "multi-label":
            each = [math.log1p(math.exp(-z / temperature if y else z / temperature))
                    for z, y in zip(row, target, strict=True)]  # fmt: skip
            losses.append(sum(each) / len(each))
        else:
            sums = sum(math.exp(z / temperature) for z in row)
            losses.append(math.log(sums) - row[target] / temperature)
    return sum(losses) / len(losses)


def drawn(task, *, seed, n=150, classes=4, sharpness=2.0):
    """Logits that are `sharpness` times those that the truth is drawn by."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(scale=2, size=(n, classes))
    if task == "multi-label":
        truth = (rng.random((n, classes)) < 1 / (1 + np.exp(-honest))).astype(np.int64)
    else:
        truth = (honest + rng.gumbel(size=honest.shape)).argmax(1)
    return (sharpness * honest).astype(np.float32), truth


@pytest.mark.parametrize("task", ["single-label", "multi-label", "ordinal"])
@pytest.mark.parametrize("sharpness", [0.05, 1.0, 30.0])
def test_the_temperature_is_scipys_minimum_of_an_explicit_loop(task, sharpness):
    logits, truth = drawn(task, seed=int(sharpness), sharpness=sharpness)
    found = fit_temperature(logits, truth, task)
    best = minimize_scalar(
        lambda log: loop(logits, truth, math.exp(log), task),
        bounds=(math.log(found) - 2, math.log(found) + 2), method="bounded",
        options={"xatol": 1e-9},
    )  # fmt: skip
    assert found == pytest.approx(math.exp(best.x), rel=1e-5)
    assert log_losses(logits, truth, found, task).mean() == pytest.approx(best.fun, rel=1e-12)


@pytest.mark.parametrize("task", ["single-label", "multi-label"])
def test_the_temperature_of_logits_that_are_twice_too_large_is_two(task):
    logits, truth = drawn(task, seed=3, n=40_000, classes=3)
    assert fit_temperature(logits, truth, task) == pytest.approx(2, abs=0.05)


def test_ties_and_absent_classes_change_nothing():
    logits = np.array([[1, 1, 0], [2, 0, 0], [0, 2, 0], [3, 3, 3]], np.float32)
    truth = np.array([0, 1, 1, 1])
    found = fit_temperature(logits, truth, "single-label")
    grid = np.exp(np.linspace(-3, 6, 2001))
    least = grid[np.argmin([loop(logits, truth, t, "single-label") for t in grid])]
    assert found == pytest.approx(least, rel=0.01)


@pytest.mark.parametrize(
    ("logits", "truth", "task", "problem"),
    [
        ([[2, 1], [0, 3]], [0, 1], "single-label", "Every class is right"),
        ([[2, 2], [0, 3]], [0, 1], "single-label", "Every class is right"),  # a tie for the first
        ([[2, -1], [-1, 3]], [[1, 0], [0, 1]], "multi-label", "Every multi|Every label is right"),
        ([[2, 1], [0, 3]], [1, 0], "single-label", "no better than chance"),
        ([[1, 1], [3, 3]], [1, 0], "single-label", "no better than chance"),
        ([[2, -1]], [[0, 1]], "multi-label", "no better than chance"),
        ([[2, np.nan]], [0], "single-label", "not a finite"),
        (np.zeros((0, 2)), np.zeros(0), "single-label", "no images"),
    ],
)
def test_where_no_temperature_is_best_it_says_why(logits, truth, task, problem):
    with pytest.raises(RequestError, match=problem):
        fit_temperature(np.array(logits, np.float32), np.array(truth, np.int64), task)


@given(
    arrays(np.float32, (3, 4), elements=st.floats(-50, 50, width=32)),
    st.floats(0.05, 50),
)
def test_no_temperature_changes_the_order_of_the_classes(logits, temperature):
    logits = np.round(logits, 3)
    card = Card(
        classes=tuple("abcd"), input_size=(8, 8), in_channels=1, resize_mode="pad", mean=(0.5,),
        std=(0.5,), temperature=temperature,
    )  # fmt: skip
    shares = probabilities(torch.from_numpy(logits), card).numpy()
    assert (shares.argmax(1) == logits.argmax(1)).all()
    pairs = logits[:, :, None] > logits[:, None, :]
    assert (shares[:, :, None] >= shares[:, None, :])[pairs].all()


@pytest.fixture
def run(digits_run, tmp_path):
    return Path(shutil.copytree(digits_run, tmp_path / "run"))


def test_calibrate_lowers_the_loss_and_binds_the_temperature_to_the_weights(run):
    before = convscope.evaluate(run, split="val")
    found = convscope.calibrate(run)
    after = convscope.evaluate(run, split="val")
    assert after.loss < before.loss
    assert (after.outputs.predicted == before.outputs.predicted).all()
    assert Run(run).read_card().temperature == found.temperature != 1
    held = load_tensors(run / "model.safetensors").metadata["card"]
    assert held["temperature"] == found.temperature
    test = convscope.evaluate(run)
    assert found.is_held_out
    assert found.loss[1].value == pytest.approx(test.loss)
    assert found.brier[1] == test.details.brier
    assert found.calibration[1].error == test.details.calibration["confidence"].error
    assert found.loss_change.value == pytest.approx(found.loss[1].value - found.loss[0].value)
    again = convscope.calibrate(run)
    assert again.temperature == pytest.approx(found.temperature, rel=1e-9)
    assert again.before == found.temperature


def test_restore_card_leaves_the_run_as_it_was(run):
    files = ("card.json", "model.safetensors")
    before = [(run / name).read_bytes() for name in files]
    convscope.calibrate(run)
    assert [(run / name).read_bytes() for name in files] != before
    convscope.restore_card(run)
    assert [(run / name).read_bytes() for name in files] == before


@pytest.mark.parametrize("stop", ["remove", "write_weights", "write"])
def test_a_run_that_is_interrupted_while_it_gets_a_card_has_one(run, monkeypatch, stop):
    old = Run(run).read_card()
    new = Run(run).read_card().__class__.from_dict({**old.to_dict(), "temperature": 2.0})

    def interrupt(*_words):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Run, stop, interrupt)
        with pytest.raises(KeyboardInterrupt):
            Run(run).replace_card(new)
    assert Run(run).read_card().temperature == (2.0 if stop == "write" else 1.0)
    assert convscope.evaluate(run).metrics.num_images == 359
    Run(run).replace_card(new)
    assert json.loads((run / "card.json").read_text())["temperature"] == 2.0


def test_other_classes_are_no_choice_after_training(run):
    card = Run(run).read_card()
    other = Card.from_dict({**card.to_dict(), "classes": [*reversed(card.classes)]})
    with pytest.raises(RequestError, match="cannot change after training"):
        Run(run).replace_card(other)


def test_a_resumed_training_takes_the_temperature_back(run, digits_run, tmp_path):
    convscope.calibrate(run)
    notes = []

    class Notes(convscope.Callback):
        def on_message(self, event):
            notes.append(event.text)

    convscope.resume(run, epochs=7, callbacks=[Notes()])
    assert any("is taken back" in note for note in notes)
    assert Run(run).read_card().temperature == 1
    plain = Path(shutil.copytree(digits_run, tmp_path / "plain"))
    convscope.resume(plain, epochs=7)
    name = "model.safetensors"
    assert (run / name).read_bytes() == (plain / name).read_bytes()


def test_on_data_of_ones_own_it_says_that_there_are_no_other_images(run):
    images, labels = [], []
    for index, row in enumerate(convscope.evaluate(run).per_image[:150]):
        images.append(np.full((8, 8), index % 256, np.uint8))
        labels.append(row["label"])
    images[0][:] = 255
    with pytest.raises(RequestError, match="no better than chance"):
        convscope.calibrate(run, (images, labels))
    found = convscope.calibrate(run, split="test")
    assert not found.is_held_out
    assert any("looks better than it is" in note for note in found.notes)
    assert found.num_fitted == found.num_measured == 359


def test_the_command_says_what_it_did_and_what_is_refused(run, command):
    said = command("calibrate", run).stdout
    assert "fitted on 179 images, the val split of digits" in said
    assert "Measured on 359 other images, the test split" in said
    assert "calibration error" in said
    found = json.loads(command("calibrate", run, "--json").stdout)
    assert found["held_out"]
    assert found["calibration"]["after"]["bins"] == 15
    assert "temperature 1" in command("calibrate", run, "--reset").stdout
    refused = command("calibrate", run, "--reset", "--split", "val", code=2).stderr
    assert "leave out DATA and --split" in " ".join(refused.split())
    write_card(run, output="probabilities")
    assert "returns probabilities" in command("calibrate", run, code=2).stderr
