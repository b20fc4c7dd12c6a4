"""Memory: nothing is overwritten while it is still read, halos are zero, and it is not too much."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convscope.lanes.engine import Engine
from convscope.lanes.frontend import read_network
from convscope.lanes.live_ranges import LiveRange, placed
from convscope.lanes.memory import Buffer, Halo
from convscope.lanes.plan import make_plan
from convscope.lanes.stages import HEAD
from convscope.zoo import create_model
from tests.lanes.networks import FEW, batch, network
from tests.lanes.spread import Spread


@st.composite
def live_ranges(draw):
    found = {}
    for number in range(draw(st.integers(1, 12))):
        shape = tuple(draw(st.integers(1, 5)) for _ in range(3))
        halo = Halo(*(draw(st.integers(0, 2)) for _ in range(4)))
        first = draw(st.integers(0, 10))
        found["value", number] = LiveRange(shape, halo, first, first + draw(st.integers(0, 6)))
    return found


@given(live_ranges(), st.integers(0, 50))
def test_what_lives_at_the_same_step_lies_apart(alive, start):
    buffers, end = placed(alive, start)
    assert buffers.keys() == alive.keys()
    assert end == max(buffer.start + buffer.size for buffer in buffers.values())
    used = {}
    for key, buffer in buffers.items():
        assert buffer.start >= start
        assert (buffer.shape, buffer.halo) == (alive[key].shape, alive[key].halo)
        for step in range(alive[key].first, alive[key].last + 1):
            cells = set(range(buffer.start, buffer.start + buffer.size))
            assert not cells & used.setdefault(step, set())
            used[step] |= cells


@given(st.integers(0, 9), st.tuples(*[st.integers(1, 5)] * 3), st.tuples(*[st.integers(0, 2)] * 4))
def test_units_and_halo_fill_a_buffer_and_no_two_share_an_address(start, shape, sides):
    buffer = Buffer(start, shape, Halo(*sides))
    channels, height, width = shape
    offsets = {
        buffer.view.at(c, y, x)
        for c in range(channels)
        for y in range(-sides[0], height + sides[2])
        for x in range(-sides[1], width + sides[3])
    }
    assert offsets == set(range(start, start + buffer.size))


def bits(engine, images, **how):
    loss, num_correct = images.step(engine, update=False, **how)
    return (
        loss,
        num_correct,
        torch.cat([g.reshape(-1).clone() for g in engine.gradients().values()]),
    )


def same(one, two):
    return one[:2] == two[:2] and torch.equal(one[2], two[2])


@pytest.mark.parametrize("name", FEW)
def test_memory_that_is_reused_gives_the_bits_of_memory_of_its_own(name, monkeypatch):
    net, shape = network(name)
    images = batch(shape, 21)
    reused = Engine(copy.deepcopy(net), shape, threads=1)
    spread = Spread(monkeypatch)
    own = Engine(copy.deepcopy(net), shape, threads=1)
    assert spread.plan.size * own.target.lanes > reused._workspace - 2064
    assert same(bits(reused, images), bits(own, images))


@pytest.mark.parametrize("name", FEW)
def test_nothing_is_read_that_the_step_has_not_written(name):
    net, shape = network(name)
    engine = Engine(net, shape, threads=2)
    images = batch(shape, 21)
    wanted = bits(engine, images)
    assert np.isfinite(wanted[0])
    engine._workspaces.fill(np.nan)
    engine._gradients.fill(np.nan)
    engine._kept.fill(np.nan)
    assert same(wanted, bits(engine, images))


@pytest.mark.parametrize("name", FEW)
def test_a_step_leaves_nothing_behind_for_the_next(name):
    net, shape = network(name)
    used, fresh = (Engine(copy.deepcopy(net), shape, threads=2) for _ in range(2))
    for seed, count in ((1, 40), (2, 3), (3, 17)):
        bits(used, batch(shape, count, seed=seed))
    images = batch(shape, 21)
    assert same(bits(used, images), bits(fresh, images))


@pytest.mark.parametrize(("name", "shape", "most"), [
    ("lenet5", (1, 32, 32), 830),
    ("tinyvgg", (3, 32, 32), 2204),
])  # fmt: skip
def test_a_workspace_of_eight_lanes_takes_no_more_kilobytes(name, shape, most):
    nodes = read_network(create_model(name), shape)
    plan = make_plan(nodes, lanes=8)
    assert plan.size * 8 * 4 / 1024 <= most
    largest = max(np.prod(node.shape) for node in nodes)
    assert plan.size >= HEAD + largest
