"""Rates, areas, agreement and calibration against scikit-learn, explicit loops and simulation."""

import json

import numpy as np
import pytest
from sklearn import metrics as sk

from convscope.errors import RequestError
from convscope.evaluation.bootstrap import counts_of, resampled_counts, resampled_label_counts
from convscope.evaluation.calibration import brier_score, reliability
from convscope.evaluation.clustered import effective_size
from convscope.evaluation.delong import auc_figures, auc_shares
from convscope.evaluation.detail_tables import undefined_notes
from convscope.evaluation.details import Details
from convscope.evaluation.figures import mean, percentile


def details(truth, shares, *, task="single-label", groups=None) -> Details:
    shares, truth = np.asarray(shares, np.float64), np.asarray(truth)
    names = tuple(f"c{index}" for index in range(shares.shape[1]))
    said = shares >= 0.5 if task == "multi-label" else shares.argmax(1)
    losses = np.arange(len(truth), dtype=np.float64)
    return Details(names, task, shares, truth, said, losses, groups)


def drawn(n=200, classes=4, *, seed=0, present=None):
    """Truth and probabilities with ties; `present` are the classes that occur."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(present or range(classes), n)
    scores = np.exp(np.round(rng.normal(size=(n, classes)) + 1.5 * np.eye(classes)[truth]))
    return truth, scores / scores.sum(1, keepdims=True)


@pytest.mark.parametrize("present", [None, [0, 2], [0, 1, 2]])
@pytest.mark.filterwarnings("ignore:y_pred contains classes:UserWarning")
def test_rates_and_agreement_are_those_of_scikit_learn(present):
    truth, shares = drawn(present=present)
    found, said = details(truth, shares), shares.argmax(1)
    for average, rates in found.averages.items():
        for rate, score in (("precision", sk.precision_score), ("recall", sk.recall_score),
                            ("f1", sk.f1_score)):  # fmt: skip
            expected = score(truth, said, average=average, zero_division=0)
            assert rates[rate].value == pytest.approx(expected), (average, rate)
    agreement = {name: figure.value for name, figure in found.agreement.items()}
    assert agreement["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(truth, said))
    assert agreement["kappa"] == pytest.approx(sk.cohen_kappa_score(truth, said))
    assert agreement["mcc"] == pytest.approx(sk.matthews_corrcoef(truth, said))
    grades = details(truth, shares, task="ordinal").agreement["quadratic_kappa"].value
    labels = range(shares.shape[1])
    assert grades == pytest.approx(
        sk.cohen_kappa_score(truth, said, weights="quadratic", labels=labels)
    )
    counts = sk.multilabel_confusion_matrix(truth, said, labels=labels)
    for row, (tn, fp, fn, tp) in zip(found.per_class, counts.reshape(-1, 4), strict=True):
        expected = dict(precision=(tp, tp + fp), recall=(tp, tp + fn), specificity=(tn, tn + fp),
                        npv=(tn, tn + fn), f1=(2 * tp, 2 * tp + fp + fn))  # fmt: skip
        for rate, (top, bottom) in expected.items():
            assert row[rate].is_defined == (bottom > 0)
            assert not bottom or row[rate].value == pytest.approx(top / bottom)


@pytest.mark.parametrize("seed", range(3))
def test_areas_and_curves_are_those_of_scikit_learn_with_ties(seed):
    truth, shares = drawn(60, seed=seed)
    found = details(truth, shares)
    areas, whole = found.auc
    assert whole.value == pytest.approx(
        sk.roc_auc_score(truth, shares, multi_class="ovr", average="macro")
    )
    precisions = []
    for index, (area, name) in enumerate(zip(areas, found.classes, strict=True)):
        has, scores = truth == index, shares[:, index]
        assert area.value == pytest.approx(sk.roc_auc_score(has, scores))
        points = found.curve(name)
        fpr, tpr, thresholds = sk.roc_curve(has, scores, drop_intermediate=False)
        assert np.allclose(points.sensitivity, tpr)
        assert np.allclose(1 - points.specificity, fpr)
        assert np.allclose(points.thresholds[1:], thresholds[1:])
        precision = sk.precision_recall_curve(has, scores)[0]
        assert np.allclose(points.precision[1:][::-1], precision[:-1])
        precisions.append(sk.average_precision_score(has, scores))
        assert len(points.thinned(5).thresholds) == 5
    assert found.average_precision[1].value == pytest.approx(np.mean(precisions))


def test_the_variance_of_an_area_is_delongs_by_its_definition():
    rng = np.random.default_rng(1)
    truth = rng.random(50) < 0.3
    scores = np.round(rng.normal(size=50) + truth, 1)
    area, added = auc_shares(truth, scores)
    higher = [
        [(x > y) + 0.5 * (x == y) for y in scores[~truth]] for x in scores[truth]
    ]  # DeLong's psi
    of_inside, of_outside = np.mean(higher, 1), np.mean(higher, 0)
    expected = of_inside.var(ddof=1) / len(of_inside) + of_outside.var(ddof=1) / len(of_outside)
    assert area == pytest.approx(np.mean(higher))
    assert (added**2).sum() == pytest.approx(expected)


def test_what_cannot_be_defined_says_why():
    truth, shares = drawn(present=[1])
    found = details(truth, shares)
    areas, whole = found.auc
    assert [area.reason for area in areas[:2]] == ["no image is of 'c0'", "every image is of 'c1'"]
    assert not whole.is_defined
    assert whole.reason == "no class has both images of it and images of others"
    assert found.agreement["mcc"].reason == "truth or predictions are of one class alone"
    assert found.curve("c1") is None
    assert "AUC of 'c1' is not defined: all images are of it." in undefined_notes(found)
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert values["auc"] == {"value": None, "interval": None, "reason": whole.reason}
    perfect = details([0, 1, 0, 1], np.eye(2)[[0, 1, 0, 1]])
    figure = perfect.averages["macro"]["f1"]
    assert (figure.value, figure.interval) == (1.0, None)
    assert figure.reason == "it is the same for all resampled sets of images"
    with pytest.raises(RequestError, match="There is no class 'x'"):
        found.curve("x")


def test_no_images_and_probabilities_that_are_not_finite_are_refused():
    with pytest.raises(RequestError, match="no images"):
        details([], np.empty((0, 2)))
    with pytest.raises(RequestError, match="not a finite number"):
        details([0], [[np.nan, 0.5]])


def test_labels_are_measured_as_by_scikit_learn():
    rng = np.random.default_rng(0)
    truth = (rng.random((80, 3)) < [0.5, 0.2, 0.8]).astype(np.uint8)
    shares = np.clip(np.round(rng.normal(0.3, 0.2, (80, 3)) + 0.4 * truth, 1), 0, 1)
    found = details(truth, shares, task="multi-label")
    for average, rates in found.averages.items():
        p, r, f, _ = sk.precision_recall_fscore_support(
            truth, shares >= 0.5, average=average, zero_division=0
        )
        assert [rates[k].value for k in ("precision", "recall", "f1")] == pytest.approx([p, r, f])
    assert found.auc[1].value == pytest.approx(sk.roc_auc_score(truth, shares))
    assert found.topk["top1_error"].value == pytest.approx(
        1 - sk.accuracy_score(truth, shares >= 0.5)
    )
    assert found.brier.value == pytest.approx(((truth - shares) ** 2).mean())
    assert found.agreement == {}


def test_brier_scores_are_those_of_scikit_learn():
    for classes in (2, 4):
        truth, shares = drawn(classes=classes)
        expected = (
            sk.brier_score_loss(truth, shares[:, 1])
            if classes == 2
            else ((shares - np.eye(4)[truth]) ** 2).sum(1).mean()
        )
        assert brier_score(shares, truth) == pytest.approx(expected)


def test_the_calibration_error_is_that_of_a_loop_over_bins():
    rng = np.random.default_rng(0)
    shares = np.r_[rng.random(300), 0.0, 1.0, 1 / 15, 0.2]
    right = rng.random(len(shares)) < shares**2
    found = reliability(shares, right)
    total = 0.0
    for low in range(15):
        inside = (shares * 15 > low) & (shares * 15 <= low + 1) | ((low == 0) & (shares == 0))
        if inside.any():
            total += inside.sum() * abs(right[inside].mean() - shares[inside].mean())
    assert found.error == pytest.approx(total / len(shares))
    assert found.error > found.chance_error
    assert sum(row["count"] for row in found.to_dict()["reliability"]) == len(shares)


def test_calibrated_answers_exceed_the_error_of_chance_once_in_twenty():
    rng = np.random.default_rng(0)
    shares = rng.random(100)
    bound = reliability(shares, rng.random(100) < shares).chance_error
    errors = [reliability(shares, rng.random(100) < shares).error for _ in range(100)]
    assert 1 <= sum(error > bound for error in errors) <= 12


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("n", [40, 400])
def test_resampled_counts_are_those_of_images_drawn_one_by_one(grouped, n):
    truth, shares = drawn(n, 3)
    said, rng = shares.argmax(1), np.random.default_rng(5)
    groups = np.arange(n) // 4 if grouped else None
    found = resampled_counts(truth, said, 3, groups)
    expected = []
    for _ in range(400):
        if groups is None:
            images = rng.integers(0, n, n)
        else:
            chosen = rng.integers(0, n // 4, n // 4)
            images = np.concatenate([np.flatnonzero(groups == group) for group in chosen])
        counts = counts_of(truth[images], said[images], 3)
        expected.append([*counts.hits, *counts.support, *counts.predicted, counts.squared_error])
    ours = np.c_[found.hits, found.support, found.predicted, found.squared_error]
    assert ours.shape == (2000, 10)
    expected = np.array(expected)
    assert np.allclose(ours.mean(0), expected.mean(0), atol=0.2 * expected.std(0).max())
    assert np.allclose(ours.std(0), expected.std(0), rtol=0.2)
    assert np.allclose(found.support.sum(1), n)


def test_resampled_labels_have_the_spread_of_shares():
    rng = np.random.default_rng(0)
    truth, said = rng.random((300, 2)) < 0.3, rng.random((300, 2)) < 0.5
    found = resampled_label_counts(truth, said)
    share = truth.mean(0)
    assert np.allclose(found.support.mean(0), truth.sum(0), atol=1)
    assert np.allclose(found.support.std(0), np.sqrt(300 * share * (1 - share)), rtol=0.1)
    grouped = resampled_label_counts(np.repeat(truth, 3, 0), np.repeat(said, 3, 0),
                                     np.repeat(np.arange(300), 3))  # fmt: skip
    assert np.allclose(grouped.support, 3 * found.support)


def test_copies_in_one_group_make_no_interval_narrower():
    truth, shares = drawn(60, 3)
    alone = details(truth, shares)
    copies = details(np.repeat(truth, 5), np.repeat(shares, 5, 0),
                     groups=np.repeat(np.arange(60), 5).astype(str).tolist())  # fmt: skip
    assert copies.num_groups == 60
    pairs = [
        (alone.auc[1], copies.auc[1]),
        (alone.brier, copies.brier),
        (alone.agreement["kappa"], copies.agreement["kappa"]),
        (alone.topk["top1_error"], copies.topk["top1_error"]),
        (alone.per_class[0]["recall"], copies.per_class[0]["recall"]),
    ]
    for one, other in pairs:
        assert one.value == pytest.approx(other.value)
        assert np.diff(one.interval) == pytest.approx(np.diff(other.interval), rel=0.1)
    assert effective_size((truth == 0).astype(float), range(60)) == 60


@pytest.mark.slow
def test_the_intervals_hold_what_they_say_they_hold():
    """Of 2,000 sets of images, 93 to 97% have an interval with the true value in it."""
    rng = np.random.default_rng(0)
    classes, n, sets = 3, 300, 2000

    def images(count):
        truth = rng.choice(classes, count, p=[0.5, 0.3, 0.2])
        scores = rng.normal(size=(count, classes)) + 1.2 * np.eye(classes)[truth]
        shares = np.exp(scores)
        return truth, shares / shares.sum(1, keepdims=True)

    def figures(truth, shares):
        counts = counts_of(truth, shares.argmax(1), classes)
        draws = resampled_counts(truth, shares.argmax(1), classes)
        one_hot = truth[:, None] == np.arange(classes)
        names = [f"c{k}" for k in range(classes)]
        areas, whole = auc_figures(one_hot, shares, names)
        return {
            "f1": percentile(float(counts.rate("f1", "macro")), draws.rate("f1", "macro")),
            "balanced": percentile(float(counts.balanced_accuracy), draws.balanced_accuracy),
            "kappa": percentile(float(counts.kappa), draws.kappa),
            "mcc": percentile(float(counts.mcc), draws.mcc),
            "auc of c2": areas[2],
            "mean auc": whole,
            "brier": mean(((shares - one_hot) ** 2).sum(1)),
        }

    known = {name: figure.value for name, figure in figures(*images(400_000)).items()}
    held = dict.fromkeys(known, 0)
    for _ in range(sets):
        for name, figure in figures(*images(n)).items():
            low, high = figure.interval
            held[name] += low <= known[name] <= high
    shares = {name: count / sets for name, count in held.items()}
    assert all(0.93 <= share <= 0.97 for share in shares.values()), shares
