"""The lesson on redundant pixels: correlations against sums in loops, and what a shuffle keeps."""

import math

import numpy as np
import pytest
from PIL import Image

from convscope.data.samples import photograph
from convscope.errors import RequestError
from convscope.lessons.images import square
from convscope.lessons.redundancy import compute, shuffled_square

START = dict(picture="palace", shift=1, direction="right")


def slow_correlation(levels, down, right):
    """Pearson's r by its definition, pair by pair."""
    pairs = [
        (levels[y][x], levels[y + down][x + right])
        for y in range(len(levels) - down)
        for x in range(len(levels) - right)
    ]
    mean_a = sum(a for a, _ in pairs) / len(pairs)
    mean_b = sum(b for _, b in pairs) / len(pairs)
    shared = sum((a - mean_a) * (b - mean_b) for a, b in pairs)
    own = math.sqrt(
        sum((a - mean_a) ** 2 for a, _ in pairs) * sum((b - mean_b) ** 2 for _, b in pairs)
    )
    return shared / own, sum(abs(a - b) for a, b in pairs) / len(pairs)


@pytest.mark.parametrize(
    ("picture", "shift", "direction"),
    [("palace", 1, "right"), ("palace", 7, "down"), ("flower", 32, "right")],
)
def test_correlation_and_difference_are_those_of_all_pairs(picture, shift, direction):
    answer = compute(dict(picture=picture, shift=shift, direction=direction))
    down, right = (shift, 0) if direction == "down" else (0, shift)
    for order in answer["orders"]:
        levels = np.reshape(order["levels"], (128, 128)).tolist()
        correlation, difference = slow_correlation(levels, down, right)
        assert order["correlation"] == pytest.approx(correlation, abs=1e-9)
        assert order["difference"] == pytest.approx(difference, abs=1e-9)
        assert order["correlations"][0] == pytest.approx(1)
        assert order["correlations"][shift] == order["correlation"]
        assert (levels[0][0], levels[down][right]) == tuple(order["pairs"][0])
        assert order["pairs"][-1] in [
            [levels[y][x], levels[y + down][x + right]]
            for y in range(128 - down)
            for x in range(128 - right)
        ]


@pytest.mark.parametrize("picture", ["palace", "flower"])
def test_what_a_line_leaves_is_its_residual(picture):
    [order, _] = compute(START | dict(picture=picture))["orders"]
    values = np.reshape(order["levels"], (128, 128)).astype(float)
    first, second = values[:, :-1].ravel(), values[:, 1:].ravel()
    line = np.polyfit(first, second, 1)
    left = np.var(second - np.polyval(line, first)) / np.var(second)
    assert order["left"] == pytest.approx(left)


def test_neighbors_are_alike_and_shuffled_ones_are_not():
    plain, mixed = compute(START)["orders"]
    assert plain["correlation"] > 0.8
    assert plain["correlations"][32] < plain["correlation"]
    assert abs(mixed["correlation"]) < 0.05  # 128² pairs: a standard error of 0.008
    assert sorted(plain["levels"]) == sorted(mixed["levels"])


def test_the_shuffle_is_the_same_for_every_picture():
    pairs = {}
    for name in ("palace", "flower"):
        flat, mixed = (np.ravel(one) for one in (square(name), shuffled_square(name)))
        pairs[name] = flat, mixed
    # a place that fits both pictures: where each value of the shuffled ones came from
    palace, flower = pairs["palace"], pairs["flower"]
    both = 256 * palace[0] + flower[0]
    assert np.array_equal(np.sort(both), np.sort(256 * palace[1] + flower[1]))


def test_the_squares_are_the_middles_of_the_photographs():
    whole = photograph("flower").crop((106, 0, 533, 427)).convert("L")
    small = np.asarray(whole.resize((128, 128), Image.Resampling.BOX), dtype=float)
    assert np.abs(small - square("flower")).max() <= 2  # gray first, or scaled first


@pytest.mark.parametrize("picture", ["palace", "flower"])
def test_a_dense_unit_can_undo_the_shuffle_and_a_filter_cannot(picture):
    answer = compute(START | dict(picture=picture))
    effects = answer["effects"]
    assert effects["moved"] == effects["plain"] != effects["shuffled"]
    for order, found in zip(answer["orders"], effects["edges"], strict=True):
        values = np.reshape(order["levels"], (128, 128)).astype(float)
        columns = values[:-2] + 2 * values[1:-1] + values[2:]
        edges = np.abs(columns[:, :-2] - columns[:, 2:])
        assert found == pytest.approx(edges.mean())
    assert effects["times"] > 2


WRONG = [dict(picture="digit"), dict(shift=0), dict(shift=33), dict(direction="left")]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_cannot_be_set_is_refused_by_its_name(wrong):
    with pytest.raises(RequestError, match=next(iter(wrong))):
        compute(START | wrong)
