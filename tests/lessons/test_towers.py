"""The lesson of the two towers: the paper's layers, counted by torch and in loops."""

import pytest
import torch
from torch import nn

from convscope.errors import RequestError
from convscope.lessons.towers import compute
from convscope.zoo.alexnet import alexnet

START = dict(side=27, channels=96, filters=256, kernel=5, groups=2)

# In two groups and in one: what others count too.
PARAMETERS = {
    "conv1": (34_944, 34_944),
    "conv2": (307_456, 614_656),
    "conv3": (885_120, 885_120),
    "conv4": (663_936, 1_327_488),
    "conv5": (442_624, 884_992),
    "fc6": (37_752_832, 37_752_832),
    "fc7": (16_781_312, 16_781_312),
    "fc8": (4_097_000, 4_097_000),
}


def test_layers_and_totals_are_the_published_ones():
    network = compute(START)["network"]
    found = {row["layer"]: (row["parameters"], row["alone_parameters"]) for row in network["rows"]}
    assert found == PARAMETERS
    assert (network["parameters"], network["alone_parameters"]) == (60_965_224, 62_378_344)
    assert (network["edges"], network["alone_edges"]) == (724_406_816, 1_135_256_096)
    assert network["saved"] == 1_413_120
    assert network["neurons"] == 659_272
    assert network["paper"] == {"parameters": 60_000_000, "neurons": 650_000}


def test_what_a_filter_sees_is_what_torchs_layers_read():
    with torch.device("meta"):
        net = alexnet("towers")
    for row in compute(START)["network"]["rows"]:
        layer = net.get_submodule(row["layer"])
        assert row["sees"] == layer.weight.shape[1]
        groups = getattr(layer, "groups", 1)
        assert row["below"] == groups * layer.weight.shape[1]
        assert row["both"] == (groups == 1)
        assert row["each"] * 2 == row["filters"]
    apart = [row["layer"] for row in compute(START)["network"]["rows"] if not row["both"]]
    assert apart == ["conv2", "conv4", "conv5"]


@pytest.mark.parametrize(
    "shape", [(5, 4, 6, 3, 2), (4, 6, 3, 1, 3), (3, 4, 4, 5, 4), (6, 2, 5, 2, 1)]
)
def test_weights_and_edges_of_a_layer_are_those_of_a_count_one_by_one(shape):
    side, channels, filters, kernel, groups = shape
    weights, edges = 0, 0
    for k in range(filters):
        for c in range(channels):
            if k // (filters // groups) != c // (channels // groups):
                continue
            for _ in range(kernel):
                for _ in range(kernel):
                    weights += 1
                    edges += side * side
    answer = compute(dict(zip(START, shape, strict=True)))["layer"]
    assert answer["apart"] == {"weights": weights, "edges": edges}
    layer = nn.Conv2d(channels, filters, kernel, groups=groups, device="meta")
    assert layer.weight.numel() == weights
    assert answer["whole"]["weights"] == groups * weights
    formula = answer["weights_formula"].replace("·", "*").replace(",", "")
    assert eval(formula) == weights  # noqa: S307 -- a formula of ours


def test_groups_that_do_not_divide_are_refused():
    with pytest.raises(RequestError, match="groups"):
        compute(START | dict(groups=5))


WRONG = [dict(side=0), dict(channels=1025), dict(filters=0), dict(kernel=12), dict(groups=65)]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_cannot_be_set_is_refused_by_its_name(wrong):
    with pytest.raises(RequestError, match=next(iter(wrong))):
        compute(START | wrong)
