"""Scores against scikit-learn and SciPy, which count on their own."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn import metrics

from convscope.card import Card
from convscope.evaluation.measure import compute_metrics
from convscope.evaluation.metrics import is_better, wilson_interval


def card(classes):
    names = tuple(f"class{number}" for number in range(classes))
    return Card(
        classes=names, input_size=(1, 1), in_channels=1, resize_mode="pad", mean=(0.0,), std=(1.0,)
    )


def answers(classes, images=300, seed=0):
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, classes, generator=random).round(decimals=1)  # with ties
    labels = torch.randint(classes, (images,), generator=random).numpy()
    return logits, labels


@pytest.mark.parametrize("classes", [2, 5, 6, 40])
def test_counts_are_those_of_scikit_learn(classes):
    logits, labels = answers(classes)
    measured = compute_metrics(logits, labels, card(classes))
    scores, said = measured.metrics, measured.predicted
    present = np.unique([*labels, *said])
    everyone = np.arange(classes)
    assert scores.num_images == len(labels)
    assert np.array_equal(scores.confusion, metrics.confusion_matrix(labels, said, labels=everyone))
    p, r, f, n = metrics.precision_recall_fscore_support(
        labels, said, labels=everyone, zero_division=0
    )
    assert np.allclose(scores.precision, p)
    assert np.allclose(scores.recall, r)
    assert np.allclose(scores.f1, f)
    assert np.array_equal(scores.support, n)
    assert scores.top1 == pytest.approx(metrics.accuracy_score(labels, said))
    if len(present) == classes:
        assert scores.value("balanced") == pytest.approx(
            metrics.balanced_accuracy_score(labels, said)
        )
    shares = logits.double().softmax(1).numpy()
    loss = metrics.log_loss(labels, shares / shares.sum(1, keepdims=True), labels=everyone)
    assert scores.loss == pytest.approx(loss)


def test_means_are_over_the_classes_that_scikit_learn_takes():
    labels, answers = np.array([0, 0, 1]), np.array([0, 2, 1])
    logits = torch.eye(4)[answers] * 9
    scores = compute_metrics(logits, labels, card(4)).metrics
    assert scores.value("f1") == pytest.approx(0.5556, abs=1e-4)
    assert scores.value("f1") == pytest.approx(metrics.f1_score(labels, answers, average="macro"))
    assert scores.value("balanced") == pytest.approx(0.75)


def test_top5_is_that_of_scikit_learn_without_ties_and_absent_up_to_five_classes():
    logits, labels = answers(12)
    logits = logits + torch.rand(logits.shape, generator=torch.Generator().manual_seed(1)) / 100
    scores = compute_metrics(logits, labels, card(12)).metrics
    assert scores.top5 == pytest.approx(
        metrics.top_k_accuracy_score(labels, logits.numpy(), k=5, labels=range(12))
    )
    assert compute_metrics(*answers(5), card(5)).metrics.top5 is None


def test_a_tie_goes_to_the_class_that_comes_first():
    measured = compute_metrics(torch.zeros(7, 7), np.arange(7), card(7))
    assert measured.metrics.num_correct == 1
    assert measured.metrics.num_correct_top5 == 5


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_scipys(counts):
    hits, images = counts
    theirs = binomtest(hits, images).proportion_ci(method="wilson")
    assert wilson_interval(hits, images) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_better_is_higher_lower_for_the_loss_and_ties_are_the_losss():
    assert is_better((0.9, 1.0), (0.8, 0.1), "top1")
    assert is_better((0.9, 0.1), (0.9, 0.2), "top1")
    assert not is_better((0.9, 0.2), (0.9, 0.2), "top1")
    assert is_better((0.1, 0.1), (0.2, 0.2), "loss")
    assert not is_better((0.3, 0.3), (0.2, 0.2), "loss")


def test_json_has_what_is_promised_and_the_rows_add_up():
    logits, labels = answers(8)
    facts = compute_metrics(logits, labels, card(8)).metrics.to_dict()
    assert {"top1", "top5", "loss", "images", "classes", "confusion", "per_class"} <= set(facts)
    assert sum(map(sum, facts["confusion"])) == facts["images"] == 300
    for row, entry in zip(facts["confusion"], facts["per_class"], strict=True):
        assert sum(row) == entry["images"]
