"""What the page asks for is read whole, and what is out of bounds is refused in a sentence."""

import json
import math

import pytest

from convscope.errors import RequestError
from convscope.lessons.params import cells, choice, integer, number

NO_NUMBERS = [None, True, "3", [3], {}, math.nan, math.inf, -math.inf, 10**400]


@pytest.mark.parametrize("value", [1, 4, 6])
def test_a_whole_number_within_its_bounds_is_taken(value):
    assert integer({"kernel": value}, "kernel", 1, 6) == value


@pytest.mark.parametrize("value", [0, 7, 2.5, 3.0, *NO_NUMBERS])
def test_any_other_is_refused_with_its_bounds(value):
    with pytest.raises(
        RequestError, match=r"^kernel must be a whole number from 1 to 6, not .+\.$"
    ):
        integer({"kernel": value}, "kernel", 1, 6)


@pytest.mark.parametrize("value", [-1, 0.25, 2])
def test_a_number_within_its_bounds_is_taken_as_a_float(value):
    found = number({"bias": value}, "bias", -1, 2)
    assert found == value
    assert type(found) is float


@pytest.mark.parametrize("value", [-1.01, 2.5, *NO_NUMBERS])
def test_any_other_number_is_refused_with_its_bounds(value):
    with pytest.raises(RequestError, match=r"^bias must be a number from -1 to 2, not .+\.$"):
        number({"bias": value}, "bias", -1, 2)


@pytest.mark.parametrize("value", [None, "SAME", 1, ["same"], True, ""])
def test_a_word_that_is_no_choice_is_refused_with_the_choices(value):
    with pytest.raises(RequestError, match=r"^padding must be one of valid, same, not "):
        choice({"padding": value}, "padding", ("valid", "same"))


def test_cells_are_read_in_their_order():
    assert cells({"image": [1, -0.5, 1e6, 0]}, "image", 4) == [1.0, -0.5, 1e6, 0.0]


@pytest.mark.parametrize("values", [[1, 2], [1, 2, 3, 4], [], None, "123", 3, {"0": 1}])
def test_more_or_fewer_cells_are_refused(values):
    with pytest.raises(
        RequestError, match=r"^image must be 3 numbers from -1,000,000 to 1,000,000\."
    ):
        cells({"image": values}, "image", 3)


@pytest.mark.parametrize("value", [1.0001e6, -2e6, *NO_NUMBERS])
def test_a_cell_that_is_too_large_or_no_number_is_refused(value):
    with pytest.raises(RequestError, match=r"^image must be 3 numbers"):
        cells({"image": [1, value, 3]}, "image", 3)


def test_what_is_absent_is_told_so_and_what_is_long_is_cut():
    with pytest.raises(RequestError, match=r"not nothing\.$"):
        integer({}, "kernel", 1, 6)
    with pytest.raises(RequestError) as text:
        choice({"word": "x" * 5000}, "word", ("valid",))
    assert len(str(text.value)) < 120
    with pytest.raises(RequestError) as text:
        integer(json.loads(f'{{"kernel": {"9" * 4000}}}'), "kernel", 1, 6)
    assert len(str(text.value)) < 120
