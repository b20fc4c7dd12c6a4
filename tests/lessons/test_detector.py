"""The lesson of the eye: the map in loops, its maxima at the eyes, and the law of the shift."""

from itertools import product

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from convscope.errors import RequestError
from convscope.lessons.detector import EYES, TEMPLATE, compute, draw_face

START = dict(right=0, down=0, turn="0", pool="4", at=289)
SHIFTS = [*product((-5, -1, 0, 3, 5), repeat=2)]


def slow_map(picture):
    """Every position, product by product."""
    return [
        [
            sum(TEMPLATE[i][j] * picture[y + i][x + j] for i in range(5) for j in range(5))
            for x in range(28)
        ]
        for y in range(28)
    ]


@pytest.mark.parametrize("turn", ["0", "90"])
@pytest.mark.parametrize("shift", [(0, 0), (-5, 4), (2, 5)], ids=str)
def test_the_map_is_that_of_a_loop(shift, turn):
    answer = compute(START | dict(down=shift[0], right=shift[1], turn=turn))
    picture = np.reshape(answer["picture"], (32, 32)).tolist()
    expected = slow_map(picture)
    assert np.reshape(answer["map"], (28, 28)).tolist() == expected
    unit = answer["unit"]
    assert unit["total"] == expected[unit["row"]][unit["column"]]
    assert sum(term["product"] for term in unit["terms"]) == unit["total"]
    assert all(0 <= level <= 9 for level in answer["picture"])


@pytest.mark.parametrize("shift", SHIFTS, ids=str)
def test_the_maximum_is_at_both_eyes_wherever_the_face_is(shift):
    down, right = shift
    answer = compute(START | dict(down=down, right=right))
    assert answer["peaks"] == [[row + down, column + right] for row, column in EYES]
    assert answer["moved"]
    assert answer["most"] == 2 * sum(weight**2 for row in TEMPLATE for weight in row)
    values = np.sort(answer["map"])
    assert values[-3] < 0.7 * values[-1]  # nothing else comes near


@pytest.mark.parametrize("turn", ["0", "90"])
def test_what_lies_inside_moves_along_exactly(turn):
    start, moved = (
        np.reshape(compute(START | dict(down=d, right=r, turn=turn))["map"], (28, 28))
        for d, r in ((0, 0), (3, -4))
    )
    assert np.array_equal(moved[3:, :-4], start[:-3, 4:])


def test_a_turned_face_is_the_transposed_one_and_is_found_less():
    assert draw_face(0, 0, turned=True) == np.transpose(draw_face(0, 0, turned=False)).tolist()
    assert compute(START | dict(turn="90"))["most"] < 0.7 * compute(START)["most"]


@pytest.mark.parametrize("pool", ["1", "2", "4", "7", "28"])
@pytest.mark.parametrize("shift", [(0, 0), (1, 1), (-5, 2)], ids=str)
def test_the_pooled_map_is_torchs(shift, pool):
    answer = compute(START | dict(down=shift[0], right=shift[1], pool=pool))
    before = compute(START)["map"]
    pooled = [
        F.max_pool2d(torch.tensor(values).view(1, 1, 28, 28), int(pool)).flatten()
        for values in (before, answer["map"])
    ]
    assert answer["pooled"]["values"] == pooled[1].tolist()
    assert answer["pooled"]["changed"] == int((pooled[0] != pooled[1]).sum())
    if pool == "28":
        assert answer["pooled"]["changed"] == 0


WRONG = [dict(right=6), dict(down=-6), dict(turn="45"), dict(turn=90), dict(pool="3"), dict(at=784)]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_cannot_be_set_is_refused_by_its_name(wrong):
    with pytest.raises(RequestError, match=next(iter(wrong))):
        compute(START | wrong)
