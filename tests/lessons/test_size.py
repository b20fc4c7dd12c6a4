"""The lesson of sizes against windows laid down one by one, and the lecture's layers."""

import itertools

import pytest

from convscope.errors import RequestError
from convscope.lessons.size import compute
from tests.reference.geometry import cells_read, window_starts

START = dict(size=10, kernel=3, stride=2, padding=0, dilation=1, rounding="down", wanted=5)
SIZES = (1, 4, 7, 10)


def settings(size):
    """Kernels, strides, paddings, dilations and both roundings on a short axis."""
    for kernel, stride, padding, dilation, way in itertools.product(
        (1, 2, 3, 5), (1, 2, 3, 7), (0, 1, 6), (1, 3), ("down", "up")
    ):
        yield START | dict(
            size=size,
            kernel=kernel,
            stride=stride,
            padding=padding,
            dilation=dilation,
            rounding=way,
        )


def laid(state):
    """What the slow loops are asked for the same setting."""
    padding, up = state["padding"], state["rounding"] == "up"
    words = dict(
        stride=state["stride"], padding_before=padding, padding_after=padding, ceil_mode=up
    )
    return (state["size"], state["kernel"]), words | dict(dilation=state["dilation"])


@pytest.mark.parametrize("size", SIZES)
def test_every_window_of_a_short_axis_is_drawn_where_it_stands(size):
    refused = 0
    for state in settings(size):
        text = compute(state)
        asked, words = laid(state)
        starts = window_starts(*asked, **words)
        if not starts:
            assert "does not fit" in text["problem"], state
            refused += 1
            continue
        assert text["output"] == len(starts), state
        drawn = text["drawing"]["windows"]
        assert [window["from"] for window in drawn] == starts, state
        assert [window["unit"] for window in drawn] == list(range(len(starts)))
        at = [cell["at"] for cell in text["drawing"]["cells"]]
        for window, start in zip(drawn, starts, strict=True):
            taps = [start + tap * state["dilation"] for tap in range(state["kernel"])]
            assert [at[place] for place in window["taps"]] == taps, state
            assert window["to"] == taps[-1]
            assert (window["before"], window["after"]) == (False, False)
    assert refused < len(list(settings(size))) / 2


@pytest.mark.parametrize("size", SIZES)
def test_a_cell_is_read_never_read_or_padding(size):
    for state in settings(size):
        text = compute(state)
        if text["problem"]:
            continue
        asked, words = laid(state)
        read = cells_read(*asked, **words)
        for cell in text["drawing"]["cells"]:
            inside = 0 <= cell["at"] < size
            wanted = ("read" if cell["at"] in read else "unread") if inside else "padding"
            assert cell["kind"] == wanted, state
        assert text["unread"] == size - len(read)
        assert bool(text["unread_sentence"]) == (len(read) < size)


LONG = [
    dict(size=227, kernel=11, stride=4),
    dict(size=224, kernel=7, stride=2, padding=3),
    dict(size=41, kernel=3, stride=1),
    dict(size=60, kernel=50, stride=1),
    dict(size=100, kernel=2, stride=30),
    dict(size=3, kernel=7, stride=40, padding=90),
    dict(size=90, kernel=4, stride=3, dilation=9),
]


@pytest.mark.parametrize("setting", LONG, ids=str)
def test_of_a_long_axis_the_ends_are_drawn(setting):
    state = START | dict(stride=1) | setting
    text = compute(state)
    drawing = text["drawing"]
    asked, words = laid(state)
    starts = window_starts(*asked, **words)
    at = [cell["at"] for cell in drawing["cells"]]
    padding, gap = state["padding"], drawing["gap"]
    every = list(range(-padding, state["size"] + padding))
    assert at == every[:gap] + every[-gap:]
    assert drawing["hidden"] == len(every) - 2 * gap
    reach = state["dilation"] * (state["kernel"] - 1)
    seen = [
        unit
        for unit, start in enumerate(starts)
        if start in every[:gap] or start + reach in every[-gap:]
    ]
    assert [window["unit"] for window in drawing["windows"]] == seen
    for window in drawing["windows"]:
        start = starts[window["unit"]]
        taps = {start + tap * state["dilation"] for tap in range(state["kernel"])}
        assert [at[place] for place in window["taps"]] == sorted(taps & set(at))
        assert window["before"] == (start not in at)
        assert window["after"] == (start + reach not in at)


LECTURE = [
    (dict(size=227, kernel=11, stride=4), 55, "= 55"),
    (dict(size=224, kernel=11, stride=4), 54, "= 54.25, rounded down to 54"),
    (dict(size=32, kernel=5, stride=1), 28, "= 28"),
    (dict(size=64, kernel=5, stride=1, padding=2), 64, "= 64"),
    (dict(size=256, kernel=5, stride=1), 252, "= 252"),
]


@pytest.mark.parametrize(("setting", "output", "end"), LECTURE)
def test_the_lectures_layers_have_their_sizes(setting, output, end):
    text = compute(START | setting)
    assert text["output"] == output
    assert text["formula"].endswith(end)


def test_alexnets_224_lacks_three_pixels():
    assert compute(START | dict(size=224, kernel=11, stride=4))["next_exact"] == 227


def test_dilation_widens_the_reach_and_not_the_filter():
    text = compute(START | dict(size=16, kernel=3, stride=1, dilation=3))
    assert text["span"] == 7
    assert len(text["drawing"]["windows"][0]["taps"]) == 3


@pytest.mark.parametrize(("size", "wanted"), [(10, 5), (27, 13), (6, 3), (6, 6), (1, 1), (13, 27)])
def test_the_way_back_finds_every_window_that_makes_the_output(size, wanted):
    text = compute(START | dict(size=size, wanted=wanted))["fitting"]
    by_hand = {
        (kernel, stride, padding): size - len(cells_read(size, kernel, **words))
        for kernel, stride in itertools.product(range(1, 12), range(1, 5))
        for padding in range(kernel // 2 + 1)
        for words in [dict(stride=stride, padding_before=padding, padding_after=padding)]
        if len(window_starts(size, kernel, **words)) == wanted
    }
    found = {(row["kernel"], row["stride"], row["padding"]): row["unread"] for row in text}
    assert found == by_hand
    assert [bool(row["unread"]) for row in text] == sorted(bool(row["unread"]) for row in text)


def test_a_filter_that_does_not_fit_leaves_the_way_back():
    text = compute(START | dict(size=5, kernel=9, padding=1))
    assert "kernel of 9 does not fit an input of 5" in text["problem"]
    assert text["fitting"]


def test_the_largest_numbers_are_taken():
    most = 10_000
    text = compute(START | dict(size=most, kernel=most, stride=most, padding=most, wanted=most))
    assert text["output"] == (most - most + 2 * most) // most + 1
    assert compute(START | dict(size=1, kernel=most, dilation=most, padding=most))["problem"]


WRONG = [
    dict(size=0),
    dict(size=10_001),
    dict(size=2.5),
    dict(size=True),
    dict(size=None),
    dict(kernel=0),
    dict(kernel="3"),
    dict(stride=0),
    dict(padding=-1),
    dict(dilation=0),
    dict(rounding="sideways"),
    dict(wanted=0),
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_cannot_be_set_is_refused_by_its_name(wrong):
    with pytest.raises(RequestError, match=next(iter(wrong))):
        compute(START | wrong)
