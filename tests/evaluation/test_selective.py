"""Accuracy by coverage against an explicit loop."""

import numpy as np
import pytest

from convscope.evaluation.detail_tables import detail_tables
from convscope.evaluation.details import Details
from convscope.evaluation.selective import Selective


def drawn(seed=0, n=60):
    rng = np.random.default_rng(seed)
    certainty = np.round(rng.normal(2, 1, n), 1)  # with ties
    return certainty, rng.random(n) < 1 / (1 + np.exp(-certainty))


@pytest.mark.parametrize("seed", range(3))
def test_the_curve_is_that_of_a_loop_over_thresholds(seed):
    certainty, is_right = drawn(seed)
    found = Selective(certainty, is_right)
    errors = []
    for each in certainty:
        answered = certainty >= each
        errors.append((~is_right[answered]).mean())
    assert found.area == pytest.approx(np.mean(errors))
    for coverage in (0.01, 0.3, 0.5, 1.0):
        answered, accuracy = found.at(coverage)
        least = max(c for c in certainty if (certainty >= c).mean() >= coverage - 1e-12)
        assert answered == (certainty >= least).mean()
        assert accuracy.value == is_right[certainty >= least].mean()
        low, high = accuracy.interval
        assert low <= accuracy.value <= high
    assert found.points()[-1] == (1.0, is_right.mean())


def test_equal_certainties_and_one_image_are_answered_together():
    found = Selective(np.full(4, 0.5), np.array([True, False, True, True]))
    assert found.points() == [(1.0, 0.75)]
    assert found.at(0.1) == found.at(1.0)
    assert Selective(np.array([0.1]), np.array([False])).area == 1


def test_groups_make_the_intervals_wider():
    certainty, is_right = np.arange(40.0), np.repeat([True, False, True, True], 10)
    alone = Selective(certainty, is_right).at(0.5)[1].interval
    grouped = Selective(certainty, is_right, np.repeat(np.arange(8), 5)).at(0.5)[1].interval
    assert grouped[1] - grouped[0] > alone[1] - alone[0]


def test_details_have_it_of_single_classes_alone():
    rng = np.random.default_rng(1)
    shares, truth = rng.dirichlet(np.ones(3), 50), rng.integers(0, 3, 50)
    words = dict(losses=np.ones(50), classes=tuple("abc"), probabilities=shares)
    energies = rng.normal(size=50)
    found = Details(truth=truth, predicted=shares.argmax(1), task="single-label",
                    energies=energies, **words)  # fmt: skip
    assert set(found.selective) == set(found.to_dict()["selective"]) == {"probability", "energy"}
    rows = dict(detail_tables(found))["Accuracy where only the most certain images are answered"]
    assert rows[0] == ["answered", "certain by probability", "certain by energy"]
    assert rows[1][1].startswith(f"{(shares.argmax(1) == truth).mean():.3f}")
    labels = Details(truth=np.eye(3, dtype=int)[truth], predicted=shares > 0.5, task="multi-label",
                     **words)  # fmt: skip
    assert labels.selective == {}
