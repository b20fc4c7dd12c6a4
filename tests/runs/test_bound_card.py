"""A card.json that was changed after the training is refused at every load, by what differs."""

import json
import random
import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

import convscope
from convscope.card import Card
from convscope.errors import RequestError
from convscope.runs.folder import Run
from convscope.runs.tensor_file import load_tensors, save_tensors
from convscope.webapp.inspect.open_run import RunOpener
from convscope.webapp.inspect.store import ModelStore
from tests.cards import write_card

IMAGE = np.zeros((8, 8), np.uint8)
CLASSES = [*"0123456789"]
CHANGES = {
    "classes": [*CLASSES[1:], "0"],
    "input_size": [32, 33],
    "in_channels": 3,
    "resize_mode": "stretch",
    "mean": [0.25],
    "std": [0.75],
    "resize_size": 40,
    "interpolation": "bicubic",
    "reading": "whole",
    "output": "probabilities",
    "value_range": [0, 4095],
    "window": [40, 400],
    "task": "ordinal",
    "temperature": 2.0,
    "thresholds": [0.25] * 10,
    "operating_point": {"positive": "3", "threshold": 0.25},
    "costs": [[float(i != k) + (i == 3 and k != 3) for k in range(10)] for i in range(10)],
    "abstention": {"by": "energy", "threshold": 0.5},
    "prediction_sets": {"method": "lac", "coverage": 0.9, "quantile": 0.5},
    "boxes": {"name": "yolo-2016", "grid": [1, 1], "num_classes": 10, "num_boxes": 1},
    "to_gray": "mean",
    "to_color": "jet",
    "provenance": {"network": "lenet5"},
}
LOADS = {
    "load": convscope.load,
    "predict": lambda run: convscope.predict(run, IMAGE),
    "evaluate": convscope.evaluate,
    "evaluate on data": lambda run: convscope.evaluate(run, ([IMAGE], ["1"])),
    "explain": lambda run: convscope.explain(run, IMAGE),
    "summary": convscope.summary,
    "resume": convscope.resume,
    "load_weights": lambda run: convscope.load_weights(convscope.create_model("lenet5"), run),
    "weights of a run": lambda run: convscope.predict("lenet5", IMAGE, weights=run),
    "weights of its file": lambda run: convscope.predict(
        "lenet5", IMAGE, weights=run / "model.safetensors"
    ),
    "train": lambda run: convscope.train("digits", weights=run, out=run.parent / "other"),
    "lab": lambda run: ModelStore().open(run),
    "lab, run": lambda run: RunOpener(ModelStore()).open(run),
}


@pytest.fixture
def run(digits_run, tmp_path):
    return Path(shutil.copytree(digits_run, tmp_path / "run"))


def change(run: Path, **values: object) -> None:
    card = json.loads((run / "card.json").read_text())
    (run / "card.json").write_text(json.dumps(card | values))


def forget_the_card(path: Path, **metadata: object) -> None:
    """A file of tensors as an earlier version wrote it."""
    stored = load_tensors(path)
    kept = {key: value for key, value in stored.metadata.items() if key != "card"}
    save_tensors(path, stored.tensors, kept | metadata)


def test_each_field_has_a_change():
    assert CHANGES.keys() == {field.name for field in fields(Card)}


@pytest.mark.parametrize("load", LOADS)
def test_a_change_of_any_field_is_refused_at_every_load(run, load):
    whole = (run / "card.json").read_text()
    for name, value in CHANGES.items():
        change(run, **{name: value})
        with pytest.raises(RequestError, match=r"card\.json") as caught:
            LOADS[load](run)
        told = "mean per channel" if name == "in_channels" else name
        assert told in str(caught.value), name
        (run / "card.json").write_text(whole)
    assert not (run.parent / "other").exists()


def test_both_values_and_the_remedy_are_told_and_the_command_line_says_the_same(run, command):
    change(run, mean=[0.25], classes=[*CLASSES[:-2], "9", "8"])
    own = load_tensors(run / "model.safetensors").metadata["card"]
    with pytest.raises(RequestError) as caught:
        convscope.load(run)
    told = str(caught.value)
    assert "classes[8] is '9' there and '8' in model.safetensors" in told
    assert f"mean is [0.25] there and {own['mean']} in model.safetensors" in told
    assert "Restore card.json, or delete it" in told
    done = command("predict", run, run / "report.html", code=2)
    assert "classes[8] is '9' there" in " ".join(done.stderr.split())


def test_any_other_order_of_the_classes_is_refused(run):
    order = random.Random(0)
    for _ in range(20):
        names = order.sample(CLASSES, 10)
        change(run, classes=names)
        with pytest.raises(RequestError, match=r"classes\["):
            Run(run).read_card()
    change(run, classes=CLASSES)
    assert [*Run(run).read_card().classes] == CLASSES


def test_weights_of_another_order_do_not_fit_the_card(run, tmp_path):
    other = Path(shutil.copytree(run, tmp_path / "other"))
    write_card(other, classes=tuple(reversed(CLASSES)))
    shutil.copy(other / "model.safetensors", run)
    with pytest.raises(RequestError, match=r"classes\[0\] is '0' there and '9'"):
        convscope.predict(run, IMAGE)


def test_without_card_json_the_card_in_the_weights_counts(run):
    before = convscope.evaluate(run).metrics.to_dict()
    (run / "card.json").unlink()
    assert convscope.evaluate(run).metrics.to_dict() == before
    (run / "model.safetensors").unlink()
    assert [*Run(run).read_card().classes] == CLASSES  # of the state


def test_a_state_belongs_to_its_card(run):
    (run / "model.safetensors").unlink()
    change(run, std=[0.75])
    with pytest.raises(RequestError, match=r"step-\d+\.safetensors was trained with: std"):
        convscope.resume(run)


def test_a_state_in_reserve_belongs_to_its_card_too(run):
    newest, older = sorted((run / "last").iterdir(), reverse=True)[:2]
    stored = load_tensors(older)
    card = replace(Run(run).read_card(), std=(0.75,)).to_dict()
    save_tensors(older, stored.tensors, {**stored.metadata, "card": card})
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.raises(RequestError, match=rf"{older.name} was trained with: std"):
        convscope.resume(run, epochs=7)


def test_a_run_of_an_earlier_version_is_loaded_with_a_note(run):
    files = [run / "model.safetensors", *(run / "last").iterdir()]
    for file in files:
        forget_the_card(file, classes=CLASSES)
    with pytest.warns(UserWarning, match=r"model\.safetensors is of an earlier version"):
        convscope.load(run)
    assert any("earlier version" in note for note in convscope.predict(run, IMAGE).notes)
    assert any("earlier version" in note for note in convscope.evaluate(run).notes)
    assert "earlier version" in ModelStore().open(run).warning
    change(run, std=[0.75])
    assert convscope.predict(run, IMAGE).notes  # nothing shows it
    change(run, classes=[*reversed(CLASSES)])
    with pytest.raises(RequestError, match=r"classes\[0\] is '9' there and '0'"):
        convscope.predict(run, IMAGE)


def test_a_resume_of_an_earlier_version_is_told_and_binds_the_card(run):
    files = [run / "model.safetensors", *(run / "last").iterdir()]
    for file in files:
        forget_the_card(file, classes=CLASSES)
    notes = []

    class Notes(convscope.Callback):
        def on_message(self, event):
            notes.append(event.text)

    convscope.resume(run, epochs=7, callbacks=[Notes()])
    assert any("earlier version" in note for note in notes)
    newest = max((run / "last").iterdir())
    assert load_tensors(newest).metadata["card"]["classes"] == CLASSES
