"""Lesson stride: the lecture's numbers, every size by listing windows, and what is refused."""

import itertools

import numpy as np
import pytest

from convscope.errors import RequestError
from convscope.lessons.stride import compute

LECTURE = [
    [5, 1, 7, 7, 8, 1],
    [7, 2, 5, 7, 8, 1],
    [5, 3, 5, 4, 4, 2],
    [4, 4, 3, 3, 2, 1],
    [3, 3, 4, 7, 8, 1],
    [5, 7, 8, 2, 3, 1],
]
START = {"side": 6, "kernel": 3, "stride": 2, "filter": "edges", "at": 0}


def image(rows=LECTURE):
    """The 12x12 image that has these rows in its corner, and odd numbers elsewhere."""
    integer = np.arange(144.0).reshape(12, 12) % 7 - 3.5
    integer[: len(rows), : len(rows[0])] = rows
    return integer


def state(**change):
    return {"image": image().ravel().tolist(), **START, **change}


def test_the_lectures_numbers_come_out():
    text = compute(state())
    assert text["sums"] == [2, -6, 1, -1]
    assert text["sentence"] == "the last row and column are never read"
    assert len(text["unread"]) == 11
    assert text["formula"] == "(6 - 3 + 2·0)/2 + 1 = 2.5, rounded down to 2"
    assert text["next"] == 7
    assert compute(state(stride=1))["sums"][:6] == [2, -17, -6, 20, 3, -6]


def every_size():
    for side in (5, 6, 9, 12):
        for kernel in sorted({1, 2, 3, side - 1, side}):
            for stride in (1, 2, 3, 5, 8):
                yield side, kernel, stride


@pytest.mark.parametrize(("side", "kernel", "stride"), [*every_size()])
def test_windows_sums_and_unread_cells_are_those_of_a_slow_walk(side, kernel, stride):
    integer = image()
    starts = [start for start in range(0, side, stride) if start + kernel <= side]
    sums, read = [], set()
    for top, left in itertools.product(starts, starts):
        taps = list(itertools.product(range(top, top + kernel), range(left, left + kernel)))
        sums.append(sum(integer[y, x] for y, x in taps))
        read.update(taps)
    text = compute(state(side=side, kernel=kernel, stride=stride, filter="sum", at=len(sums) - 1))
    assert text["starts"] == starts
    assert text["map"] == len(starts)
    assert text["sums"] == pytest.approx(sums, abs=1e-9)
    cells = [(y, x) for y in range(side) for x in range(side)]
    assert text["unread"] == [y * side + x for y, x in cells if (y, x) not in read]
    assert text["image"] == [integer[y, x] for y, x in cells]
    assert text["patch"] == [y * side + x for y, x in taps]
    assert sum(term["product"] for term in text["terms"]) == pytest.approx(text["total"], abs=1e-9)
    assert bool(text["sentence"]) == bool(text["unread"])


@pytest.mark.parametrize(("side", "kernel", "stride"), [*every_size()])
def test_the_next_size_is_the_first_at_which_the_last_window_ends_at_the_edge(side, kernel, stride):
    size = side
    while max(range(0, size - kernel + 1, stride)) + kernel != size:
        size += 1
    assert compute(state(side=side, kernel=kernel, stride=stride))["next"] == size


def test_a_cell_that_is_never_read_changes_nothing():
    before = compute(state(stride=4, kernel=2))
    for cell in before["unread"]:
        other = image()
        other[cell // 6, cell % 6] += 100
        text = compute(state(stride=4, kernel=2, image=other.ravel().tolist()))
        assert text["sums"] == before["sums"]


def test_a_filter_as_large_as_the_image_has_one_place_whatever_the_stride():
    for stride in range(1, 9):
        text = compute(state(side=12, kernel=12, stride=stride, filter="sum", at=0))
        assert text["sums"] == [image().sum()]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"side": 4}, "side must be a whole number from 5 to 12"),
        ({"side": 13}, "side must be a whole number from 5 to 12"),
        ({"kernel": 7}, "kernel must be a whole number from 1 to 6"),
        ({"kernel": 0}, "kernel must be a whole number from 1 to 6"),
        ({"stride": 0}, "stride must be a whole number from 1 to 8"),
        ({"stride": 9}, "stride must be a whole number from 1 to 8"),
        ({"filter": "mean"}, "filter must be one of edges, sum, not 'mean'"),
        ({"image": [0] * 36}, "image must be 144 numbers"),
        ({"at": -1}, "at must be"),
        ({"at": 144}, "at must be"),
    ],
)
def test_what_is_no_state_is_refused(change, sentence):
    with pytest.raises(RequestError, match=sentence):
        compute(state(**change))
