"""A learning rate that is changed while a training runs is a part of the run."""

import itertools

import pytest

import convscope
from convscope.errors import Interrupted
from convscope.runs.folder import Run
from convscope.runs.live_files import Live
from convscope.training.callbacks.base import Callback
from convscope.training.learning_rate import LearningRate
from convscope.training.limits import Limits
from convscope.training.schedule import Schedule
from convscope.training.state import TrainState
from tests.training.small import Act, assert_same_bits, state_of, train


def schedule(name="constant", peak=0.05, warmup=0.0):
    return Schedule(name=name, peak=peak, warmup=warmup, gamma=0.1, milestones=(0.5,))


@pytest.mark.parametrize("name", ["constant", "cosine", "linear", "step", "one-cycle", "plateau"])
def test_the_next_step_has_exactly_the_rate_and_the_schedule_goes_on_in_proportion(name):
    state, plain = TrainState(step=20), schedule(name)
    lr = LearningRate(plain, Limits(steps=100))
    before = lr(state)
    assert before == plain.lr(0.2)
    assert lr.change(state, 0.012) == before
    assert lr(state) == 0.012
    state.step = 70
    ratio = 0.012 / plain.lr(0.2)
    assert lr(state) == pytest.approx(ratio * plain.lr(0.7), rel=1e-12)
    assert lr.change(state, 0.5) == pytest.approx(ratio * plain.lr(0.7), rel=1e-12)
    assert lr(state) == 0.5
    assert [(one["step"], one["lr"]) for one in state.lr_changes] == [(20, 0.012), (70, 0.5)]
    again = TrainState()
    again.load_state_dict(state.state_dict())
    assert lr(again) == lr(state)


def test_a_rate_of_nothing_cannot_be_changed_in_proportion():
    state, lr = TrainState(), LearningRate(schedule(warmup=0.5), Limits(steps=100))
    assert lr(state) == 0
    assert lr.change(state, 0.1) is None
    assert state.lr_changes == []


def test_a_state_of_an_earlier_version_has_no_changes():
    saved = TrainState(step=3).state_dict()
    del saved["lr_changes"]
    state = TrainState(lr_changes=[{"step": 1, "before": 1.0, "lr": 2.0, "scheduled": 1.0}])
    state.load_state_dict(saved)
    assert (state.step, state.lr_changes) == (3, [])


class Rates(Callback):
    """The rate of every step."""

    def __init__(self):
        self.of = {}

    def on_step_end(self, state, event):
        self.of[event.step] = event.lr


@pytest.fixture
def prompt(monkeypatch):
    """Commands are looked for after every step."""
    monkeypatch.setattr("convscope.training.callbacks.throttle.Throttle.is_due", lambda _: True)


@pytest.mark.usefixtures("eager", "prompt")
def test_a_changed_rate_survives_a_stop_to_the_bit_and_is_told_where_people_look(tmp_path):
    """Ten steps an epoch: changed after steps 5 and 14, stopped after 22 and resumed."""
    runs = {}
    for name, stops in (("whole", False), ("stopped", True)):
        out = tmp_path / name
        live, rates = Live(out), Rates()
        acts = {
            5: lambda live=live: live.request("lr", 0.004),
            14: lambda live=live: live.request("lr", 0.001),
        }
        if stops:
            acts[22] = lambda live=live: live.request("stop")
        act = Act(*acts.items())
        if stops:
            with pytest.raises(Interrupted):
                train(out, warmup_epochs=0, callbacks=[act, rates])
            convscope.resume(out, callbacks=[rates])
        else:
            train(out, warmup_epochs=0, callbacks=[act, rates])
        runs[name] = out, rates.of, act.notes
    (whole, rates, notes), (stopped, again, _) = runs["whole"], runs["stopped"]
    assert_same_bits(stopped, whole)
    assert rates == again
    changes = [step for (step, a), (_, b) in itertools.pairwise(rates.items()) if a != b]
    assert changes == [5, 14]
    assert (rates[6], rates[15]) == (0.004, 0.001)
    assert any("changed from 0.1 to 0.004 from the lab after step 5;" in note for note in notes)
    metrics = Run(whole).read_metrics()
    assert metrics[0]["lr_changes"] == "0.1 to 0.004 after step 5"
    assert metrics[1]["lr_changes"] == "0.004 to 0.001 after step 14"
    assert "lr_changes" not in metrics[2]
    assert Live(whole).read_now()["lr_changes"].endswith("0.004 to 0.001 after step 14")
    assert "0.1 to 0.004 after step 5" in (whole / "report.html").read_text("utf-8")
    assert "after step 14" in (whole / "log.txt").read_text("utf-8")
    assert [one["step"] for one in state_of(whole).metadata["state"]["lr_changes"]] == [5, 14]


@pytest.mark.usefixtures("eager", "prompt")
def test_a_training_without_commands_has_other_bits(tmp_path, undisturbed):
    out = tmp_path / "run"
    train(out, callbacks=[Act((5, lambda: Live(out).request("lr", 0.004)))])
    with pytest.raises(AssertionError):
        assert_same_bits(out, undisturbed)
