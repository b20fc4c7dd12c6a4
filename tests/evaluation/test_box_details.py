"""Curves, least scores and mistakes of boxes, against counting by hand."""

import json
import math

import numpy as np
import pytest

from convscope.boxes.average_precision import average_precision
from convscope.boxes.detections import Detections
from convscope.boxes.matching import match
from convscope.boxes.mistakes import MISTAKES, mistakes, named_groups, similar_groups
from convscope.boxes.truth import Objects
from convscope.errors import RequestError
from convscope.evaluation.box_details import BoxCurve, BoxDetails
from convscope.evaluation.detection import DetectionMetrics, measure_detections
from convscope.reports.plots import boxes_by_recall

CLASSES = ("cat", "dog", "owl")


def images(seed, count=40):
    """Images of objects, and boxes of which some are right; the last class has no object."""
    random = np.random.default_rng(seed)
    boxes, labels, found = [], [], []
    for _ in range(count):
        n = int(random.integers(0, 4))
        corner = random.integers(0, 60, (n, 2)) / 100
        true = np.concatenate([corner, corner + 0.2], 1)
        label = random.integers(0, 2, n)
        boxes.append(true)
        labels.append(label)
        moved = np.concatenate([true + random.normal(0, 0.03, true.shape), true[:1] / 2])
        order = np.argsort(-(scores := random.random(len(moved))), kind="stable")
        guess = np.where(random.random(n) < 0.8, label, 1 - label)
        kinds = np.concatenate([guess, [0] * (len(moved) - n)]).astype(np.int64)
        found.append(
            Detections(moved[order], scores[order], kinds[order], np.zeros((len(moved), 3), int))
        )
    return found, Objects.of(boxes, labels)


@pytest.fixture(scope="module")
def details():
    found, truth = images(3)
    return BoxDetails(
        CLASSES,
        tuple(match(found, truth, 3, thresholds=[0.5])),
        mistakes(found, truth, 3),
    )


def test_curves_are_counted_box_by_box(details):
    for name, one in zip(CLASSES[:2], details.matches, strict=False):
        curve = details.curves[name]
        total, right = one.num_objects.sum(), 0
        for place, index in enumerate(np.argsort(-one.scores, kind="stable").tolist()):
            right += int(one.is_right[0, index])
            assert curve.scores[place] == one.scores[index]
            assert curve.recall[place] == pytest.approx(right / total)
            assert curve.precision[place] == pytest.approx(right / (place + 1))


def test_the_best_least_score_is_that_of_the_highest_f1(details):
    for name, one in zip(CLASSES[:2], details.matches, strict=False):
        tried = []
        for score in one.scores:
            shown = one.scores >= score
            right = one.is_right[0, shown].sum()
            tried.append((2 * right / (shown.sum() + one.num_objects.sum()), score))
        score, f1, precision, recall = details.curves[name].best
        assert f1 == pytest.approx(max(tried)[0])
        assert {found: value for value, found in tried}[score] == pytest.approx(f1)
        assert f1 == pytest.approx(2 * precision * recall / (precision + recall))


def test_the_table_has_the_highest_precision_at_each_recall_or_more(details):
    curve = BoxCurve(np.array([0.25, 0.25, 0.5]), np.array([1.0, 0.5, 0.6]), np.array([3, 2, 1.0]))
    assert [curve.highest(at) for at in (0.1, 0.25, 0.3, 0.5, 0.6)] == [1, 1, 0.6, 0.6, 0]
    (_, rows), (_, best), (_, wrong) = details.tables()
    assert [row[0] for row in rows] == ["class", "cat", "dog"]
    assert [row[0] for row in best] == ["class", "cat", "dog"]
    assert wrong[0] == ["class", "correct", "localization", "other", "background"]
    counts = details.mistakes[:, [MISTAKES.index(name) for name in wrong[0][1:]]]
    assert [[int(cell) for cell in row[1:]] for row in wrong[1:]] == counts[:2].tolist()


def test_average_precision_of_a_class_lies_in_its_interval(details):
    for name, one in zip(CLASSES[:2], details.matches, strict=False):
        value, (low, high) = details.ap50[name]
        assert value == average_precision(one)
        assert low < value < high
    assert "owl" not in details.ap50


def test_a_class_without_boxes_has_no_best_score_and_values_are_plain_json():
    truth = Objects.of([np.array([[0, 0, 1, 1]])], [np.array([0])])
    none = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int), np.zeros((0, 3), int))
    details = BoxDetails(
        ("cat",), tuple(match([none], truth, 1, thresholds=[0.5])), np.zeros((1, 5), int)
    )
    assert all(math.isnan(value) for value in details.curves["cat"].best)
    assert details.tables()[1][1][1] == ["cat", "–", "–", "–", "–"]
    assert json.loads(json.dumps(details.to_dict()))["ap50"]["cat"]["value"] == 0


def test_the_drawing_names_the_classes_with_the_least_precision_first(details):
    chart = boxes_by_recall(details)
    order = sorted(details.ap50, key=lambda name: details.ap50[name][0])
    assert [name.split()[0] for name, _ in chart.lines] == order
    assert chart.draw().count("<polyline") == 4


def test_vocs_classes_have_hoiems_groups_and_others_none():
    classes = ["aeroplane", "bird", "bus", "chair", "sofa", "bottle", "person"]
    named = [{classes[k] for k in group} for group in similar_groups(classes)]
    assert named == [
        {"aeroplane", "bus"}, {"bird", "person"}, {"chair", "sofa"}, {"aeroplane", "bird"},
    ]  # fmt: skip
    assert similar_groups([*classes, "zebra"]) == []
    assert similar_groups("0123456789") == []


def test_groups_of_similar_classes_are_given_by_names():
    found, truth = images(3)
    losses = np.zeros(len(found))
    plain, *_ = measure_detections(found, truth, losses, CLASSES)
    groups = named_groups(["cat,dog"], CLASSES)
    alike, *_ = measure_detections(found, truth, losses, CLASSES, similar=groups)
    similar, other = MISTAKES.index("similar"), MISTAKES.index("other")
    assert not plain.mistakes[:, similar].any()
    assert alike.mistakes[:, similar].sum() > 0
    both = alike.mistakes[:, [similar, other]].sum(1)
    assert both.tolist() == plain.mistakes[:, other].tolist()
    assert "similar" in dict(alike.headline())["mistakes"]
    assert "similar" not in dict(plain.headline())["mistakes"]
    again = DetectionMetrics.from_dict(json.loads(json.dumps(alike.to_dict())))
    assert again.similar == ((0, 1),)
    assert again.to_dict() == alike.to_dict()
    before = {key: value for key, value in plain.to_dict().items() if key != "similar"}
    voc = {**before, "classes": ["cat", "dog", "bird"]}
    assert DetectionMetrics.from_dict(voc).similar == ((0, 1, 2),)  # of an earlier version


@pytest.mark.parametrize(
    ("similar", "words"),
    [
        (["cat,dgo"], r"'dgo', which is no class\. Did you mean 'dog'"),
        (["cat"], "two classes or more"),
        ([["cat", "cat"]], "two classes or more"),
    ],
)
def test_groups_that_cannot_be_are_refused(similar, words):
    with pytest.raises(RequestError, match=words):
        named_groups(similar, CLASSES)
