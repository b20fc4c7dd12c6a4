"""Metrics of several labels and of grades, against scikit-learn."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from convscope.card import Card
from convscope.evaluation.measure import compute_metrics
from convscope.evaluation.metrics import Metrics, is_better
from convscope.evaluation.multi_label import metrics_from_dict
from convscope.evaluation.ranking import average_precision, roc_auc

LABELS = Card(
    classes=("a", "b", "c", "d"),
    input_size=(8, 8),
    in_channels=1,
    resize_mode="pad",
    task="multi-label",
    mean=(0.0,),
    std=(1.0,),
)
GRADES = replace(LABELS, task="ordinal")


def answers(n=60, *, seed=0):
    rng = np.random.default_rng(seed)
    truth = (rng.random((n, 4)) < [0.5, 0.2, 0.8, 0.1]).astype(np.uint8)
    logits = np.round(rng.normal(size=(n, 4)) + truth, 1)  # rounded, so that there are ties
    return torch.tensor(logits, dtype=torch.float32), truth


def test_labels_are_measured_as_by_scikit_learn():
    logits, truth = answers()
    outputs = compute_metrics(logits, truth, LABELS)
    metrics, shares = outputs.metrics, logits.double().sigmoid().numpy()
    predicted = shares >= 0.5
    assert metrics.map == pytest.approx(sk.average_precision_score(truth, shares))
    assert metrics.auc == pytest.approx(sk.roc_auc_score(truth, shares, average=None))
    assert metrics.top1 == pytest.approx(sk.accuracy_score(truth, predicted))
    assert metrics.exact_match == metrics.top1
    assert metrics.value("f1") == pytest.approx(sk.f1_score(truth, predicted, average="macro"))
    assert metrics.value("micro_f1") == pytest.approx(
        sk.f1_score(truth, predicted, average="micro")
    )
    assert metrics.precision == pytest.approx(
        sk.precision_score(truth, predicted, average=None, zero_division=0)
    )
    assert metrics.recall == pytest.approx(sk.recall_score(truth, predicted, average=None))
    assert (metrics.confusion == sk.multilabel_confusion_matrix(truth, predicted)).all()
    loss = np.mean([sk.log_loss(t, s) for t, s in zip(truth.T, shares.T, strict=True)])
    assert metrics.loss == pytest.approx(loss)
    assert (outputs.is_correct == (predicted == truth).all(1)).all()


@pytest.mark.parametrize("seed", range(5))
def test_curves_with_ties(seed):
    rng = np.random.default_rng(seed)
    truth, scores = rng.random(40) < 0.3, rng.integers(0, 4, 40) / 4
    assert average_precision(truth, scores) == pytest.approx(
        sk.average_precision_score(truth, scores)
    )
    assert roc_auc(truth, scores) == pytest.approx(sk.roc_auc_score(truth, scores))


def test_what_is_not_defined_says_why_and_is_left_out_of_the_mean():
    logits, truth = answers()
    truth[:, 1], truth[:, 2] = 0, 1
    metrics = compute_metrics(logits, truth, LABELS).metrics
    rows = {row["name"]: row for row in metrics.per_class}
    assert rows["b"]["auc"] is None
    assert rows["c"]["average_precision"] is None
    assert metrics.map == pytest.approx(
        np.mean([rows["a"]["average_precision"], rows["d"]["average_precision"]])
    )
    none, every = metrics.undefined()
    assert none.startswith("No image has 'b'")
    assert every.startswith("Every image has 'c'")
    assert "mean average precision of 2 of 4 labels" in str(metrics)
    assert metrics_from_dict(json.loads(metrics.to_json())).to_json() == metrics.to_json()


def test_metrics_survive_their_file():
    logits, truth = answers()
    of_labels = compute_metrics(logits, truth, LABELS).metrics
    of_grades = compute_metrics(logits, truth.argmax(1), GRADES).metrics
    for metrics in (of_labels, of_grades):
        again = metrics_from_dict(json.loads(metrics.to_json()))
        assert type(again) is type(metrics)
        assert again.to_json() == metrics.to_json()


def test_grades_are_measured_as_by_scikit_learn():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 50)
    logits = torch.tensor(rng.normal(size=(50, 4)) + np.eye(4)[truth])
    metrics = compute_metrics(logits, truth, GRADES).metrics
    predicted = logits.argmax(1).numpy()
    kappa = sk.cohen_kappa_score(truth, predicted, weights="quadratic", labels=range(4))
    assert metrics.value("kappa") == pytest.approx(kappa)
    assert metrics.value("mae") == pytest.approx(np.abs(truth - predicted).mean())
    assert {"kappa", "MAE"} <= {name for name, _ in metrics.headline()}
    shares = logits.softmax(1).numpy()
    distances = ((shares.cumsum(1) - np.eye(4)[truth].cumsum(1)) ** 2).sum(1)
    assert metrics.loss == pytest.approx(distances.mean())


def test_kappa_of_one_grade_alone_is_not_defined():
    confusion = np.array([[3, 0], [0, 0]])
    metrics = Metrics(
        classes=("0", "1"), confusion=confusion, loss=0.0, num_correct_top5=None, is_ordinal=True
    )
    assert np.isnan(metrics.kappa)
    assert metrics.to_dict()["kappa"] is None
    assert "kappa     not defined" in str(metrics)


def test_a_smaller_error_in_grades_is_better():
    assert is_better((0.5, 1.0), (0.6, 0.1), "mae")
    assert not is_better((0.5, 1.0), (0.6, 0.1), "kappa")
