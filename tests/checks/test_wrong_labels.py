"""Labels that were swapped are doubted, others are not; the arithmetic is that of cleanlab."""

from dataclasses import replace

import numpy as np
import pytest

from convscope.checks.confident_learning import likely_labels, margins
from convscope.checks.cross_validation import FOLDS, assign_folds, cross_validated, units_of
from convscope.checks.inspection import inspect
from convscope.checks.wrong_labels import find_wrong_labels
from convscope.data.digits import digit_images
from convscope.data.source import open_source

QUIET = lambda *_: None  # noqa: E731


@pytest.fixture(scope="module")
def digits():
    pixels, labels = digit_images()
    return inspect(open_source((pixels[:900], labels[:900])), QUIET)


def test_swapped_labels_of_digits_are_found_and_no_others(digits):
    assert find_wrong_labels(digits, QUIET) is None
    random = np.random.default_rng(0)
    labels = digits.dataset.labels.copy()
    swapped = random.permutation(len(labels))[:45]
    labels[swapped] = (labels[swapped] + random.integers(1, 10, 45)) % 10
    wrong = replace(digits, dataset=replace(digits.dataset, labels=labels))
    outcome = find_wrong_labels(wrong, QUIET)
    found = [finding.images[0] for finding in outcome.findings]
    assert len(set(found) & set(swapped.tolist())) >= 32
    assert len(set(found) - set(swapped.tolist())) <= 2
    right = digits.dataset.classes
    assert all(
        finding.suggested == right[digits.dataset.labels[finding.images[0]]]
        for finding in outcome.findings[:20]
    )
    assert outcome.severity == "warning"


def test_where_nothing_can_be_predicted_nothing_is_doubted(digits):
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, len(digits.dataset))
    reason = find_wrong_labels(
        replace(digits, dataset=replace(digits.dataset, labels=labels)), QUIET
    )
    assert reason.startswith("the simple model is right for")
    few = np.where(np.arange(len(labels)) < 3, 0, 1)
    reason = find_wrong_labels(replace(digits, dataset=replace(digits.dataset, labels=few)), QUIET)
    assert reason == f"class {digits.dataset.classes[0]!r} has too few images"


def test_of_several_labels_each_is_doubted_by_itself(digits):
    given = digits.dataset
    digit = given.labels
    right = np.stack([digit % 2 == 0, digit >= 5, np.arange(len(digit)) < 4], axis=1)
    swapped = np.random.default_rng(1).permutation(len(digit))[:40]
    targets = right.copy()
    targets[swapped, 0] ^= True
    dataset = given.with_targets(targets, ("even", "large", "rare"))
    outcome = find_wrong_labels(replace(digits, dataset=dataset), QUIET)
    assert "'even'" in outcome.summary
    assert "'rare'" not in outcome.summary
    found = {one.images[0] for one in outcome.findings if " for even, " in one.detail}
    assert len(found & set(swapped.tolist())) >= 26
    assert len(found - set(swapped.tolist())) <= 8
    first = outcome.findings[0]
    index = first.images[0]
    assert first.detail.endswith("lacks" if right[index, 0] else "has")
    assert first.suggested == given.with_targets(right, dataset.classes).label_text(index)


def noisy(count, classes, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, count)
    scores = random.normal(size=(count, classes))
    scores[np.arange(count), labels] += 2
    powers = np.exp(scores)
    given = np.where(random.random(count) < 0.15, (labels + 1) % classes, labels)
    return given, powers / powers.sum(axis=1, keepdims=True)


def test_confident_learning_is_that_of_the_paper_image_by_image():
    labels, probabilities = noisy(200, 4)
    means = [probabilities[labels == j, j].mean() for j in range(4)]
    for i, likely in enumerate(likely_labels(labels, probabilities)):
        confident = [j for j in range(4) if probabilities[i, j] >= means[j]]
        assert likely == max(confident, key=lambda j: probabilities[i, j], default=-1)
        others = [probabilities[i, j] for j in range(4) if j != labels[i]]
        expected = probabilities[i, labels[i]] - max(others)
        assert margins(labels, probabilities)[i] == pytest.approx(expected)


@pytest.mark.parametrize(("count", "classes"), [(300, 3), (1000, 10), (50, 2)])
def test_the_doubted_labels_are_those_of_cleanlab(count, classes):
    cleanlab = pytest.importorskip("cleanlab.filter", reason="cleanlab is not installed")
    labels, probabilities = noisy(count, classes)
    likely = likely_labels(labels, probabilities)
    theirs = cleanlab.find_label_issues(
        labels, probabilities, filter_by="confident_learning", n_jobs=1
    )
    assert ((likely >= 0) & (likely != labels) == theirs).all()


def test_folds_keep_units_together_and_classes_even():
    labels = np.repeat([0, 1], [60, 40])
    units = np.arange(100) // 2
    folds = assign_folds(labels, units)
    assert all(len(set(folds[units == unit])) == 1 for unit in range(50))
    for label in (0, 1):
        counts = np.bincount(folds[labels == label], minlength=FOLDS)
        assert counts.max() - counts.min() <= 2


def test_copies_and_groups_are_one_unit():
    leaders = np.array([0, 1, 0, 3, 4, 5])
    units = units_of(leaders, [(1, 3)], ["a", "", "", "b", "b", ""])
    assert units[0] == units[2]
    assert units[1] == units[3] == units[4]
    assert len(set(units.tolist())) == 3


def test_a_prediction_does_not_depend_on_the_own_label():
    random = np.random.default_rng(0)
    labels = np.arange(60) % 2
    features = random.normal(size=(60, 5)).astype(np.float32)
    features[:, 0] += 4 * labels
    before = cross_validated(features, labels, np.arange(60), 2, QUIET)
    assert (before.argmax(axis=1) == labels).mean() > 0.9
    features[:, 1] = labels * 0
    features[7, 1] = 100  # tells one image alone, which no other fold has
    after = cross_validated(features, labels, np.arange(60), 2, QUIET)
    assert np.isfinite(after).all()
