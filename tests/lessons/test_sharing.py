"""The lesson of shared weights: the lecture's counts, torch's layers, and the law of the shift."""

import numpy as np
import pytest
import torch
from torch import nn

from convscope.errors import RequestError
from convscope.layers import LocallyConnected2d
from convscope.lessons.images import volume
from convscope.lessons.sharing import compute

START = dict(side=16, channels=3, filters=2, kernel=3, run=0)
NAMES = ["convolutional", "locally connected", "dense"]

# Side, channels, filters, kernel; parameters of the three; multiply-adds, of dense too: FACTS 5.1.
LECTURE = [
    ((32, 3, 10, 3), (280, 252_000, 27_657_000), (243_000, 27_648_000)),
    ((32, 3, 6, 5), (456, 357_504, 14_455_392), (352_800, 14_450_688)),
]


def setting(side, channels, filters, kernel, **more):
    return dict(side=side, channels=channels, filters=filters, kernel=kernel, run=0) | more


@pytest.mark.parametrize(("shape", "parameters", "products"), LECTURE)
def test_the_lectures_layers_have_their_counts(shape, parameters, products):
    text = compute(setting(*shape))
    assert [layer["name"] for layer in text["layers"]] == NAMES
    assert tuple(layer["parameters"] for layer in text["layers"]) == parameters
    multiply_adds = [layer["multiply_adds"] for layer in text["layers"]]
    assert multiply_adds == [products[0], *products]
    assert text["layers"][1]["times"] == pytest.approx(parameters[1] / parameters[0])


@pytest.mark.parametrize("shape", [(8, 1, 1, 1), (8, 1, 1, 7), (9, 16, 2, 4), (64, 16, 16, 7)])
def test_weights_and_biases_are_those_of_torchs_layers(shape):
    side, channels, filters, kernel = shape
    out = side - kernel + 1
    with torch.device("meta"):
        layers = [
            nn.Conv2d(channels, filters, kernel),
            LocallyConnected2d(channels, filters, (side, side), kernel),
            nn.Linear(channels * side * side, filters * out * out),
        ]
    text = compute(setting(*shape))
    assert text["output"] == [filters, out, out]
    for layer, row in zip(layers, text["layers"], strict=True):
        assert (row["weights"], row["biases"]) == (layer.weight.numel(), layer.bias.numel())
        assert row["bytes"] == 4 * (layer.weight.numel() + layer.bias.numel())
        formula = row["formula"].replace("·", "*")
        assert eval(formula) == row["parameters"]  # noqa: S307 -- a formula of ours


def moved(values):
    return np.pad(values, ((0, 0), (1, 0)))[:, :-1]


def square(values):
    side = round(len(values) ** 0.5)
    return np.reshape(values, (side, side))


def test_of_a_convolution_of_one_pixel_the_map_is_the_moved_picture_times_a_weight():
    text = compute(setting(12, 1, 1, 1))
    picture = square(text["picture"])
    assert np.array_equal(picture, volume(1, 12)[0])
    run = text["ran"]["layers"][0]
    found, expected = square(run["found"]), square(run["expected"])
    fits = [
        (weight, bias)
        for weight in range(-3, 4)
        for bias in range(-3, 4)
        if np.array_equal(found, weight * moved(picture) + bias)
        and np.array_equal(expected, moved(weight * picture + bias))
    ]
    assert len(fits) == 1
    assert fits[0][0] != 0


def test_a_local_filter_of_one_pixel_has_another_weight_at_every_place():
    text = compute(setting(12, 1, 1, 1))
    seen = moved(square(text["picture"]))
    found = square(text["ran"]["layers"][1]["found"])
    rest = found[:, 1:] - np.rint(found[:, 1:] / seen[:, 1:]) * seen[:, 1:]
    assert np.abs(rest).max() <= 3  # the bias
    weights = np.rint(found[:, 1:] / seen[:, 1:])
    assert len(np.unique(weights)) > 3


@pytest.mark.parametrize(
    "shape", [(8, 1, 1, 7), (16, 3, 2, 3), (12, 16, 2, 5), (13, 1, 4, 1)], ids=str
)
def test_only_a_convolution_moves_its_output_along_exactly(shape):
    layers = compute(setting(*shape))["ran"]["layers"]
    for one in layers:
        found, expected = square(one["found"]), square(one["expected"])
        assert np.array_equal(square(one["difference"]), found - expected)
        assert not expected[:, 0].any()
        side = shape[0] - shape[3] + 1
        assert one["units"] == shape[2] * side * (side - 1)
    shared, local, dense = layers
    first = square(shared["difference"])
    assert (shared["differ"], shared["largest"]) == (0, 0)
    assert first[:, 0].any()
    assert not first[:, 1:].any()
    for one in (local, dense):
        assert one["differ"] > 0.9 * one["units"]
        assert one["largest"] >= np.abs(square(one["difference"])[:, 1:]).max() > 0


def test_a_kernel_as_wide_as_all_but_one_pixel_leaves_one_column_to_compare():
    text = compute(setting(8, 1, 1, 7))
    assert text["output"] == [1, 2, 2]
    assert text["ran"]["layers"][0]["units"] == 2


def test_heavy_layers_run_only_when_asked_to():
    asked = setting(32, 3, 10, 3)
    assert compute(asked)["ran"] is None
    ran = compute(asked | dict(run=1))["ran"]
    assert [one["differ"] > 0 for one in ran["layers"]] == [False, True, True]


def test_the_time_is_taken_only_when_asked_for_and_kept():
    assert [one["seconds"] for one in compute(START)["ran"]["layers"]] == [None, None, None]
    timed = compute(START | dict(run=1))["ran"]
    assert all(one["seconds"] > 0 for one in timed["layers"])
    assert timed["threads"] == torch.get_num_threads()
    assert compute(START | dict(run=1))["ran"] == timed


def test_a_dense_layer_beyond_fifty_million_weights_is_counted_and_never_run():
    text = compute(setting(64, 4, 4, 1, run=1))
    assert text["layers"][2]["weights"] == (4 * 64 * 64) ** 2
    assert [layer["runs"] for layer in text["layers"]] == [True, True, False]
    shared, local, dense = text["ran"]["layers"]
    assert dense is None
    assert shared["differ"] == 0 < local["differ"]


def test_no_random_number_of_torch_is_drawn():
    state = torch.get_rng_state()
    compute(setting(11, 2, 3, 2, run=1))
    assert torch.equal(torch.get_rng_state(), state)


WRONG = [
    dict(side=7),
    dict(side=65),
    dict(channels=0),
    dict(channels=17),
    dict(filters=0),
    dict(filters=17),
    dict(kernel=0),
    dict(kernel=8),
    dict(kernel=2.5),
    dict(run=2),
    dict(run=None),
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_cannot_be_set_is_refused_by_its_name(wrong):
    with pytest.raises(RequestError, match=next(iter(wrong))):
        compute(START | wrong)
