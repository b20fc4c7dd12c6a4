"""A map is never blank without its reason, which is measured."""

import numpy as np
import pytest
import torch
from torch import nn

from convscope.attribution.api import attribute_opened
from convscope.errors import RequestError
from convscope.models import OpenedModel
from tests.attribution.networks import card_for, image, randomize


def _net(bias=0.0, sign=1.0):
    layers = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU(inplace=True)
    net = randomize(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4)))
    net[2].bias.data += bias
    net[6].weight.data = net[6].weight.abs() * sign
    return net


def _attribute(net, method, x=None):
    opened = OpenedModel("net", net, card_for(3, 8))
    x = image()[0] if x is None else x
    (found,) = attribute_opened(opened, x, methods=[method], target=1, random_orders=2)
    return found[method]


LAYERED = ["grad-cam", "grad-cam++", "layer-cam", "hires-cam", "cam"]


@pytest.mark.parametrize("method", LAYERED)
def test_a_dead_relu_is_named_with_its_largest_input(method):
    net = _net(bias=-100)
    largest = float(net[2](net[1](net[0](image()))).max())
    found = _attribute(net, method)
    assert not found.map.any()
    assert found.problem == (
        "Every activation of 3 is 0 for this image. The ReLU is dead: its 80 inputs are all 0 or "
        f"less, the largest is {largest:.3g}."
    )
    assert found.facts[0] == found.problem
    assert found.faithfulness is None


@pytest.mark.parametrize("method", ["saliency", "gradient-x-input"])
def test_the_operation_at_which_every_gradient_became_zero_is_named(method):
    found = _attribute(_net(bias=-100), method)
    assert "Every gradient is 0 before 3: all of its 80 inputs are 0 or less" in found.problem


def test_a_map_that_is_negative_everywhere_says_so_with_its_range():
    found = _attribute(_net(sign=-1), "grad-cam")
    assert "negative or 0 at each of the 16 positions of 3 (from -" in found.problem
    signed = _attribute(_net(sign=-1), "hires-cam")
    assert not signed.problem
    assert signed.map.max() <= 0


def test_a_score_that_no_window_changes_says_so():
    net = _net()
    net[6].weight.data.zero_()
    assert "same whichever window" in _attribute(net, "occlusion").problem


@pytest.mark.parametrize("method", ["saliency", "gradient-x-input", "grad-cam", "occlusion"])
def test_nan_is_said_and_nothing_is_tested(method):
    x = image()[0]
    x[0, 2, 3] = float("nan")
    found = _attribute(_net(), method, x)
    assert "NaN or infinite" in found.problem
    assert found.faithfulness is None
    assert np.isfinite(found.maximum)


def test_a_network_without_gradients_is_refused_with_what_it_may_use():
    class Frozen(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = _net()

        @torch.no_grad()
        def forward(self, x):
            return self.net(x)

    with pytest.raises(RequestError, match=r"no gradient.*occlusion needs none"):
        _attribute(Frozen(), "saliency")
    assert _attribute(Frozen(), "occlusion").map.any()
    assert _attribute(Frozen(), "grad-cam").map.any()  # computed from the recorded operations
