"""The lesson of pooling against loops over windows, and the lecture's maps."""

import itertools
import math
import random

import pytest

from convscope.errors import RequestError
from convscope.lessons.pooling import compute

LECTURE = [5, 1, 7, 7, 8, 1, 7, 2, 5, 7, 8, 1, 5, 3, 5, 4, 4, 2]
LECTURE += [4, 4, 3, 3, 2, 1, 3, 3, 4, 7, 8, 1, 5, 7, 8, 2, 3, 1]
START = dict(side=6, map=LECTURE, kind="max", window=2, stride=2, padding=0, shift="right", at=0)
CHOOSE = {
    "max": lambda inside, _: max(inside),
    "min": lambda inside, _: min(inside),
    "average": lambda inside, cells: sum(inside) / cells,
    "L2": lambda inside, _: math.sqrt(sum(value * value for value in inside)),
}
SETTINGS = [
    (side, window, stride, padding)
    for side, window, stride in itertools.product((6, 8), (1, 2, 3, 5, 6, 8), (1, 2, 3, 6))
    for padding in {0, window // 2}
    if window <= side
]


def windows(side, window, stride, padding):
    """The cells under each window, those outside left out, window by window."""
    starts = [start for start in range(-padding, side, stride) if start + window <= side + padding]
    for top, left in itertools.product(starts, starts):
        yield [
            (row, column)
            for row in range(top, top + window)
            for column in range(left, left + window)
            if 0 <= row < side and 0 <= column < side
        ]


def pool(values, side, kind, window, stride, padding):
    return [
        CHOOSE[kind]([values[side * row + column] for row, column in cells], window * window)
        for cells in windows(side, window, stride, padding)
    ]


def some_map(side, seed):
    """Small whole numbers, so that there are ties, and sums of squares and means are exact."""
    rng = random.Random(seed)
    return [rng.randint(-4, 4) / 2 for _ in range(side * side)]


@pytest.mark.parametrize("kind", CHOOSE)
def test_each_result_is_made_of_its_window(kind):
    for side, window, stride, padding in SETTINGS:
        values = some_map(side, seed=window + 10 * stride)
        state = START | dict(side=side, map=values, kind=kind, window=window, stride=stride)
        text = compute(state | dict(padding=padding))
        by_hand = pool(values, side, kind, window, stride, padding)
        assert text["pooled"] == pytest.approx(by_hand), (side, window, stride, padding)
        assert text["output"] ** 2 == text["units"] == len(by_hand)
        assert text["kept"] == pytest.approx(len(by_hand) / side**2)


@pytest.mark.parametrize("kind", CHOOSE)
def test_a_cell_has_its_say_in_every_window_that_takes_its_value(kind):
    extreme = {"max": max, "min": min}.get(kind)
    for side, window, stride, padding in SETTINGS:
        values = some_map(side, seed=3)
        state = START | dict(side=side, map=values, kind=kind, window=window, stride=stride)
        text = compute(state | dict(padding=padding))
        say, read = [0] * side**2, set()
        for cells in windows(side, window, stride, padding):
            inside = [values[side * row + column] for row, column in cells]
            read.update(cells)
            for (row, column), value in zip(cells, inside, strict=True):
                say[side * row + column] += extreme is None or value == extreme(inside)
        assert text["say"] == say, (side, window, stride, padding)
        assert text["with_say"] == sum(times > 0 for times in say)
        unread = [place for place in range(side**2) if divmod(place, side) not in read]
        assert text["unread"] == unread


POOLED = {
    "max": [7, 7, 8, 5, 5, 4, 7, 8, 8],
    "average": [3.75, 6.5, 4.5, 4, 3.75, 2.25, 4.5, 5.25, 3.25],
    "min": [1, 5, 1, 3, 3, 1, 3, 2, 1],
}


@pytest.mark.parametrize("kind", POOLED)
def test_the_lectures_map_is_pooled_as_in_the_lecture(kind):
    text = compute(START | dict(kind=kind))
    assert text["pooled"] == POOLED[kind]
    assert text["kept"] == 0.25


def test_ties_are_all_named():
    text = compute(START | dict(map=[7, 7, *LECTURE[2:6], 7, 2, *LECTURE[8:]]))
    assert text["unit"]["takers"] == [0, 1, 6]
    assert text["unit"]["value"] == 7


def test_the_chosen_window_leaves_out_what_lies_in_the_padding():
    text = compute(START | dict(window=3, stride=2, padding=1, at=0))["unit"]
    assert text["window"] == [0, 1, 6, 7]
    assert text["values"] == [5, 1, 7, 2]
    assert text["outside"] == 5


def test_a_unit_beyond_the_result_is_the_last_one():
    assert compute(START | dict(at=63))["unit"]["at"] == 8


def moved_by_hand(values, side, direction):
    down, right = {"right": (0, 1), "down": (1, 0), "left": (0, -1), "up": (-1, 0)}[direction]
    return [
        values[side * (row - down) + column - right]
        if 0 <= row - down < side and 0 <= column - right < side
        else 0
        for row, column in itertools.product(range(side), range(side))
    ]


@pytest.mark.parametrize("direction", ["right", "down", "left", "up"])
def test_a_shift_changes_the_results_that_it_changes(direction):
    for side, window, stride, padding in SETTINGS:
        values = some_map(side, seed=8)
        state = START | dict(side=side, map=values, window=window, stride=stride)
        moved = compute(state | dict(padding=padding, shift=direction))["moved"]
        after = moved_by_hand(values, side, direction)
        assert moved["map"] == after
        assert moved["changed_cells"] == sum(a != b for a, b in zip(values, after, strict=True))
        for row in moved["kinds"]:
            old, new = (
                pool(one, side, row["kind"], window, stride, padding) for one in (values, after)
            )
            apart = [abs(b - a) for a, b in zip(old, new, strict=True)]
            assert row["largest"] == pytest.approx(max(apart)), (side, window, stride, padding)
            assert row["changed"] == sum(gap > 1e-12 for gap in apart)
        old, new = (pool(one, side, "max", window, stride, padding) for one in (values, after))
        assert moved["pooled"] == new
        assert moved["changed"] == [place for place, one in enumerate(old) if one != new[place]]


def point(place):
    return [9 if cell == place else 0 for cell in range(36)]


@pytest.mark.parametrize(("place", "changed"), [(14, []), (15, [4, 5])])
def test_maximum_pooling_does_not_notice_a_shift_within_a_window(place, changed):
    """Row 2: from column 2 to 3 is the same window of 2, from 3 to 4 another one."""
    assert compute(START | dict(map=point(place)))["moved"]["changed"] == changed


def test_a_map_of_zeros_is_all_ties_and_no_shift_is_seen():
    text = compute(START | dict(map=[0] * 36))
    assert text["with_say"] == 36
    assert text["moved"]["changed_cells"] == 0
    assert [row["changed"] for row in text["moved"]["kinds"]] == [0, 0, 0, 0]


WRONG = [
    (dict(side=7), "side"),
    (dict(side=None), "side"),
    (dict(map=LECTURE[1:]), "map"),
    (dict(kind="mean"), "kind"),
    (dict(window=0), "window"),
    (dict(window=7), "window"),
    (dict(stride=0), "stride"),
    (dict(stride=7), "stride"),
    (dict(padding=2), "padding"),
    (dict(padding=-1), "padding"),
    (dict(shift="away"), "shift"),
    (dict(at=-1), "at"),
]


@pytest.mark.parametrize(("wrong", "name"), WRONG, ids=str)
def test_what_cannot_be_set_is_refused_by_its_name(wrong, name):
    with pytest.raises(RequestError, match=name):
        compute(START | wrong)
