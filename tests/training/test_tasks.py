"""Several labels and grades, from a table or arrays to predictions, and what is refused."""

import json

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.card import Card
from convscope.cli import make_app
from convscope.data.dataset import ArrayImages, Dataset
from convscope.data.grades import order_grades
from convscope.errors import RequestError
from convscope.runs.folder import Run
from convscope.training.callbacks.base import Callback
from convscope.training.config import TrainConfig
from convscope.training.tasks import settle_task
from convscope.webapp.inspect.store import ModelStore

from .small import assert_same_bits

SETTINGS = dict(
    model="tinyvgg", input_size=16, in_channels=1, augment="none", batch_size=16, progress=False
)
NAMES = ("dot", "left", "stripe")


def pictures(n):
    """Images with a dot, a bright left half and a stripe, each independent of the others."""
    rng = np.random.default_rng(0)
    targets = (rng.random((n, 3)) < [0.3, 0.4, 0.5]).astype(np.uint8)
    pixels = rng.integers(0, 60, (n, 16, 16))
    pixels[:, 11:14, 11:14] += 150 * targets[:, :1, None]
    pixels[:, :, :8] += 60 * targets[:, 1:2, None]
    pixels[:, 6:8] += 110 * targets[:, 2:, None]
    return np.clip(pixels, 0, 255).astype(np.uint8), targets


class StopAt(Callback):
    def on_step_end(self, state, event):
        if event.step == 25:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table with a column for each label, and the run that was trained on it."""
    folder = tmp_path_factory.mktemp("labels")
    pixels, targets = pictures(200)
    lines = [",".join(("image", "sex", *NAMES))]
    for index, (image, row) in enumerate(zip(pixels, targets, strict=True)):
        Image.fromarray(image).save(folder / f"{index:03}.png")
        lines.append(f"{index:03}.png,{'MF'[index % 2]},{','.join(map(str, row))}")
    (folder / "labels.csv").write_text("\n".join(lines))
    data = dict(data=str(folder / "labels.csv"), label_column=NAMES, epochs=5, lr=0.02)
    result = convscope.train(**data, out=folder / "run", **SETTINGS)
    return folder, data, result


def test_labels_are_learned_and_the_files_say_what_they_are(table):
    folder, _, result = table
    card = Card.from_json((folder / "run" / "card.json").read_text())
    assert (card.task, card.classes) == ("multi-label", NAMES)
    assert result.test.map > 0.95
    assert result.history[-1]["val_map"] > 0.95
    saved = json.loads((folder / "run" / "test.json").read_text())
    assert saved["task"] == "multi-label"
    assert "exact match" in repr(result)
    page = (folder / "run" / "report.html").read_text()
    assert "with every label right" in page
    assert "Average precision" in page


def test_evaluate_and_predict_follow_the_card(table):
    folder, _, result = table
    evaluated = convscope.evaluate(result)
    assert evaluated.metrics.to_dict() == result.test.to_dict()
    row = evaluated.per_image[0]
    assert set(row) >= {"label", "predicted", "p_dot", "p_left", "p_stripe"}
    path = folder / row["path"]
    [prediction] = convscope.predict(result, path)
    assert "; ".join(sorted(prediction.labels)) == (
        "" if row["predicted"] == "no label" else row["predicted"]
    )
    assert all(prob >= 0.5 for name, prob in prediction.top_k if name in prediction.labels)
    assert dict(prediction.top_k)["dot"] == pytest.approx(row["p_dot"], abs=1e-6)
    assert sum(row[f"p_{name}"] for name in NAMES) != pytest.approx(1)


def test_a_training_that_was_interrupted_ends_with_equal_bits(table):
    folder, data, _ = table
    with pytest.raises((KeyboardInterrupt, convscope.errors.Interrupted)):
        convscope.train(**data, out=folder / "stopped", callbacks=[StopAt()], **SETTINGS)
    convscope.resume(folder / "stopped", progress=False)
    assert_same_bits(folder / "run", folder / "stopped")


def test_grades_are_learned_in_their_order(tmp_path, capsys):
    rng = np.random.default_rng(0)
    grade = rng.integers(0, 4, 240)
    pixels = rng.integers(0, 60, (240, 16, 16)) + 40 * grade[:, None, None]
    labels = np.array(["none", "mild", "moderate", "severe"])[grade]
    result = convscope.train(
        (pixels.astype(np.uint8), labels),
        out=tmp_path / "run",
        grades=["none", "mild", "moderate", "severe"],
        epochs=12,
        lr=0.02,
        **SETTINGS,
    )
    card = Run(result.run).read_card()
    assert card.task == "ordinal"
    assert card.classes == ("none", "mild", "moderate", "severe")
    assert result.test.kappa > 0.9
    assert result.history[-1]["val_mae"] < 0.5
    [prediction] = convscope.predict(result, [pixels[0].astype(np.uint8)])
    assert prediction.expected_grade == pytest.approx(grade[0], abs=0.7)
    Image.fromarray(pixels[0].astype(np.uint8)).save(tmp_path / "0.png")
    make_app()(["explain", str(result.run), str(tmp_path / "0.png")], result_action="return_value")
    expected = f"Expected grade: {prediction.expected_grade:.2f}   (0 is none, 3 is severe)"
    assert expected in capsys.readouterr().out
    store = ModelStore()
    model = store.open(result.run)
    image = store.add(model, "0", (tmp_path / "0.png").read_bytes())
    shown = model.expected_grade(image)
    assert shown["value"] == pytest.approx(prediction.expected_grade, abs=1e-6)
    assert [answer["is_predicted"] for answer in model.predictions(image)] == [True] + 3 * [False]


def dataset(*classes):
    pixels = np.zeros((len(classes), 2, 2), np.uint8)
    labels, split = np.arange(len(classes)), np.full(len(classes), "train")
    return Dataset(
        name="some", classes=classes, images=ArrayImages(pixels), labels=labels, split=split
    )


def test_what_looks_like_grades_is_said_and_nothing_is_changed():
    notes = []
    data = dataset("0", "1", "2", "3", "4")
    same, config = settle_task(data, TrainConfig(), notes.append)
    assert same is data
    assert (config.task, config.metric) == ("single-label", "top1")
    assert "`task='ordinal'`" in notes[0]
    settle_task(dataset("cat", "dog", "owl"), TrainConfig(), notes.append)
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(task="ordinal"), "the order of the grades .* is not plain"),
        (dict(grades="low,high"), "`grades` has 'low', 'high'"),
        (dict(grades="cat,dog"), "`grades` lacks 'owl'"),
        (dict(metric="kappa"), "`metric='kappa'` is not measured with `task='single-label'`"),
        (dict(grades="cat,dog,owl", label_smoothing=0.1), "`label_smoothing`"),
        (dict(grades="cat,dog,owl", task="single-label"), "leave out `task='single-label'`"),
    ],
)
def test_what_does_not_go_together(settings, message):
    with pytest.raises(RequestError, match=message):
        settle_task(dataset("cat", "dog", "owl"), TrainConfig(**settings), print)


def test_numbers_in_names_are_the_order():
    names = ["grade 10", "grade 2", "grade 0"]
    assert order_grades(names, None, where="x") == ["grade 0", "grade 2", "grade 10"]


def test_several_labels_need_data_that_say_them():
    with pytest.raises(RequestError, match="says one class for each"):
        convscope.train("digits", task="multi-label", progress=False)
