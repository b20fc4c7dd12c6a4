"""Scores of maps against autograd and plain loops."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

from convscope import record
from convscope.features.ranking import (
    distance_from_mean,
    gradient_times_activation,
    mean_magnitude,
)
from tests.reference.gradients import finite_differences


class Transposed(nn.Module):
    def forward(self, x):
        return x.transpose(1, 2)


class Twice(nn.Module):
    """Calls one activation module at two places, as torchvision's residual networks do."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.last = nn.Conv2d(3, 2, 3)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.last(self.relu(self.conv(x)))).mean((2, 3))


@pytest.mark.parametrize(("call", "name"), [(1, "relu"), (2, "relu_2")])
def test_gradient_times_activation_of_a_module_that_is_called_twice_is_that_calls(call, name):
    torch.manual_seed(0)
    net, image = Twice().eval(), torch.randn(1, 1, 20, 20)
    assert name in record(net, image).names
    first = net.relu(net.conv(image)).detach().requires_grad_()
    second = net.relu(net.last(first))
    second.retain_grad()
    second.mean((2, 3)).max().backward()
    activation = {1: first, 2: second}[call]
    found = gradient_times_activation(net, image, name)
    assert torch.allclose(found, activation.grad * activation.detach(), rtol=1e-4, atol=1e-6)
    assert not net.relu._forward_hooks


@pytest.mark.parametrize("norm", [nn.BatchNorm2d, nn.InstanceNorm2d])
def test_gradient_times_activation_is_the_slope_also_of_one_image_read_as_tokens(norm):
    torch.manual_seed(0)
    net = nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(1, 3, 3),
            norm=norm(3, affine=True),
            tokens=nn.Flatten(2),
            head=nn.Sequential(Transposed(), nn.LayerNorm(3), nn.Linear(3, 4)),
        )
    )
    nn.init.normal_(net.norm.weight)
    net, image = net.double().eval(), torch.randn(1, 1, 6, 5, dtype=torch.float64)
    maps = net.conv(image).detach()
    slope = finite_differences(lambda x: net[1:](x).max(), maps.clone())
    found = gradient_times_activation(net, image, "conv")
    assert torch.allclose(found, slope * maps, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["mean", "nothing", "relu_3"])
def test_what_is_no_modules_output_has_no_importance(name):
    assert gradient_times_activation(Twice().eval(), torch.randn(1, 1, 20, 20), name) is None


def test_magnitude_and_distance_are_means_over_each_map():
    random = np.random.default_rng(0)
    volume, mean = random.normal(size=(2, 4, 3, 5)).astype(np.float32)
    magnitudes, distances = mean_magnitude(volume), distance_from_mean(volume, mean)
    for c in range(4):
        assert magnitudes[c] == pytest.approx(sum(abs(v) for v in volume[c].ravel()) / 15)
        squares = [(a - b) ** 2 for a, b in zip(volume[c].ravel(), mean[c].ravel(), strict=True)]
        assert distances[c] == pytest.approx((sum(squares) / 15) ** 0.5)
