"""What a training returns is an object with what one wants next."""

import copy
import json
import shutil
import xml.etree.ElementTree as ET
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest

import convscope
from convscope.errors import RequestError
from convscope.evaluation.metrics import Metrics
from convscope.predictions.result import Prediction
from convscope.reports.chart import Chart, Charts
from convscope.runs.folder import Run
from convscope.training.result import History, TrainingResult


@pytest.fixture(scope="module")
def result(digits_run):
    return TrainingResult.read(Run(digits_run), seconds=1.5)


def test_other_programs_names_of_a_result_are_answered_with_ours(result):
    for thing, name, ours in (
        (result, "accuracy", "test.top1"),
        (result, "path", "run"),
        (result.test, "confusion_matrix", "confusion"),
        (Prediction("a.png", (("cat", 0.5),)), "confidence", "probability"),
    ):
        with pytest.raises(AttributeError, match=f"no attribute '{name}'. It is `{ours}` here"):
            getattr(thing, name)
        assert attrgetter(ours)(thing) is not None
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'\.$"):
        result.nothing  # noqa: B018
    with pytest.raises(
        KeyError, match=r"no 'val_accuracy'. It is `val_top1` here. The columns are"
    ):
        result.history["val_accuracy"]
    assert copy.deepcopy(result.test).top1 == result.test.top1


def test_train_returns_what_the_run_holds(tmp_path, image_folder):
    out = tmp_path / "run"
    mine = convscope.train(
        image_folder, out=out, model="tinyvgg", input_size=8, epochs=2, engine="torch"
    )
    assert mine.run == out
    assert mine.test.to_dict() == json.loads((out / "test.json").read_text())
    assert [*mine.history] == Run(out).read_metrics()
    again = TrainingResult.read(Run(out), seconds=0)
    assert again.test.to_dict() == mine.test.to_dict()
    assert again.validation is not None
    assert mine.validation is not None
    assert again.validation.to_dict() == mine.validation.to_dict()


def test_the_validation_is_that_of_the_best_epoch(result, digits_run):
    best = result.history.best
    for name in ("loss", "top1", "f1", "balanced"):
        value = result.validation.loss if name == "loss" else result.validation.value(name)
        assert value == pytest.approx(best[f"val_{name}"], rel=1e-12)
    evaluated = convscope.evaluate(digits_run, split="val").metrics
    assert evaluated.confusion.tolist() == result.validation.confusion.tolist()


def test_no_validation_images_no_validation(tmp_path, image_folder):
    mine = convscope.train(
        image_folder,
        out=tmp_path / "run",
        model="tinyvgg",
        input_size=8,
        epochs=1,
        engine="torch",
        val=0,
        progress=False,
    )
    assert mine.validation is None
    assert "val_loss" not in mine.history.columns
    assert mine.plot().svg.count("polyline points") == 3
    assert repr(mine).endswith("; 1 epoch")


def test_a_history_is_rows_and_columns(result):
    history = result.history
    assert len(history) == 6
    assert history[-1]["epoch"] == 6
    assert history["epoch"] == [1, 2, 3, 4, 5, 6]
    assert [row["val_loss"] for row in history] == history["val_loss"]
    assert history.to_dict()["lr"] == history["lr"]
    assert [row["epoch"] for row in history[:2]] == [1, 2]
    assert history.best["val_top1"] == max(history["val_top1"])
    with pytest.raises(
        KeyError, match=r"no 'val_acc'. It is `val_top1` here. The columns are epoch, step"
    ):
        history["val_acc"]


def test_a_history_prints_as_a_table_and_a_long_one_in_part():
    rows = [
        dict(epoch=n, lr=0.1, train_loss=1 / n, train_top1=n / 100, best=n == 30)
        for n in range(1, 41)
    ]
    lines = repr(History(rows)).splitlines()
    assert lines[0].split() == ["epoch", "lr", "train_loss", "train_top1"]
    assert lines[1].split() == ["1", "0.1", "1.0000", "1.00%"]
    assert len(lines) == 14
    assert lines[7].strip() == "..."
    assert lines[-1].split()[0] == "40"
    assert History(rows)._repr_html_().count("<tr>") == 14
    assert repr(History([])) == "no epochs yet"


def test_rows_are_what_pandas_takes(result):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(result.history)
    assert frame["val_loss"].tolist() == result.history["val_loss"]
    scores = pandas.DataFrame(result.test.per_class)
    assert scores["recall"].tolist() == result.test.recall.tolist()


def test_a_result_prints_as_one_line_and_is_a_path(result, digits_run):
    text = str(result)
    assert "\n" not in text
    assert text.startswith(f"{digits_run}: test accuracy {result.test.top1:.2%} (")
    assert f"6 epochs, the best is epoch {result.history.best['epoch']}" in text
    assert Path(result) == digits_run
    assert convscope.evaluate(result, split="val").metrics.num_images == 179


def test_a_notebook_shows_accuracy_curves_and_classes(result):
    page = result._repr_html_()
    assert f"<strong>{result.test.top1:.2%}</strong>" in page
    assert page.count("<svg") == 3
    assert page.count("<tr>") == 11
    assert "<script" not in page


def test_names_are_escaped(result, tmp_path):
    hostile = Metrics(
        classes=("<b>a", "b"), confusion=np.eye(2, dtype=np.int64), loss=0.1, num_correct_top5=None
    )
    page = TrainingResult(tmp_path / "<i>", hostile, 1.0, result.history, None)._repr_html_()
    assert "<b>a" not in page
    assert "<i>" not in page


def test_a_plot_is_saved_as_svg_that_parses(result, tmp_path):
    result.plot().save(tmp_path / "curves.svg")
    root = ET.parse(tmp_path / "curves.svg").getroot()  # noqa: S314 -- our own file
    lines = [element for element in root.iter() if element.tag.endswith("polyline")]
    assert len(lines) == 5
    points = lines[0].attrib["points"].split()
    assert len(points) == len(result.history)
    with pytest.raises(RequestError, match=r"ends in \.svg"):
        result.plot().save(tmp_path / "curves.png")
    assert "Loss, Accuracy, Learning rate" in repr(result.plot())


def test_charts_without_values_are_left_out():
    assert Charts(Chart("Loss", {"training": []})).charts == []


def test_metrics_come_back_from_their_file():
    many = Metrics(
        classes=tuple("abcdefg"),
        confusion=np.arange(49).reshape(7, 7),
        loss=0.25,
        num_correct_top5=1000,
    )
    assert Metrics.from_dict(json.loads(many.to_json())).to_dict() == many.to_dict()
    assert Metrics.from_dict(json.loads(many.to_json())).num_correct_top5 == 1000


def test_a_run_of_before_has_no_validation_and_is_read(digits_run, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(digits_run, old)
    (old / "validation.json").unlink()
    assert TrainingResult.read(Run(old), seconds=0).validation is None
