"""Lesson volumes: one unit over three colors by hand, and layers against torch's own."""

import numpy as np
import pytest
import torch
from torch import nn

from convscope.errors import RequestError
from convscope.lessons.volumes import compute

RNG = np.random.default_rng(11)
IMAGE, FILTER = RNG.integers(-3, 10, 75), RNG.integers(-2, 3, 27)
START = {
    "image": IMAGE.tolist(),
    "filter": FILTER.tolist(),
    "bias": 0.5,
    "at": 0,
    "channels": "3",
    "side": "32",
    "filters": 10,
    "kernel": 5,
    "padding": 2,
}


def test_the_lectures_layer_has_760_parameters():
    layer = compute(START)["layer"]
    assert layer["parameters"] == 760
    assert layer["each"] == {"weights": 75, "all": 76}
    assert layer["output"] == [10, 32, 32]
    assert compute({**START, "side": "64"})["layer"]["parameters"] == 760


@pytest.mark.parametrize(
    ("change", "parameters", "output"),
    [
        ({"kernel": 3, "padding": 0}, 280, [10, 30, 30]),
        ({"filters": 6, "padding": 0}, 456, [6, 28, 28]),
        ({"filters": 8, "padding": 0, "side": "256"}, 608, [8, 252, 252]),
    ],
)
def test_the_lectures_other_layers_come_out(change, parameters, output):
    layer = compute({**START, **change})["layer"]
    assert (layer["parameters"], layer["output"]) == (parameters, output)


@pytest.mark.parametrize("channels", [1, 3, 16])
@pytest.mark.parametrize("filters", [1, 7, 16])
@pytest.mark.parametrize(("kernel", "padding"), [(1, 3), (2, 0), (7, 3)])
def test_a_layer_is_counted_as_torch_builds_it(channels, filters, kernel, padding):
    change = {"channels": str(channels), "filters": filters, "kernel": kernel, "padding": padding}
    layer = compute({**START, **change})["layer"]
    conv = nn.Conv2d(channels, filters, kernel, padding=padding)
    assert layer["parameters"] == sum(p.numel() for p in conv.parameters())
    assert layer["each"]["weights"] == conv.weight[0].numel()
    assert layer["filter"] == [*conv.weight.shape[1:]]
    assert layer["output"] == [*conv(torch.zeros(1, channels, 32, 32)).shape[1:]]
    assert layer["size"].endswith(f"= {layer['output'][1]}")


@pytest.mark.parametrize("at", range(9))
def test_the_number_is_three_sums_and_the_bias(at):
    text = compute({**START, "at": at})
    image, weights = IMAGE.reshape(3, 5, 5), FILTER.reshape(3, 3, 3)
    top, left = divmod(at, 3)
    wanted = []
    for c in range(3):
        products = [
            int(image[c, top + u, left + v]) * int(weights[c, u, v])
            for u in range(3)
            for v in range(3)
        ]
        wanted.append(sum(products))
        assert [term["product"] for term in text["parts"][c]["terms"]] == products
    assert [part["sum"] for part in text["parts"]] == wanted
    assert text["total"] == text["sums"][at] == sum(wanted) + 0.5
    assert [part["color"] for part in text["parts"]] == ["red", "green", "blue"]


def test_a_slice_of_zeros_makes_the_filter_blind_to_that_color():
    weights = FILTER.copy()
    weights[9:18] = 0
    other = IMAGE.copy()
    other[25:50] = RNG.integers(0, 9, 25)
    first = compute({**START, "filter": weights.tolist()})
    again = compute({**START, "filter": weights.tolist(), "image": other.tolist()})
    assert first["sums"] == again["sums"]
    assert first["parts"][1]["sum"] == 0


def test_nine_is_full_light_and_what_no_screen_can_show_is_cut():
    image = [0.0] * 75
    image[0], image[25], image[50] = 9, 4.5, -2
    image[1] = 1e6
    pixels = compute({**START, "image": image})["pixels"]
    assert pixels[0] == [255, 128, 0]
    assert pixels[1] == [255, 0, 0]
    assert pixels[2] == [0, 0, 0]


def test_everything_zero_leaves_the_bias():
    text = compute({**START, "image": [0] * 75, "bias": -3})
    assert text["sums"] == [-3] * 9


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"image": [1] * 25}, "image must be 75 numbers"),
        ({"filter": [1] * 9}, "filter must be 27 numbers"),
        ({"bias": None}, "bias must be a number"),
        ({"at": 9}, "at must be a whole number from 0 to 8"),
        ({"channels": "2"}, "channels must be one of 1, 3, 16"),
        ({"channels": 3}, "channels must be one of"),
        ({"side": "28"}, "side must be one of 32, 64, 256"),
        ({"filters": 0}, "filters must be a whole number from 1 to 16"),
        ({"filters": 17}, "filters must be a whole number from 1 to 16"),
        ({"kernel": 8}, "kernel must be a whole number from 1 to 7"),
        ({"padding": 4}, "padding must be a whole number from 0 to 3"),
    ],
)
def test_what_is_no_state_is_refused(change, sentence):
    with pytest.raises(RequestError, match=sentence):
        compute({**START, **change})
