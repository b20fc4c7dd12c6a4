"""Lesson convolution: the lecture's grid, every unit by a slow loop, and what is refused."""

import numpy as np
import pytest

from convscope.errors import RequestError
from convscope.lessons.convolution import compute

ROWS = "517781 725781 535442 443321 334781 578231"
IMAGE = [int(digit) for digit in ROWS.replace(" ", "")]
FILTER = [1, 0, -1, 2, 0, -2, 1, 0, -1]
START = {"image": IMAGE, "kernel": 3, "filter": FILTER, "at": 0}


def test_the_lectures_grid_comes_out():
    text = compute(START)
    assert text["sums"] == [2, -17, -6, 20, 3, -6, 0, 12, 1, -3, -1, 12, -4, -2, -2, 15]
    assert text["formula"] == "(6 - 3 + 2·0)/1 + 1 = 4"


def test_the_flipped_filter_gives_the_lectures_true_convolution():
    found = [compute({**START, "at": at})["flipped"] for at in range(16)]
    assert found == [-2, 17, 6, -20, -3, 6, 0, -12, -1, 3, 1, -12, 4, 2, 2, -15]


def test_a_filter_without_symmetry_is_turned_by_half_a_turn():
    text = compute({**START, "kernel": 2, "filter": [1, 10, 100, 1000]})
    assert text["total"] == 5 + 1 * 10 + 7 * 100 + 2 * 1000
    assert text["flipped"] == 5 * 1000 + 1 * 100 + 7 * 10 + 2


@pytest.mark.parametrize("kernel", range(1, 7))
def test_every_unit_is_the_sum_of_its_terms_and_its_patch_the_cells_under_it(kernel):
    rng = np.random.default_rng(kernel)
    image, weights = rng.normal(size=36).round(2), rng.normal(size=kernel**2).round(2)
    side = 7 - kernel
    for at in range(side**2):
        text = compute({"image": [*image], "kernel": kernel, "filter": [*weights], "at": at})
        cells = [6 * (at // side + u) + at % side + v for u in range(kernel) for v in range(kernel)]
        assert text["patch"] == cells
        assert [term["value"] for term in text["terms"]] == [image[i] for i in cells]
        assert [term["weight"] for term in text["terms"]] == [*weights]
        total = sum(image[i] * w for i, w in zip(cells, weights, strict=True))
        assert text["total"] == text["sums"][at] == pytest.approx(total, abs=1e-12)
        assert sum(term["product"] for term in text["terms"]) == pytest.approx(total, abs=1e-12)
    assert text["side"] == side


def test_a_unit_beyond_a_map_that_has_shrunk_is_the_last_one():
    assert compute({**START, "at": 35})["at"] == 15


def test_zeros_give_zeros_and_the_largest_numbers_stay_exact():
    assert set(compute({**START, "image": [0] * 36})["sums"]) == {0.0}
    text = compute({"image": [1e6] * 36, "kernel": 6, "filter": [-1e6] * 36, "at": 0})
    assert text["sums"] == [-36e12]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kernel": 0}, "kernel must be a whole number from 1 to 6"),
        ({"kernel": 7}, "kernel must be a whole number from 1 to 6"),
        ({"image": IMAGE[1:]}, "image must be 36 numbers"),
        ({"filter": [1] * 4}, "filter must be 9 numbers"),
        ({"filter": [1] * 8 + [1e9]}, "9 numbers from -1,000,000 to 1,000,000"),
        ({"at": -1}, "at must be"),
        ({"at": 36}, "at must be"),
    ],
)
def test_what_is_no_state_is_refused(change, sentence):
    with pytest.raises(RequestError, match=sentence):
        compute({**START, **change})
