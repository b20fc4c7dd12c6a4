"""Every command gives the same probabilities, whether or not a network ends in softmax."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import convscope
from convscope.card import Card
from convscope.cli import make_app
from convscope.inference import probabilities, to_logits
from convscope.runs.folder import Run
from convscope.training.callbacks.base import Callback
from convscope.webapp.inspect.store import ModelStore

NETS = """
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.fc = nn.Linear(8, num_classes)

    def forward(self, x):
        return self.fc(self.conv(x).relu().mean((2, 3)))

class Soft(Net):
    def forward(self, x):
        return super().forward(x).softmax(1)
"""
CARD = Card(
    classes=("a", "b", "c"),
    input_size=(1, 1),
    in_channels=1,
    resize_mode="pad",
    mean=(0.0,),
    std=(1.0,),
)


class Notes(Callback):
    def __init__(self):
        self.notes = []

    def on_message(self, event):
        self.notes.append(event.text)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder of two classes, and of either network a run with the notes of its training."""
    root = tmp_path_factory.mktemp("softmax")
    (root / "nets.py").write_text(NETS)
    random = np.random.default_rng(0)
    for shade, name in enumerate(("cat", "dog")):
        (root / "data" / name).mkdir(parents=True)
        for number in range(20):
            pixels = np.clip(random.normal(60 + 120 * shade, 30, (16, 16, 3)), 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(root / "data" / name / f"{number}.png")
    runs = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for name in ("Net", "Soft"):
            notes = Notes()
            words = dict(model=f"nets:{name}", input_size=16, epochs=40, engine="torch", threads=1)
            convscope.train("data", out=root / name, callbacks=[notes], **words)
            runs[name] = (root / name, notes.notes)
        yield root / "data", runs


@pytest.mark.parametrize("name", ["Net", "Soft"])
def test_evaluate_predict_lab_and_explain_give_the_same_probabilities(trained, name, capsys):
    data, runs = trained
    run, _ = runs[name]
    files = sorted(str(path) for path in data.rglob("*.png"))
    predictions = convscope.predict(run, files)
    evaluated = convscope.evaluate(run, str(data), split=None)
    keys = sorted(range(len(files)), key=lambda n: files[n])
    confidence = evaluated.outputs.confidence
    assert [predictions[n].probability for n in keys] == pytest.approx(list(confidence), abs=1e-6)

    store = ModelStore()
    model = store.open(run)
    for prediction in (predictions[0], predictions[-1]):
        with open(prediction.path, "rb") as file:  # noqa: PTH123
            image = store.add(model, "image", file.read())
        answers = [(row["class"], row["probability"]) for row in model.predictions(image)]
        assert dict(answers) == pytest.approx(dict(prediction.top_k), abs=1e-6)

        make_app()(["explain", str(run), prediction.path], result_action="return_value")
        shown = capsys.readouterr().out
        for label, share in prediction.top_k:
            assert f"{label} ({share:.1%})" in shown


def test_train_warns_of_a_softmax_and_of_nothing_else(trained):
    _, runs = trained
    [warning] = [note for note in runs["Soft"][1] if "softmax" in note]
    assert warning.startswith("nets:Soft ends in softmax")
    assert "0.731" in warning
    assert "0.313" in warning
    assert "logits" in warning
    assert not [note for note in runs["Net"][1] if "softmax" in note]
    cards = {name: json.loads((run / "card.json").read_text()) for name, (run, _) in runs.items()}
    assert (cards["Net"]["output"], cards["Soft"]["output"]) == ("logits", "probabilities")


def test_a_network_that_ends_in_softmax_learns_what_it_would_without(trained):
    _, runs = trained
    plain, soft = (Run(runs[name][0]).read_metrics()[-1] for name in ("Net", "Soft"))
    assert soft["val_loss"] < 0.3  # a second softmax would keep it above 0.313
    assert soft["val_loss"] == pytest.approx(plain["val_loss"], rel=1e-3)
    assert soft["train_loss"] == pytest.approx(plain["train_loss"], rel=1e-3)


def test_probabilities_stay_and_logits_go_through_softmax():
    logits = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    expected = logits.double().exp() / logits.double().exp().sum(1, keepdim=True)
    assert torch.allclose(probabilities(logits, CARD), expected, atol=1e-12)
    card = replace(CARD, output="probabilities")
    assert torch.equal(probabilities(expected, card), expected)
    assert torch.allclose(to_logits(expected, card), expected.log())
    assert to_logits(logits, CARD) is logits


def test_a_single_vector_is_taken_as_well():
    assert probabilities(torch.zeros(3), CARD).tolist() == pytest.approx([1 / 3] * 3)
