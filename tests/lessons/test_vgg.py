"""The lesson on AlexNet and VGG tells the papers' counts, and what small filters save."""

import math

import pytest
import torch
from torch import nn

from convscope.errors import RequestError
from convscope.lessons.vgg import NETWORKS, compute
from convscope.zoo import create_model

START = {"left": "alexnet", "right": "D", "deep": 2, "channels": 64}
FACTS = {  # parameters, multiply-adds: of the papers, and counted by others
    "alexnet": (62_378_344, 1_135_256_096),
    "towers": (60_965_224, 724_406_816),
    "A": (132_863_336, 7_609_090_048),
    "B": (133_047_848, 11_308_466_176),
    "C": (133_638_952, 11_770_888_192),
    "D": (138_357_544, 15_470_264_320),
    "E": (143_667_240, 19_632_062_464),
}


def answer(**change):
    return compute({**START, **change})


@pytest.mark.parametrize("name", FACTS)
def test_totals_are_the_published_ones_and_the_sums_of_the_rows(name):
    for network in answer(left=name, right=name)["networks"]:
        assert (network["parameters"], network["multiply_adds"]) == FACTS[name]
        for what in ("parameters", "multiply_adds", "bytes"):
            assert network[what] == sum(row[what] for row in network["rows"])
        assert network["parameter_bytes"] == 4 * FACTS[name][0]


def test_every_network_of_the_lesson_is_compared_with_the_facts():
    assert list(NETWORKS) == list(FACTS)


@pytest.mark.parametrize(("name", "layers"), [("alexnet", 8), ("A", 11), ("D", 16), ("E", 19)])
def test_layers_with_weights_are_as_many_as_the_name_says(name, layers):
    assert answer(left=name)["networks"][0]["weight_layers"] == layers


def test_rows_are_the_layers_of_the_network_that_is_built():
    with torch.device("meta"):
        net = create_model("vgg16")
    named = dict(net.named_modules())
    rows = answer()["networks"][1]["rows"]
    for row in rows:
        own = sum(parameter.numel() for parameter in named[row["layer"]].parameters())
        assert row["parameters"] == own
        assert row["bytes"] == 4 * math.prod(row["map"])
    integer = [name for name, layer in named.items() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert [row["layer"] for row in rows if row["parameters"]] == integer


def test_most_weights_are_in_the_first_dense_layer_and_most_maps_in_the_first_convolutions():
    _, vgg = answer()["networks"]
    assert vgg["peaks"]["parameters"]["layers"] == ["fc1"]
    assert vgg["peaks"]["parameters"]["share"] == pytest.approx(102_764_544 / 138_357_544)
    assert vgg["peaks"]["bytes"]["layers"] == ["conv1_1", "conv1_2"]
    assert vgg["peaks"]["bytes"]["share"] == pytest.approx(4 * 64 * 224 * 224 / vgg["bytes"])
    dense = [row for row in vgg["rows"] if row["layer"].startswith("fc")]
    assert vgg["dense_parameters"] == pytest.approx(
        sum(row["parameters"] for row in dense) / 138_357_544
    )
    assert vgg["dense_work"] == pytest.approx((25_088 * 4096 + 4096**2 + 4096_000) / 15_470_264_320)


def test_six_convolutions_of_vgg_d_do_the_same_work():
    # 224·224·64·9·64 = 112·112·128·9·128 = 56·56·256·9·256 = 28·28·512·9·512
    peak = answer()["networks"][1]["peaks"]["multiply_adds"]
    assert peak["layers"] == [
        *("conv1_2", "conv2_2", "conv3_2", "conv3_3", "conv4_2", "conv4_3"),
    ]
    assert peak["share"] == pytest.approx(224 * 224 * 64 * 9 * 64 / 15_470_264_320)


def test_bars_are_drawn_by_the_largest_row_of_either_network():
    most = answer()["most"]
    assert most == {
        "parameters": 102_764_544,
        "multiply_adds": 1_849_688_064,
        "bytes": 4 * 64 * 224 * 224,
    }
    assert answer(right="alexnet")["most"]["parameters"] == 37_752_832


def test_alexnet_begins_with_a_large_filter_and_its_towers_part_three_layers():
    first = answer()["first"]
    assert (first["filters"], first["kernel"], first["stride"], first["side"]) == (96, 11, 4, 55)
    assert first["formula"].startswith("(227 − 11")
    assert first["apart"] == ["conv2", "conv4", "conv5"]
    assert first["alone"] - first["towers"] == 1_413_120


@pytest.mark.parametrize("deep", range(1, 6))
@pytest.mark.parametrize("channels", [1, 3, 64, 512, 1024])
def test_small_filters_see_as_much_as_the_large_one_and_have_as_many_weights_as_torch_says(
    deep, channels
):
    stack = answer(deep=deep, channels=channels)["stack"]
    with torch.device("meta"):
        small = nn.Sequential(
            *(nn.Conv2d(channels, channels, 3, bias=False) for _ in range(deep)),
        )
        large = nn.Conv2d(channels, channels, 2 * deep + 1, bias=False)
        side = 2 * deep + 1
        assert small(torch.empty(1, channels, side, side)).shape[2:] == (1, 1)
    assert stack["side"] == side
    assert stack["small"] == sum(weight.numel() for weight in small.parameters())
    assert stack["large"] == large.weight.numel()
    assert stack["small"] == stack["small_factor"] * channels**2
    assert stack["large"] == stack["large_factor"] * channels**2
    assert stack["ratio"] == pytest.approx(9 * deep / side**2)


def test_two_see_five_and_three_see_seven_with_27_against_49():
    two, three = (answer(deep=deep)["stack"] for deep in (2, 3))
    assert (two["side"], two["small_factor"], two["large_factor"]) == (5, 18, 25)
    assert (three["side"], three["small_factor"], three["large_factor"]) == (7, 27, 49)


@pytest.mark.parametrize("deep", range(1, 6))
def test_cells_that_reach_the_top_are_those_with_a_gradient(deep):
    stack = answer(deep=deep)["stack"]
    assert stack["sides"] == [*range(2 * deep + 1, 0, -2)]
    for layer, units in enumerate(stack["seen"]):
        below = torch.zeros(1, 1, stack["sides"][layer], requires_grad=True)
        above = nn.functional.conv1d(below, torch.ones(1, 1, 3))[0, 0]
        assert len(units) == len(above) == stack["sides"][layer + 1]
        for unit, (first, end) in enumerate(units):
            (touched,) = torch.autograd.grad(above[unit], below, retain_graph=True)
            assert touched[0, 0].nonzero().ravel().tolist() == list(range(first, end))


@pytest.mark.parametrize(
    ("change", "told_of"),
    [
        ({"left": "F"}, "left"),
        ({"right": "resnet50"}, "right"),
        ({"deep": 0}, "deep"),
        ({"deep": 6}, "deep"),
        ({"channels": 0}, "channels"),
        ({"channels": 1025}, "channels"),
        ({"channels": 2.5}, "channels"),
        ({"channels": "64"}, "channels"),
        ({"left": None}, "left"),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_name(change, told_of):
    with pytest.raises(RequestError, match=f"^{told_of} must be"):
        answer(**change)
