"""Laws of folds: a partition, stratified, groups and copies whole; and scikit-learn's balance."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from convscope.data.folds import Fold, assign_folds
from convscope.errors import RequestError
from tests.data.test_split import made, shuffled


def patients(seed, *, count=60, classes=3, mixed=False):
    """Labels and patients of images; with `mixed`, some patients have images of several classes."""
    random = np.random.default_rng(seed)
    sizes, of_patient = random.geometric(0.25, count), random.integers(classes, size=count)
    of_patient[: 12 * classes] = np.tile(np.arange(classes), 12)
    labels, numbers = np.repeat(of_patient, sizes), np.repeat(np.arange(count), sizes)
    if mixed:
        labels = np.where(
            random.random(len(labels)) < 0.2, random.integers(classes, size=len(labels)), labels
        )
    return labels, [f"p{number}" for number in numbers]


@given(
    counts=st.lists(st.integers(5, 40), min_size=2, max_size=5),
    folds=st.integers(2, 5),
    seed=st.integers(0, 3),
    random=st.randoms(),
)
@settings(max_examples=60, deadline=None)
def test_the_laws_of_folds_without_groups(counts, folds, seed, random):
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    data = made(labels)
    fold = assign_folds(data, folds, seed=seed)
    assert np.ptp(np.bincount(fold, minlength=folds)) <= 1
    for label in range(len(counts)):
        assert np.ptp(np.bincount(fold[data.labels == label], minlength=folds)) <= 1
    order = list(range(len(data)))
    random.shuffle(order)
    again = assign_folds(shuffled(data, np.array(order)), folds, seed=seed)
    assert (again == fold[order]).all()


def test_it_is_as_even_as_scikit_learn():
    labels, _ = patients(0)
    fold = assign_folds(made(labels.tolist()), 5)
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(labels, labels):
        theirs = np.bincount(labels[test], minlength=3)
        assert (np.abs(np.bincount(labels[fold == 0], minlength=3) - theirs) <= 1).all()
        assert len(train) + len(test) == len(labels)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_groups_are_whole_and_classes_as_even_as_scikit_learns(seed, mixed):
    labels, groups = patients(seed, mixed=mixed)
    data = made(labels.tolist(), groups=groups)
    ours = assign_folds(data, 5, seed=seed)
    for group in set(groups):
        assert len({int(f) for f, name in zip(ours, groups, strict=True) if name == group}) == 1
    theirs = np.zeros(len(labels), int)
    peer = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    for number, (_, test) in enumerate(peer.split(labels, labels, groups)):
        theirs[test] = number
    assert unevenness(labels, ours) <= 1.25 * unevenness(labels, theirs) + 1e-9
    for fold in range(5):
        assert set(labels[ours == fold]) == {0, 1, 2}


def unevenness(labels, folds):
    """The largest deviation of a class's share in a fold from a fifth, in fifths."""
    shares = [np.bincount(folds[labels == label], minlength=5) for label in range(3)]
    return max(np.abs(5 * counts / counts.sum() - 1).max() for counts in shares)


def test_another_seed_gives_other_folds_even_where_no_two_groups_have_one_size():
    sizes = range(5, 35)
    groups = [f"p{n}" for n, size in enumerate(sizes) for _ in range(size)]
    labels = [n % 2 for n, size in enumerate(sizes) for _ in range(size)]
    data = made(labels, groups=groups)
    pairs = [assign_folds(data, 3, seed=seed) for seed in (0, 0, 1)]
    assert (pairs[0] == pairs[1]).all()
    together = [folds[:, None] == folds[None, :] for folds in pairs]  # whatever the numbering
    assert (together[0] != together[2]).mean() > 0.1


@pytest.mark.parametrize("groups", [None, [f"p{n // 2}" for n in range(60)]])
def test_every_image_is_tested_once_and_each_fold_has_its_validation(groups):
    data = made([0, 1, 2, 0, 1, 2] * 10, groups=groups)
    tested = np.zeros(60, int)
    validated = []
    for number in range(5):
        split = Fold(number, 5).split(data, val=0.1, seed=0).split
        tested += split == "test"
        validated.append(split == "val")
        assert set(split) == {"train", "val", "test"}
        if groups:
            for name in ("train", "val", "test"):
                inside = {g for g, s in zip(groups, split, strict=True) if s == name}
                assert sum(g in inside for g in groups) == (split == name).sum()
    assert (tested == 1).all()
    assert len({mask.tobytes() for mask in validated}) == 5
    without = Fold(0, 5).split(data, val=0, seed=0).split
    assert set(without) == {"train", "test"}


def test_the_test_split_of_the_data_stays_apart_and_validation_images_are_folded():
    data = made([0, 1] * 20, split=["train"] * 20 + ["val"] * 10 + ["test"] * 10)
    splits = [Fold(number, 4).split(data, val=0.1, seed=0).split for number in range(4)]
    assert (np.array(splits)[:, 30:] == "").all()
    assert ((np.array(splits)[:, :30] == "test").sum(axis=0) == 1).all()


@pytest.mark.parametrize("groups", [None, [f"p{n // 3}" for n in range(60)]])
def test_copies_stay_together(groups):
    data = made([0, 1, 2, 0, 1, 2] * 10, groups=groups)
    copies = [[0, 7, 59], [3, 30]]
    for number in range(4):
        split = Fold(number, 4).split(data, val=0.2, seed=1, copies=copies).split
        assert [len(set(split[each])) for each in copies] == [1, 1]
        if groups:
            assert all(len(set(split[3 * n : 3 * n + 3])) == 1 for n in range(20))


@pytest.mark.parametrize(
    ("labels", "groups", "message"),
    [
        (
            [0] * 9 + [1] * 3,
            None,
            "too few images of 'c1' (3): each class needs at least 5 for 5 f",
        ),
        ([0] * 9 + [1] * 3, None, "Choose `folds=3`, or add some."),
        ([0] * 9 + [1], None, "Leave out the class, or add some."),
        (
            [0, 1] * 20,
            [f"p{min(n, 4) if n % 2 else n}" for n in range(40)],
            "too few groups of 'c1' (",
        ),
    ],
)
def test_too_few_of_a_class_are_refused(labels, groups, message):
    with pytest.raises(RequestError, match=re.escape(message)):
        Fold(0, 5).split(made(labels, groups=groups), val=0.1, seed=0)
