"""The interval of a paired change covers the truth, by the exact multinomial."""

import math
from itertools import product

import numpy as np
import pytest

from convscope.evaluation.paired import PairedAccuracy


def coverage(images, lost, gained):
    """The probability that the interval has gained - lost, summed over all outcomes."""
    total = 0.0
    for a, b in product(range(images + 1), repeat=2):
        if a + b > images:
            continue
        low, high = PairedAccuracy(num_images=images, before=images, lost=a, gained=b).interval
        if low <= gained - lost <= high:
            ways = math.comb(images, a) * math.comb(images - a, b)
            total += ways * lost**a * gained**b * (1 - lost - gained) ** (images - a - b)
    return total


@pytest.mark.parametrize(
    ("lost", "gained"), [(0.02, 0.01), (0.05, 0.05), (0.1, 0.02), (0.002, 0.002), (0.3, 0.1)]
)
def test_the_interval_covers_the_true_change(lost, gained):
    assert 0.94 <= coverage(60, lost, gained) <= 1


def test_equal_answers_still_have_an_interval():
    found = PairedAccuracy(num_images=200, before=190, lost=0, gained=0)
    low, high = found.interval
    assert low == -high
    assert 0.01 < high < 0.02


def test_counts_come_from_the_same_images():
    before = np.array([True, True, False, False, True])
    after = np.array([True, False, True, False, True])
    found = PairedAccuracy.of(before, after)
    assert (found.before, found.after, found.lost, found.gained) == (3, 3, 1, 1)
    assert found.change == 0
    assert str(PairedAccuracy(num_images=100, before=98, lost=3, gained=1)).startswith(
        "98.00% before, 96.00% after: -2.00 points, 95% interval -6"
    )
