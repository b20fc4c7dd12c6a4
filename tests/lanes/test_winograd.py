"""Convolutions by tiles: the matrices are an identity, and whole networks are right by them."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from convscope.lanes.engine import Engine
from convscope.lanes.frontend import read_network
from convscope.lanes.ir import Target
from convscope.lanes.plan import make_plan
from convscope.lanes.tiling import (
    SIDE,
    Tiling,
    filter_matrix,
    inputs_matrix,
    units_matrix,
)
from convscope.zoo import create_model
from tests.lanes.networks import batch, distance, exact
from tests.lanes.test_stacks import check, counts, seeds, stacks

KERNELS = (2, 3, 4, 5)


@pytest.fixture
def tiled(monkeypatch):
    """Whatever can be tiled is tiled, whether it pays or not."""
    monkeypatch.setattr(Tiling, "plain_cycles", float("inf"))


@pytest.mark.parametrize("r", KERNELS)
def test_the_matrices_make_a_correlation_and_its_gradient(r):
    rng, m = np.random.default_rng(0), SIDE + 1 - r
    cells, taps, grads = (
        rng.normal(size=(SIDE, SIDE)),
        rng.normal(size=(r, r)),
        rng.normal(size=(m, m)),
    )
    bt, g, a = np.array(inputs_matrix()), np.array(filter_matrix(r)), np.array(units_matrix(r))
    product = (g @ taps @ g.T) * (bt @ cells @ bt.T)
    units = [[(cells[y : y + r, x : x + r] * taps).sum() for x in range(m)] for y in range(m)]
    np.testing.assert_allclose(a.T @ product @ a, units, rtol=1e-12)
    product = (a @ grads @ a.T) * (bt @ cells @ bt.T)
    gradient = [[(cells[y : y + m, x : x + m] * grads).sum() for x in range(r)] for y in range(r)]
    np.testing.assert_allclose(g.T @ product @ g, gradient, rtol=1e-12)


@pytest.mark.parametrize(
    ("r", "padding", "sides"),
    [
        pytest.param(r, padding, sides, marks=[pytest.mark.slow][: (i, j) != (r % 3, (r + 1) % 3)])
        for r in KERNELS
        for i, sides in enumerate([(9, 10), (13, 9), (22, 9)])
        for j, padding in enumerate((0, r - 1, r))
    ],
)
@pytest.mark.usefixtures("tiled")
def test_filters_and_sides_of_all_kinds(r, padding, sides):
    torch.manual_seed(r)
    net = nn.Sequential(
        nn.Conv2d(2, 11, r, padding=padding), nn.Tanh(),
        nn.Conv2d(11, 3, r, padding=(r - 1, padding), bias=False), nn.Sigmoid(),
        nn.Flatten(), nn.LazyLinear(10),
    )  # fmt: skip
    net(torch.zeros(1, 2, *sides))
    images = batch((2, *sides), 11)
    loss, wanted = exact(net, images)
    engine = Engine(copy.deepcopy(net), (2, *sides), threads=2)
    measured, _ = images.step(engine, update=False)
    assert measured == pytest.approx(loss, rel=1e-5)
    assert distance(engine.gradients(), wanted) < 3e-6


@settings(max_examples=8, derandomize=True)
@given(stacks(), counts, seeds)
def test_any_stack_with_every_convolution_tiled(stack, count, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tiling, "plain_cycles", float("inf"))
        check(stack, count, seed, Target(8, 16))


@pytest.mark.usefixtures("tiled")
def test_tiles_stay_in_their_memory():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(3, 2, 5),
        nn.Flatten(),
        nn.LazyLinear(10),
    )
    net(torch.zeros(1, 2, 11, 14))
    engine = Engine(net, (2, 11, 14), target=Target(4, 16, checked=True))
    batch((2, 11, 14), 5).step(engine, update=False)  # raises where code leaves its memory


def test_both_ways_to_compute_a_step_agree():
    torch.manual_seed(0)
    net, images = create_model("tinyvgg"), batch((3, 32, 32), 16)
    engines = [Engine(copy.deepcopy(net), (3, 32, 32), tiles=tiles) for tiles in (True, False)]
    losses = [images.step(engine, update=False)[0] for engine in engines]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    tiled, plain = (engine.gradients() for engine in engines)
    assert 0 < distance(tiled, {name: piece.double() for name, piece in plain.items()}) < 5e-6


def test_a_layer_is_tiled_where_that_takes_fewer_cycles():
    def ways(net, shape):
        return set(make_plan(read_network(net, shape), lanes=8).tilings)

    width = nn.Sequential(nn.Conv2d(10, 10, 3, padding=1), nn.Conv2d(10, 10, 3, padding=1))
    flat = (nn.Flatten(), nn.LazyLinear(10))
    net = nn.Sequential(*width, *flat)
    net(torch.zeros(1, 10, 32, 32))
    assert ways(net, (10, 32, 32)) == {
        ("forward", 1), ("weights", 1), ("forward", 2), ("weights", 2), ("input", 2),
    }  # fmt: skip
    narrow = nn.Sequential(nn.Conv2d(1, 2, 3), *flat[:1], nn.LazyLinear(10))
    narrow(torch.zeros(1, 1, 32, 32))
    assert ways(narrow, (1, 32, 32)) == set()
    for layer in (
        nn.Conv2d(10, 10, 3, stride=2), nn.Conv2d(10, 10, 3, dilation=2),
        nn.Conv2d(10, 10, 3, groups=2), nn.Conv2d(10, 10, (3, 5)), nn.Conv2d(10, 10, 1),
        nn.Conv2d(10, 10, 7),
    ):  # fmt: skip
        net = nn.Sequential(layer, nn.Flatten(), nn.LazyLinear(10))
        net(torch.zeros(1, 10, 32, 32))
        assert ways(net, (10, 32, 32)) == set()
