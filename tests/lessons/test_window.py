"""Small volumes under a window against loops over every cell."""

import itertools

import numpy as np
import pytest

from convscope.lessons.window import (
    convolve,
    covered_cells,
    make_filter,
    products,
    window_indices,
    window_values,
)


def by_hand(volume, filters, bias, *, stride=1, before=0, after=0, dilation=1):
    """The maps, product after product; a cell outside the volume counts as 0."""
    channels, height, width = volume.shape
    side = filters.shape[-1]
    kernel_width = dilation * (side - 1) + 1
    rows = range(-before, height + after - kernel_width + 1, stride)
    columns = range(-before, width + after - kernel_width + 1, stride)
    maps = np.zeros((len(filters), len(rows), len(columns)))
    for k, (i, top), (j, left) in itertools.product(
        range(len(filters)), enumerate(rows), enumerate(columns)
    ):
        total = bias[k]
        for c, u, v in itertools.product(range(channels), range(side), range(side)):
            y, x = top + u * dilation, left + v * dilation
            if 0 <= y < height and 0 <= x < width:
                total += volume[c, y, x] * filters[k, c, u, v]
        maps[k, i, j] = total
    return maps


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"stride": 2},
        {"stride": 5},
        {"padding": 1},
        {"padding": 4},
        {"padding": (1, 2)},
        {"padding": (0, 3), "stride": 2},
        {"dilation": 2},
    ],
    ids=str,
)
def test_maps_are_the_sums_of_all_products(how):
    rng = np.random.default_rng(7)
    volume, filters = rng.normal(size=(3, 7, 7)), rng.normal(size=(2, 3, 3, 3))
    bias = np.array([0.5, -2.0])
    around = how.pop("padding", 0)
    before, after = (around, around) if isinstance(around, int) else around
    found = convolve(volume, filters, bias=bias, padding=around, **how)
    wanted = by_hand(volume, filters, bias, before=before, after=after, **how)
    assert found == pytest.approx(wanted, abs=1e-12)
    assert found.dtype == np.float64


def test_a_window_covers_its_taps_and_says_none_outside():
    assert window_indices(5, 3, start=-2) == [None, None, 0]
    assert window_indices(5, 3, start=3, dilation=2) == [3, None, None]
    assert window_indices(5, 3, start=1) == [1, 2, 3]


def test_what_lies_under_a_window_is_the_volume_or_zero():
    volume = np.arange(1.0, 19).reshape(2, 3, 3)
    patch = window_values(volume, [None, 0], [2, None])
    assert patch.tolist() == [[[0, 0], [3, 0]], [[0, 0], [12, 0]]]


def test_covered_cells_are_counted_row_by_row_and_within_a_frame():
    assert covered_cells([0, 1], [1, 2], side=3) == [1, 2, 4, 5]
    assert covered_cells([None, 0], [None, 0], side=5, before=1) == [6]


def test_products_pair_values_and_weights_in_order():
    found = products(np.array([[1.0, -2.0]]), np.array([[3.0, 0.5]]))
    assert found == [
        {"value": 1, "weight": 3, "product": 3},
        {"value": -2, "weight": 0.5, "product": -1},
    ]


def test_the_filters_that_are_ready_are_the_lectures_edges_and_a_plain_sum():
    assert make_filter("edges", 3).ravel().tolist() == [1, 0, -1, 2, 0, -2, 1, 0, -1]
    assert make_filter("edges", 4)[0, 0].tolist() == [[1, 0, 0, -1]] * 4
    assert make_filter("edges", 2)[0, 0].tolist() == [[1, -1]] * 2
    assert make_filter("sum", 5).tolist() == [[[[1] * 5] * 5]]
    assert make_filter("edges", 1).tolist() == make_filter("sum", 1).tolist() == [[[[1]]]]


@pytest.mark.parametrize("kernel", range(2, 13))
def test_the_filter_for_edges_gives_nothing_on_an_even_image(kernel):
    assert make_filter("edges", kernel).sum() == 0
