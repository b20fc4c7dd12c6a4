"""A grid of numbers under a filter, without a network: the lecture's pages."""

import pytest

from convscope.errors import RequestError
from convscope.explanation.grid import FILTERS, find_filter, read_grid, record_grid
from tests.lecture.test_worked_example import FILTER, IMAGE, numbers
from tests.reference.geometry import correlate


@pytest.mark.parametrize("words", [{}, {"stride": 2}, {"padding": 1}, {"stride": 3, "padding": 2}])
@pytest.mark.parametrize("name", FILTERS)
def test_every_unit_matches_the_slow_loop(name, words):
    expected = correlate(numbers(IMAGE), FILTERS[name], **words)
    recording = record_grid([numbers(IMAGE)], [FILTERS[name]], **words)
    assert recording["map"].shape == (1, len(expected), len(expected[0]))
    for i, row in enumerate(expected):
        for j, value in enumerate(row):
            explanation = recording.explain("map", (0, i, j))
            assert explanation.exact_value == pytest.approx(value, abs=1e-12)
            assert explanation.is_within_tolerance


def test_the_lectures_filter_has_a_name():
    assert find_filter("sobel-x") == numbers(FILTER)


def test_color_is_three_sums_that_add_up():
    grids = [numbers(IMAGE), [[0.0] * 6] * 6, [[1.0] * 6] * 6]
    filters = [numbers(FILTER), numbers(FILTER), [[1.0] * 3] * 3]
    explanation = record_grid(grids, filters).explain("map", (0, 0, 1))
    assert explanation.channel_sums.tolist() == [-17, 0, 9]
    assert explanation.exact_value == -8


@pytest.mark.parametrize("mark", [",", ";", "\t", " ", ", "])
def test_a_grid_is_read_with_any_separator(tmp_path, mark):
    path = tmp_path / "gráf 6x6.csv"
    path.write_text(f"1{mark}-2.5\n\n3{mark}4e1\n", encoding="utf-8-sig")
    assert read_grid(path) == [[1, -2.5], [3, 40]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"1,2\n3\n", "rows of equal length"),
        (b"", "rows of equal length"),
        (b"1,two\n", "line 1"),
        (b"\xff\xfe\x00", "not a text file"),
        (None, "cannot be read"),
    ],
)
def test_invalid_grids_are_refused_with_their_path(tmp_path, text, message):
    path = tmp_path / "grid.csv"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(RequestError, match=message) as error:
        read_grid(path)
    assert "grid.csv" in str(error.value)


@pytest.mark.parametrize(
    ("grids", "filters", "words", "message"),
    [
        ([[[1.0, 2.0]]], [[[1.0] * 3]], {}, "does not fit"),
        ([[[1.0]]] * 3, [[[1.0]]] * 2, {}, "2 channels and the grid 3"),
        ([[[1.0]]], [[[1.0]]], {"stride": 0}, "must be"),
        ([[[1.0]]], [[[1.0]]], {"padding": -1}, "must be"),
        ([[[1.0], [1.0, 2.0]]], [[[1.0]]], {}, "different lengths"),
        ([[]], [[[1.0]]], {}, "expected"),
    ],
)
def test_impossible_shapes_are_refused(grids, filters, words, message):
    with pytest.raises(RequestError, match=message):
        record_grid(grids, filters, **words)


def test_an_unknown_filter_gets_a_suggestion(tmp_path):
    with pytest.raises(RequestError, match="Did you mean 'sobel-x'"):
        find_filter("sobelx")
    path = tmp_path / "mine.csv"
    path.write_text("1,2\n")
    assert find_filter(str(path)) == [[1, 2]]
