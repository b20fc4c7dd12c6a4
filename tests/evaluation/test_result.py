"""The result of an evaluation as rows, as a file, as text and as HTML."""

import csv
from html.parser import HTMLParser

import numpy as np
import pytest

import convscope
from convscope.card import Card
from convscope.errors import RequestError
from convscope.evaluation.measure import compute_metrics
from convscope.evaluation.result import EvaluationResult


def result_of(logits, labels, classes) -> EvaluationResult:
    """The result for some logits."""
    import torch  # noqa: PLC0415

    names = tuple(classes)
    card = Card(classes=names, input_size=(1, 1), in_channels=1, resize_mode="pad", mean=(0.0,),
                std=(1.0,))  # fmt: skip
    outputs = compute_metrics(torch.tensor(logits, dtype=torch.float32), np.array(labels), card)
    paths = tuple(f"{number}.png" for number in range(len(labels)))
    return EvaluationResult(outputs, "some", ("A note.",), paths, np.array(labels), "net")


THREE = result_of([[9, 0, 0, 0], [0, 0, 9, 0], [0, 9, 0, 0]], [0, 0, 1], ["a", "b<", "c", "d"])


def test_every_image_has_a_row_that_agrees_with_the_metrics(digits_run, tmp_path):
    found = convscope.evaluate(digits_run, csv=tmp_path / "answers.csv")
    with (tmp_path / "answers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == found.metrics.num_images == len(found.per_image)
    correct = [row["correct"] == "True" for row in rows]
    assert sum(correct) == found.metrics.num_correct
    assert correct == [row["label"] == row["predicted"] for row in rows]
    with (digits_run / "splits.csv").open() as file:
        listed = {row["key"]: row for row in csv.DictReader(file)}
    for row in rows:
        assert (listed[row["path"]]["label"], listed[row["path"]]["split"]) == (
            row["label"],
            "test",
        )
        shares = {name: float(row[f"p_{name}"]) for name in found.metrics.classes}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-4)
        assert max(shares, key=shares.__getitem__) == row["predicted"]
        assert float(row["probability"]) == pytest.approx(max(shares.values()))
        assert float(row["loss"]) == pytest.approx(-np.log(shares[row["label"]]), abs=1e-3)
    assert np.mean([float(row["loss"]) for row in rows]) == pytest.approx(found.loss, rel=1e-4)
    assert found.to_dicts() == found.per_image


def test_of_many_classes_the_most_probable_are_listed():
    logits = np.zeros((1, 200))
    logits[0, [7, 50, 3, 199, 20]] = [5, 4, 3, 2, 1]
    row = result_of(logits, [3], map(str, range(200))).per_image[0]
    assert row["predicted"] == "7"
    assert [row[f"top_{rank}"] for rank in (2, 3, 4, 5)] == ["50", "3", "199", "20"]
    assert not any(name.startswith("p_7") for name in row)


def test_the_file_is_refused_before_the_work_where_its_folder_does_not_exist(digits_run, tmp_path):
    with pytest.raises(RequestError, match=r"`csv`: the folder of .*gone/a\.csv does not exist"):
        convscope.evaluate(digits_run, csv=tmp_path / "gone" / "a.csv")


def test_classes_without_images_have_no_rows():
    assert [(row["name"], row["images"]) for row in THREE.per_class] == [("a", 2), ("b<", 1)]
    assert THREE.confusion == {"a": {"a": 1, "b<": 0, "c": 1}, "b<": {"a": 0, "b<": 1, "c": 0}}
    assert "mean F1   0.5556   (over the 3 classes that occur, of 4; 95% interval 0." in str(THREE)
    assert "d" not in [line.split()[0] for line in str(THREE).splitlines() if line]


def test_it_is_shown_in_one_line_or_as_aligned_tables():
    assert (
        repr(THREE)
        == f"EvaluationResult(data='some', top1=0.6667, loss={THREE.loss:.4f}, images=3)"
    )
    text = str(THREE)
    assert text.startswith("net on some\n\nA note.\n\ntop-1     66.67%   (2 of 3;")
    assert "true \\ predicted  a  b<  c\na                 1   ·  1\n" in text


def test_the_metrics_alone_are_shown_as_the_same_tables():
    metrics = THREE.metrics
    lines = str(metrics).splitlines()
    shown = str(THREE).splitlines()[-len(lines) :]
    assert all(
        line.startswith(of_metrics.rstrip(")"))  # after which the interval stands
        for line, of_metrics in zip(shown, lines, strict=True)
    )
    tables = metrics._repr_html_().partition("<div style=")[2]
    assert THREE._repr_html_().endswith(tables)
    assert repr(metrics).startswith(f"Metrics(top1={THREE.top1:.4f}, loss=")


def test_the_html_is_well_formed_and_escaped_and_sets_no_colors():
    page = THREE._repr_html_()
    assert "b&lt;" in page
    assert "b<" not in page.replace("<b>", "")
    assert page.count("<table") == page.count("color:inherit") == page.count("color")
    opened: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attrs):
            opened.append(tag)

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    Parser().feed(page)
    assert opened == []
