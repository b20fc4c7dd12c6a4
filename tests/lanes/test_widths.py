"""What holds with 8 lanes holds with 16: exact gradients, own memory, equal bits, equal dropout.

The other files of this folder test the usual width; these are a few of their cases at the widest.
"""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from convscope.lanes.engine import Engine
from convscope.lanes.jit import fast_targets, host_targets
from convscope.zoo import create_model
from tests.lanes.networks import batch, distance, exact, network

WIDEST = fast_targets()[-1]


def made(name):
    if name == "lenet5":
        torch.manual_seed(0)
        return create_model(name), (1, 32, 32)
    if name == "tiled":  # by Winograd's tiles in every direction
        torch.manual_seed(0)
        layers = [nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1)]
        return nn.Sequential(*layers, nn.AvgPool2d(4), nn.Flatten(), nn.Linear(288, 10)), (
            3,
            13,
            14,
        )
    return network(name)


@pytest.mark.parametrize("count", [1, 16, 37])
def test_gradients_of_whole_and_ragged_batches_are_those_of_autograd(count):
    net, shape = made("lenet5")
    images = batch(shape, count)
    loss, wanted = exact(net, images)
    engine = Engine(copy.deepcopy(net), shape, target=WIDEST, threads=2)
    measured, _ = images.step(engine, update=False)
    assert measured == pytest.approx(loss, rel=1e-5)
    assert distance(engine.gradients(), wanted) < 1e-5


@pytest.mark.parametrize("name", ["residual", "tiled", "strides and odd sides"])
def test_checked_code_stays_in_its_memory_and_reads_what_was_written(name):
    net, shape = made(name)
    images = batch(shape, 21)
    _, wanted = exact(net, images)
    target = host_targets(checked=True)[WIDEST.lanes]
    engine = Engine(copy.deepcopy(net), shape, target=target, threads=2)
    images.step(engine, update=False)
    first = engine.gradients()["0.weight" if name != "residual" else "a.weight"].clone()
    engine._workspaces.fill(np.nan)
    engine._gradients.fill(np.nan)
    images.step(engine, update=False)
    assert torch.equal(engine.gradients()["0.weight" if name != "residual" else "a.weight"], first)
    assert distance(engine.gradients(), wanted) < 1e-5


@pytest.mark.parametrize("with_openmp", [True, False])
def test_equal_steps_on_threads_have_equal_bits(with_openmp):
    weights = []
    for _ in range(2):
        net, shape = made("lenet5")
        engine = Engine(net, shape, target=WIDEST, threads=3, with_openmp=with_openmp)
        for seed in range(3):
            batch(shape, 37, seed=seed).step(engine, lr=0.1, momentum=0.9)
        weights.append(engine.parameters.clone())
        images = batch(shape, 29)
        found = torch.from_numpy(engine.logits(images.given, scales=images.scales))
        wanted = copy.deepcopy(net).double()(images.images)
        torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=2e-6)
    assert torch.equal(*weights)


def test_the_width_changes_no_unit_that_is_dropped():
    """Random bits belong to an image's number in its batch and to a unit."""
    kept = []
    for target in (host_targets()[4], WIDEST):
        net = nn.Sequential(nn.Dropout(0.5), nn.Flatten(), nn.Linear(100, 10, bias=False))
        engine = Engine(net, (1, 10, 10), target=target)
        for place in range(20):
            images = batch((1, 10, 10), 21)
            images.pixels.fill_(128)  # the value 0
            images.pixels[place] = 255
            images.labels.zero_()
            images.step(engine, seed=3, update=False)
            kept.append(engine.gradients()["2.weight"][1] != 0)
    assert torch.equal(torch.stack(kept[:20]), torch.stack(kept[20:]))
    assert not torch.equal(kept[0], kept[1])
