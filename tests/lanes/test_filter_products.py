"""Gradients of filters with maps in the lanes: exact, in their own memory, where it pays."""

import copy

import pytest
import torch
from torch import nn

from convscope.lanes.engine import Engine
from convscope.lanes.frontend import read_network
from convscope.lanes.jit import fast_targets, host_targets
from convscope.lanes.plan import make_plan
from convscope.lanes.program import Program
from tests.lanes.networks import batch, distance, exact
from tests.repetition import first_fast

# maps before and after, kernel, sides: whole tiles, tiles beyond both edges, several in a row
CASES = [(16, 48, 3, (8, 8)), (32, 16, 4, (7, 11)), (32, 32, 3, (5, 38))]
CHECKED = CASES[0]
WIDTHS = [target.lanes for target in fast_targets()]


def net_of(ins, outs, kernel, sides):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, ins, 1), nn.ReLU(), nn.Conv2d(ins, outs, kernel, padding=kernel // 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(outs, 10),
    ), (2, *sides)  # fmt: skip


@pytest.mark.parametrize(
    ("case", "lanes"),
    first_fast(
        1, [*((CHECKED, lanes) for lanes in WIDTHS), (CASES[1], WIDTHS[-1]), (CASES[2], WIDTHS[0])]
    ),
)
def test_gradients_are_those_of_float64_and_of_sums_over_images_last(case, lanes):
    net, shape = net_of(*case)
    assert make_plan(read_network(net, shape), lanes=lanes).by_maps
    images = batch(shape, 21)
    _, wanted = exact(net, images)
    found = []
    for turns in (True, False):
        own = copy.deepcopy(net)
        target = host_targets(checked=turns and case == CHECKED)[lanes]
        program = Program(own, shape, target=target, turns=turns)
        engine = Engine(own, shape, program=program, threads=2)
        for _ in range(2):
            images.step(engine, update=False)
        found.append(engine.gradients()["2.weight"].clone())
        assert distance(engine.gradients(), wanted) < 1e-5
    assert not torch.equal(*found)


@pytest.mark.parametrize(
    ("case", "by_maps"),
    [
        ((16, 16, 3, (32, 32)), False),  # their sums stay in the cache as vectors
        ((64, 64, 3, (8, 8)), True),
        ((40, 64, 3, (8, 8)), False),  # they fill no vectors of 16
        ((64, 64, 1, (8, 8)), False),
    ],
)
def test_it_is_done_where_it_pays(case, by_maps):
    nodes = read_network(*net_of(*case))
    assert bool(make_plan(nodes, lanes=16).by_maps) is by_maps
    assert not make_plan(nodes, lanes=16, turns=False).by_maps
