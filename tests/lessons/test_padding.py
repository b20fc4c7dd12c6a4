"""Lesson padding: the lecture's map, every frame by listing windows, and what is refused."""

import itertools

import numpy as np
import pytest

from convscope.errors import RequestError
from convscope.lessons.padding import compute

IMAGE = [
    [5, 1, 7, 7, 8, 1],
    [7, 2, 5, 7, 8, 1],
    [5, 3, 5, 4, 4, 2],
    [4, 4, 3, 3, 2, 1],
    [3, 3, 4, 7, 8, 1],
    [5, 7, 8, 2, 3, 1],
]
START = {
    "image": [value for row in IMAGE for value in row],
    "kernel": 3,
    "padding": "1",
    "filter": "edges",
    "bias": 0,
    "at": 0,
    "layers": 1,
}


def test_the_lectures_map_comes_out():
    sums = compute(START)["sums"]
    assert sums[:6] == [-4, -2, -17, -5, 18, 24]
    assert sums[30:] == [-17, -7, 6, 6, 8, 14]


def test_without_a_frame_the_corner_is_read_once_and_the_center_nine_times():
    text = compute({**START, "padding": "valid"})
    assert np.reshape(text["counts"], (6, 6))[[0, 0, 2], [0, 2, 2]].tolist() == [1, 3, 9]
    assert text["reads"] == {"first": 1, "last": 1, "most": 9, "alike": False}
    assert compute({**START, "padding": "0"}) == text


def frames():
    for word in ("0", "1", "2", "5", "6", "valid", "same"):
        for kernel in range(1, 9):
            before, after = {
                "valid": (0, 0),
                "same": ((kernel - 1) // 2, kernel // 2),
            }.get(word) or (int(word), int(word))
            if before + 6 + after >= kernel:
                yield word, kernel, before, after


@pytest.mark.parametrize(("word", "kernel", "before", "after"), [*frames()])
def test_frames_sums_and_readings_are_those_of_a_slow_walk(word, kernel, before, after):
    kernel_width = before + 6 + after
    starts = range(kernel_width - kernel + 1)
    read = np.zeros((6, 6), int)
    sums, blind = [], 0
    for top, left in itertools.product(starts, starts):
        cells = [
            (y - before, x - before)
            for y in range(top, top + kernel)
            for x in range(left, left + kernel)
        ]
        inside = [(y, x) for y, x in cells if 0 <= y < 6 and 0 <= x < 6]
        sums.append(sum(IMAGE[y][x] for y, x in inside) + 0.5)
        blind += not inside
        for y, x in inside:
            read[y, x] += 1
    at = len(sums) // 2
    text = compute(
        {**START, "padding": word, "kernel": kernel, "filter": "sum", "bias": 0.5, "at": at}
    )
    assert (text["before"], text["after"], text["wide"]) == (before, after, kernel_width)
    assert text["sums"] == sums
    assert text["map"] ** 2 == len(sums)
    assert text["blind"] == blind
    assert text["counts"] == read.ravel().tolist()
    assert text["reads"]["alike"] == (len(set(text["counts"])) == 1)
    assert (text["reads"]["first"], text["reads"]["last"]) == (read[0, 0], read[5, 5])
    assert text["reads"]["most"] == read.max()
    terms = sum(term["product"] for term in text["terms"])
    assert terms + 0.5 == text["total"] == sums[at]
    framed = np.array(text["framed"])
    assert framed[text["patch"]].tolist() == [term["value"] for term in text["terms"]]
    assert not framed[text["outside"]].any()
    assert np.delete(framed, text["outside"]).tolist() == START["image"]


def test_a_window_on_nothing_but_zeros_gives_the_bias():
    text = compute({**START, "padding": "6", "kernel": 2, "bias": -1.25})
    assert text["total"] == text["sums"][0] == -1.25
    seen = 7  # 2 cells wide, on 6 cells
    assert text["blind"] == text["map"] ** 2 - seen**2


@pytest.mark.parametrize("kernel", range(1, 9))
def test_same_keeps_the_size_through_every_layer(kernel):
    text = compute({**START, "padding": "same", "kernel": kernel, "layers": 16})
    assert text["map"] == 6
    assert text["deep"] == [32] * 17
    assert text["after"] - text["before"] == (kernel + 1) % 2
    assert text["reason"].endswith(f" = {(kernel - 1) / 2:g}")


def test_layers_of_3x3_without_a_frame_take_two_rows_each_until_none_fits():
    deep = compute({**START, "padding": "valid", "layers": 16})["deep"]
    assert deep == list(range(32, 1, -2))
    assert compute({**START, "padding": "valid", "layers": 4})["deep"] == [32, 30, 28, 26, 24]
    assert compute({**START, "padding": "2", "layers": 2})["deep"] == [32, 34, 36]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kernel": 9}, "kernel must be a whole number from 1 to 8"),
        ({"kernel": 8, "padding": "valid"}, "A kernel of 8 does not fit an input of 6"),
        ({"padding": "7"}, "padding must be one of 0, 1, 2, 3, 4, 5, 6, valid, same, not '7'"),
        ({"padding": 1}, "padding must be one of"),
        ({"filter": ""}, "filter must be one of"),
        ({"bias": 1e7}, "bias must be a number from"),
        ({"image": [0] * 35}, "image must be 36 numbers"),
        ({"layers": 0}, "layers must be a whole number from 1 to 16"),
        ({"layers": 17}, "layers must be a whole number from 1 to 16"),
        ({"at": 324}, "at must be"),
    ],
)
def test_what_is_no_state_is_refused(change, sentence):
    with pytest.raises(RequestError, match=sentence):
        compute({**START, **change})
