"""The engine's losses and gradients are those of autograd in float64."""

import copy

import pytest
import torch
from torch import nn

from convscope.lanes.engine import Engine
from convscope.lanes.ir import Target
from convscope.zoo import create_model
from tests.lanes.networks import NETWORKS, batch, distance, exact, network
from tests.repetition import first_fast

NEAR = 1e-5  # relative L2


def check(net, shape, count, *, seed=0, **how):
    images = batch(shape, count, seed=seed)
    loss, wanted = exact(net, images)
    engine = Engine(copy.deepcopy(net), shape, **how)
    measured, _ = images.step(engine, update=False)
    assert measured == pytest.approx(loss, rel=1e-5)
    assert distance(engine.gradients(), wanted) < NEAR


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_those_of_autograd(name):
    net, shape = network(name)
    check(net, shape, 13, threads=2)


@pytest.mark.parametrize(
    ("name", "count"), [*(("lenet5", count) for count in (1, 8, 37, 128)), ("tinyvgg", 5)]
)
def test_networks_of_the_zoo_at_whole_and_ragged_batches(name, count):
    torch.manual_seed(0)  # more images of tinyvgg, with their near ties: test_near_ties.py
    check(create_model(name), (1, 32, 32) if name == "lenet5" else (3, 32, 32), count)


@pytest.mark.parametrize(
    ("name", "lanes"),
    first_fast(
        3,
        [
            *(("residual", 4), ("pools", 8), ("locally connected", 16)),
            *(("residual", 8), ("pools", 16), ("locally connected", 4)),
            *(("residual", 16), ("pools", 4), ("locally connected", 8)),
        ],
    ),
)
def test_every_width_gives_the_same(name, lanes):
    net, shape = network(name)
    check(net, shape, 19, target=Target(lanes, 16))


def test_of_equal_largest_cells_the_first_gets_the_gradient_as_in_torch():
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.MaxPool2d(3, 2, 1), nn.Flatten(), nn.LazyLinear(10))
    images = batch((1, 9, 9), 16)
    images.pixels.clamp_(127, 130)  # hardly any window without a tie
    net(torch.zeros(1, 1, 9, 9))
    _, wanted = exact(net, images)
    engine = Engine(copy.deepcopy(net), (1, 9, 9))
    images.step(engine, update=False)
    assert distance(engine.gradients(), wanted) < NEAR


def test_what_is_no_number_reaches_the_loss():
    torch.manual_seed(0)
    net = create_model("tinyvgg")
    with torch.no_grad():
        net.get_parameter("conv1_1.weight")[3, 1, 1, 1] = float("nan")
    loss, _ = batch((3, 32, 32), 8).step(Engine(net, (3, 32, 32)), update=False)
    assert loss != loss  # noqa: PLR0124 -- the mark of what is no number


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_label_smoothing_and_class_weights_are_those_of_torch(label_smoothing, weighted):
    net, shape = network("dense alone")
    images = batch(shape, 21)
    weights = torch.linspace(0.2, 3, 10) if weighted else None
    loss, wanted = exact(
        net,
        images,
        label_smoothing=label_smoothing,
        weight=None if weights is None else weights.double(),
    )
    engine = Engine(copy.deepcopy(net), shape)
    measured, num_correct = images.step(
        engine,
        label_smoothing=label_smoothing,
        weights=None if weights is None else weights.numpy(),
        update=False,
    )
    assert measured == pytest.approx(loss, rel=1e-5)
    assert distance(engine.gradients(), wanted) < NEAR
    answers = copy.deepcopy(net).double()(images.images).argmax(1)
    assert num_correct == int((answers == images.labels).sum())
