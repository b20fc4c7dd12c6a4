"""The lesson on images of any size: torch takes the same ones, and stops at the others."""

import pytest
import torch
from torch import nn

from convscope.errors import RequestError
from convscope.lessons.anysize import compute

START = dict(height=48, width=48, built="32")

SIZES = [(28, 28), (32, 32), (64, 64), (48, 48), (32, 90), (24, 24), (10, 10), (9, 40), (1, 1),
         (64, 20), (20, 64)]  # fmt: skip


def networks(built):
    """The three networks as a person would build them, for an image of this side."""
    features = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.MaxPool2d(2)
    )
    side = features(torch.zeros(1, 3, built, built)).shape[-1]
    dense = nn.Linear(16 * side * side, 10)
    return features, {
        "flatten": nn.Sequential(nn.Flatten(), dense),
        "mean": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)),
        "convolution": nn.Conv2d(16, 10, side),
    }


def runs(layers, *inputs):
    try:
        with torch.no_grad():
            return layers(*inputs)
    except RuntimeError:
        return None


@pytest.mark.parametrize("built", [28, 32, 64])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_torch_carries_the_same_sizes_and_stops_at_the_same_places(built, size):
    features, ends = networks(built)
    answer = compute(dict(height=size[0], width=size[1], built=str(built)))
    maps = runs(features, torch.zeros(1, 3, *size))
    assert (maps is None) == (answer["problem"] is not None)
    assert answer["feature_parameters"] == sum(p.numel() for p in features.parameters())
    for end in answer["ends"]:
        layers = ends[end["end"]]
        assert end["parameters"] == sum(p.numel() for p in layers.parameters())
        if maps is None:
            assert end["rows"] == []
            continue
        assert answer["features"][-1]["volume"][-3:] in ([*maps.shape[1:]], [16])
        found = runs(layers, maps)
        named = {row["layer"]: row["volume"] for row in end["rows"]}
        if end["end"] == "convolution":
            assert (found is None) == (named == {})
            if found is not None:
                shape = [*found.shape[1:]]
                assert named["convolution"] == (shape if shape[1:] != [1, 1] else [10])
        else:
            assert (found is None) == ("dense" not in named)
            assert found is None or named["dense"] == [10]
        assert (found is None) <= (end["problem"] is not None)


def test_a_dense_layer_is_a_filter_as_large_as_its_maps():
    torch.manual_seed(0)
    features, ends = networks(32)
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    dense, filters = ends["flatten"][1], ends["convolution"]
    with torch.no_grad():
        filters.weight.copy_(dense.weight.view_as(filters.weight))
        filters.bias.copy_(dense.bias)
        scores = filters(features(image))
        assert torch.allclose(scores.flatten(), ends["flatten"](features(image))[0], atol=1e-5)
    flatten, _, convolution = compute(START)["ends"]
    assert flatten["parameters"] == convolution["parameters"] == 5770


def test_the_same_number_of_values_in_another_shape_is_told():
    answer = compute(dict(height=14, width=78, built="32"))  # 2×18 maps for 6×6
    flatten = answer["ends"][0]
    assert "2×18 instead of 6×6" in flatten["problem"]
    assert [row["layer"] for row in flatten["rows"]] == ["flatten", "dense"]


def test_what_breaks_says_where_and_how_much():
    answer = compute(START)
    assert answer["ends"][0]["problem"] == (
        "The dense layer has weights for 576 values, and 1,600 arrive."
    )
    small = compute(START | dict(height=8))
    assert small["problem"].startswith("pool2 has a window of 2×2")
    assert "only 1×" in small["problem"]


WRONG = [dict(height=0), dict(height=513), dict(width=2.5), dict(built="30"), dict(built=32)]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_cannot_be_set_is_refused_by_its_name(wrong):
    with pytest.raises(RequestError, match=next(iter(wrong))):
        compute(START | wrong)
