"""The lesson of feature maps and activation maps against loops over single numbers."""

import math

import numpy as np
import pytest

from convscope.errors import RequestError
from convscope.lessons.images import gray, volume
from convscope.lessons.maps import compute
from tests.reference.geometry import correlate

EDGES = [1, 0, -1, 2, 0, -2, 1, 0, -1]
START = dict(picture="digit", filter=EDGES, bias=0, activation="ReLU", at=0)
BY_HAND = {
    "ReLU": lambda z: max(z, 0.0),
    "leaky ReLU": lambda z: z if z > 0 else 0.1 * z,
    "tanh": math.tanh,
    "scaled tanh": lambda z: 1.7159 * math.tanh(2 * z / 3),
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
}


def told_sums(text, weights):
    """The sums of single products, of the bytes that the lesson itself shows."""
    side = text["side"]
    pixels = np.reshape(text["levels"], (side, side)) / 255
    rows = correlate(pixels.tolist(), np.reshape(weights, (3, 3)).tolist())
    return [total for row in rows for total in row]


@pytest.mark.parametrize("picture", ["digit", "photograph"])
@pytest.mark.parametrize("weights", [EDGES, [0.5, -1, 2.25, 0, 1, -3, 1e3, 7, -0.125]], ids=str)
def test_the_feature_map_is_the_sum_of_products_under_the_filter(picture, weights):
    text = compute(START | dict(picture=picture, filter=weights))
    by_hand = told_sums(text, weights)
    assert text["map"] == text["side"] - 2
    assert text["sums"] == pytest.approx(by_hand, abs=1e-6)


@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize("bias", [0, -0.75, 4])
def test_the_activation_map_is_each_sum_with_the_bias_put_through_the_function(name, bias):
    text = compute(START | dict(activation=name, bias=bias))
    before = [total + bias for total in told_sums(text, EDGES)]
    assert text["after"] == pytest.approx([BY_HAND[name](z) for z in before], abs=1e-6)
    curve = text["curve"]
    assert curve["y"] == pytest.approx([BY_HAND[name](x) for x in curve["x"]], abs=1e-9)
    assert curve["x"][-1] == -curve["x"][0] >= max(map(abs, before)) - 1e-9


def test_the_scaled_tanh_keeps_one():
    curve = compute(START | dict(activation="scaled tanh"))["curve"]
    near = min(range(len(curve["x"])), key=lambda i: abs(curve["x"][i] - 1))
    assert curve["y"][near] == pytest.approx(curve["x"][near], abs=0.05)


@pytest.mark.parametrize("name", BY_HAND)
def test_every_unit_stands_in_the_bar_of_its_value(name):
    text = compute(START | dict(activation=name, bias=0.5, picture="photograph"))
    before = [total + 0.5 for total in told_sums(text, EDGES)]
    after = [BY_HAND[name](z) for z in before]
    peak = text["histograms"]["peak"]
    assert peak == pytest.approx(max(map(abs, before + after)))
    for values, which in ((before, "before"), (after, "after")):
        counts = text["histograms"][which]
        assert sum(counts["below"]) == sum(value < 0 for value in values)
        assert counts["zero"] == sum(value == 0 for value in values)
        assert sum(counts["above"]) == sum(value > 0 for value in values)
        width = peak / len(counts["above"])
        inner = sum(0 < value < 3 * width for value in values)
        assert sum(counts["above"][:3]) == pytest.approx(inner, abs=2)  # units on a bar's edge
        outer = sum(value < -3 * width for value in values)
        assert sum(counts["below"][:-3]) == pytest.approx(outer, abs=2)
    assert text["below"] == pytest.approx(sum(z < 0 for z in before) / len(before))
    assert text["zero"] == pytest.approx(sum(value == 0 for value in after) / len(after))


def test_the_chosen_unit_is_worked_out_from_its_patch():
    text = compute(START | dict(bias=-0.25, at=4 * 26 + 9))
    unit = text["unit"]
    levels = np.reshape(text["levels"], (28, 28))[4:7, 9:12] / 255
    assert (unit["row"], unit["column"]) == (4, 9)
    assert [term["value"] for term in unit["terms"]] == levels.ravel().tolist()
    assert [term["weight"] for term in unit["terms"]] == EDGES
    assert unit["sum"] == pytest.approx(sum(term["product"] for term in unit["terms"]))
    assert unit["before"] == pytest.approx(unit["sum"] - 0.25)
    assert unit["after"] == pytest.approx(max(0.0, unit["before"]))
    assert text["sums"][4 * 26 + 9] == pytest.approx(unit["sum"], abs=1e-6)


def test_a_unit_beyond_the_map_is_the_last_one():
    assert compute(START | dict(at=783))["unit"]["at"] == 26 * 26 - 1


def test_a_filter_of_zeros_and_no_bias_leave_nothing():
    text = compute(START | dict(filter=[0] * 9))
    assert (text["peak"], text["zero"], text["below"]) == (0, 1, 0)
    assert text["histograms"]["before"]["zero"] == 26 * 26


def test_a_strong_negative_bias_silences_every_unit_of_relu():
    assert compute(START | dict(bias=-4, filter=[0.1] * 9))["zero"] == 1


def test_the_photograph_is_the_mean_of_four_by_four_pixels():
    from sklearn import datasets  # noqa: PLC0415 -- takes a second

    pixels = datasets.load_sample_image("china.jpg")[40:296, 88:344].astype(float)
    means = pixels.reshape(64, 4, 64, 4, 3).mean((1, 3))
    assert np.abs(volume(3, 64).transpose(1, 2, 0) - means).max() <= 1
    light = means @ [0.299, 0.587, 0.114]
    assert np.abs(gray("photograph") - light).max() <= 2


def test_the_digit_is_scikit_learns_three_enlarged():
    from sklearn import datasets  # noqa: PLC0415

    digits = datasets.load_digits()
    cells = np.linspace(0, 27, 8).round().astype(int)
    small = gray("digit")[np.ix_(cells, cells)].ravel()
    alike = [np.corrcoef(small, digits.images[i].ravel())[0, 1] for i in range(10)]
    assert digits.target[int(np.argmax(alike))] == 3


def test_the_fourth_channel_is_another_place_of_the_photograph():
    planes = volume(16, 32)
    assert planes.shape == (16, 32, 32)
    shifted = planes[3, :, :-3]  # 24 pixels to the right are 3 of 32 in 256
    assert np.abs(shifted.astype(int) - planes[0, :, 3:]).max() <= 1


WRONG = [
    dict(picture="a dog"),
    dict(filter=[1] * 8),
    dict(filter=[1] * 8 + ["x"]),
    dict(filter=[1] * 8 + [math.inf]),
    dict(bias=4.5),
    dict(bias=math.nan),
    dict(activation="swish"),
    dict(at=-1),
    dict(at=784),
    dict(at=0.5),
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_cannot_be_set_is_refused_by_its_name(wrong):
    with pytest.raises(RequestError, match=next(iter(wrong))):
        compute(START | wrong)
