"""Costs of networks are those of their papers."""

import pytest

from convscope.comparison.costs import network_costs


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds", "layers"),
    [
        ("lenet5", 61_706, 416_520, 5),
        ("alexnet", 62_378_344, 1_135_256_096, 8),
        ("vgg16", 138_357_544, 15_470_264_320, 16),
        ("vgg19", 143_667_240, 19_632_062_464, 19),
        ("resnet18", 11_689_512, 1_814_073_344, 18 + 3),  # three projections on shortcuts
    ],
)
def test_networks_cost_what_their_papers_say(name, parameters, multiply_adds, layers):
    costs = network_costs(name, name)
    assert (costs["parameters"], costs["multiply_adds"], costs["layers"]) == (
        *(parameters, multiply_adds, layers),
    )


def test_the_memory_of_lenet5_is_that_of_its_maps():
    maps = 6 * 28 * 28 + 6 * 14 * 14 + 16 * 10 * 10 + 16 * 5 * 5 + 120 + 84 + 10
    costs = network_costs("lenet5", "lenet5")
    assert costs["memory"] == 4 * maps
    assert costs["size"] == "1×32×32"
