"""Checked code: an access outside of what its function may touch is caught, and there is none."""

import copy
from dataclasses import replace

import pytest
from torch import nn

from convscope.errors import WorkError
from convscope.lanes import codegen, forward
from convscope.lanes.engine import Engine
from convscope.lanes.jit import host_target
from convscope.lanes.memory import Halo
from tests.lanes.networks import FEW, batch, distance, exact, network
from tests.repetition import first_fast

CHECKED = host_target(checked=True)
CONVOLVED = ["residual", "padded, then dense", "dilation and rectangles", "global pooling"]


@pytest.mark.parametrize("name", FEW)
def test_no_network_leaves_its_memory_and_gradients_are_the_same(name):
    net, shape = network(name)
    images = batch(shape, 13)
    _, wanted = exact(net, images)
    engine = Engine(copy.deepcopy(net), shape, target=CHECKED, threads=2)
    images.step(engine, update=False)
    assert len(engine._outside) > 5
    assert distance(engine.gradients(), wanted) < 1e-5


def broken(monkeypatch, change):
    """Engines are written by a plan in which something was changed."""
    make_plan = codegen.make_plan

    def make_another(nodes, **how):
        plan = make_plan(nodes, **how)
        change(plan)
        return plan

    monkeypatch.setattr(codegen, "make_plan", make_another)


def step(name):
    net, shape = network(name)
    images = batch(shape, 5)
    engine = Engine(net, shape, target=CHECKED, threads=1)
    return engine, lambda: images.step(engine, update=False)


@pytest.mark.parametrize("name", first_fast(1, CONVOLVED))
def test_a_halo_that_is_too_small_is_caught_where_it_is_read(name, monkeypatch):
    def change(plan):
        value = next(v for v in plan.order if plan.values[v].halo.bottom)
        halo = plan.values[value].halo
        plan.values[value] = replace(plan.values[value], halo=replace(halo, bottom=0))

    broken(monkeypatch, change)
    _, go = step(name)
    with pytest.raises(WorkError, match=r"forward\d+ \(\d+ times\)"):
        go()


def test_a_halo_of_a_gradient_that_is_too_small_is_caught(monkeypatch):
    def change(plan):
        value = next(v for v, held in plan.gradients.items() if not held.is_plain)
        plan.gradients[value] = replace(plan.gradients[value], halo=Halo())

    broken(monkeypatch, change)
    _, go = step("padded, then dense")
    with pytest.raises(WorkError, match="input"):
        go()


def test_weights_beyond_a_layers_own_are_caught(monkeypatch):
    convolution = forward.Forward._convolution

    def moved(self, stage):
        spec = convolution(self, stage)
        return replace(spec, weights=spec.weights + spec.outs + 1)

    monkeypatch.setattr(forward.Forward, "_convolution", moved)
    _, go = step("padded, then dense")
    with pytest.raises(WorkError, match="forward"):
        go()


def test_what_was_caught_once_is_not_told_again(monkeypatch):
    with monkeypatch.context() as patch:
        broken(patch, lambda plan: plan.values.update({0: replace(plan.values[0], halo=Halo())}))
        engine, go = step("padded, then dense")
    counts = []
    for _ in range(2):
        with pytest.raises(WorkError) as error:
            go()
        counts.append(str(error.value))
    assert counts[0] == counts[1]
    assert not any(number.value for number in engine._outside.values())


def test_the_environment_asks_for_checks(monkeypatch):
    monkeypatch.setenv("CONVSCOPE_LANES_CHECK", "1")
    assert host_target().checked
    monkeypatch.setenv("CONVSCOPE_LANES_CHECK", "0")
    assert not host_target().checked


def test_code_that_is_not_checked_has_no_guards():
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 10))
    assert not Engine(net, (1, 2, 2), target=replace(CHECKED, checked=False))._outside
