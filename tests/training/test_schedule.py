"""Learning rates against PyTorch's own schedulers, step by step."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import lr_scheduler as peers

from convscope.training.schedule import Plateau, Schedule

STEPS = 200


def ours(name, *, warmup=0.0, milestones=(0.5, 0.75)):
    return Schedule(name=name, peak=0.4, warmup=warmup, gamma=0.1, milestones=milestones)


def rates(make_scheduler, steps=STEPS):
    """The rate at each step of one of PyTorch's schedulers."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.4)
    scheduler, seen = make_scheduler(optimizer), []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


PEERS = {
    "constant": lambda o: peers.LambdaLR(o, lambda _: 1.0),
    "cosine": lambda o: peers.CosineAnnealingLR(o, STEPS),
    "linear": lambda o: peers.PolynomialLR(o, STEPS, power=1.0),
    "step": lambda o: peers.MultiStepLR(o, [100, 150], gamma=0.1),
}


@pytest.mark.parametrize("name", PEERS)
def test_rates_are_those_of_pytorch(name):
    mine = [ours(name).lr(step / STEPS) for step in range(STEPS)]
    assert mine == pytest.approx(rates(PEERS[name]), rel=1e-6)


@pytest.mark.parametrize("steps", [4, 5, 10, 30, 200])
def test_one_cycle_is_pytorchs_at_every_step_also_in_short_trainings(steps):
    schedule = replace(ours("one-cycle"), step=1 / steps)
    theirs = rates(lambda o: peers.OneCycleLR(o, 0.4, steps, cycle_momentum=False), steps)
    mine = [schedule.lr(step / steps) for step in range(steps)]
    assert mine == pytest.approx(theirs, rel=1e-6, abs=1e-12)
    assert mine[-1] == pytest.approx(0.4 / 250_000)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_one_cycle_of_hardly_any_steps_begins_at_the_peak(steps):
    assert replace(ours("one-cycle"), step=1 / steps).lr(0) == pytest.approx(0.4)


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=40), st.integers(0, 5))
def test_plateau_divides_when_pytorchs_does(losses, patience):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.4)
    peer = peers.ReduceLROnPlateau(optimizer, factor=0.1, patience=patience, threshold=0, eps=0)
    plateau, schedule = Plateau(), ours("plateau")
    for loss in losses:
        plateau.step(loss, patience=patience)
        peer.step(loss)
        expected = optimizer.param_groups[0]["lr"]
        assert schedule.lr(0.5, num_reductions=plateau.num_reductions) == pytest.approx(
            expected, rel=1e-6
        )


@given(
    st.sampled_from(["constant", "cosine", "linear", "one-cycle", "step", "plateau"]),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_no_rate_is_negative_or_above_the_peak(name, warmup, progress):
    assert 0 <= ours(name, warmup=warmup).lr(progress) <= 0.4 * (1 + 1e-12)


def test_warm_up_rises_linearly_to_the_peak():
    schedule = ours("cosine", warmup=0.1)
    assert [schedule.lr(t) for t in (0, 0.025, 0.05, 0.1)] == pytest.approx([0, 0.1, 0.2, 0.4])
