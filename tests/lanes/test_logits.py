"""The engine's answers are the network's, at rest, and asking disturbs no training."""

import copy

import pytest
import torch
from torch import nn

from convscope.lanes.engine import Engine
from tests.lanes.networks import FEW, batch, network


def logits_of(engine, images, **how):
    return torch.from_numpy(engine.logits(images.given, scales=images.scales, **how))


@pytest.mark.parametrize("name", FEW)
def test_answers_are_those_of_torch(name):
    net, shape = network(name)
    engine = Engine(copy.deepcopy(net), shape, threads=3)
    for count, threads in ((1, 1), (8, 2), (29, 3)):
        images = batch(shape, count)
        wanted = copy.deepcopy(net).double().eval()(images.images)
        found = logits_of(engine, images, threads=threads)
        torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("layer", [nn.Dropout(0.4), nn.Dropout2d(0.4)])
def test_nothing_is_dropped(layer):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 6, 3), layer, nn.Conv2d(6, 4, 3, padding=1), nn.Dropout(0.7), nn.ReLU(),
        nn.Flatten(), nn.LazyLinear(10),
    )  # fmt: skip
    net(torch.zeros(1, 1, 9, 9))
    images = batch((1, 9, 9), 11)
    wanted = copy.deepcopy(net).double().eval()(images.images)
    engine = Engine(net, (1, 9, 9))
    images.step(engine, seed=5, update=False)
    found = logits_of(engine, images)
    torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=2e-6)


def test_asking_between_steps_changes_no_bit():
    weights = []
    for asks in (False, True):
        net, shape = network("residual")
        engine = Engine(net, shape, threads=2)
        for seed in range(4):
            batch(shape, 21, seed=seed).step(engine, lr=0.1, momentum=0.9, seed=seed)
            if asks:
                logits_of(engine, batch(shape, 50, seed=9))
        weights.append(engine.parameters.clone())
    assert torch.equal(*weights)
