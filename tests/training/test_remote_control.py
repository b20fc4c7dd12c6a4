"""A training carries out the lab's commands, and ends with the bits of an undisturbed one."""

import itertools
import json
import signal
import time

import pytest

import convscope
from convscope.errors import Interrupted
from convscope.evaluation import batch_size
from convscope.runs.folder import Run
from convscope.runs.live_files import Live
from convscope.training import trainer
from convscope.training.callbacks import remote_control
from tests.forked import Forked
from tests.repetition import first_fast
from tests.simd import WIDTHS
from tests.training.small import Act, assert_same_bits, spied_states, train


@pytest.fixture(scope="module")
def evaluated_by_16(tmp_path_factory):
    """A run whose losses are those of batches of 16: other batches may round them otherwise."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_size, "LARGEST", 16)
        train(out)
    return out


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("step", first_fast(1, [4, 10, 20]))
def test_a_pause_and_a_stop_in_an_evaluation_change_no_bit(
    tmp_path, monkeypatch, evaluated_by_16, step
):
    """In the evaluation after epoch 1 or 2, or between two steps."""
    monkeypatch.setattr(batch_size, "LARGEST", 16)
    when = "training" if step % 10 else "evaluating"
    commands = iter(("pause", "resume", "stop"))

    def send(live, status):
        if status["step"] in (step, step + 1) and status["state"] in (when, "paused"):
            for name in itertools.islice(commands, 1):
                live.request(name)

    states = spied_states(monkeypatch, send)
    out = tmp_path / "run"
    with pytest.raises(Interrupted, match="from the lab") as caught:
        train(out)
    assert caught.value.status == 143
    assert "paused" in states
    assert states[states.index("paused") - 1] == when
    assert states[-1] == "stopped"
    now = Live(out).read_now()
    assert now["saved_step"] == now["step"] == step + 2 * (when == "training")
    convscope.resume(out)
    assert_same_bits(out, evaluated_by_16)


class Hours:
    """A clock on which every nap takes an hour, after which somebody resumes."""

    def __init__(self, live):
        self.live, self.slept = live, 0.0

    def perf_counter(self):
        return time.perf_counter() + self.slept

    def monotonic(self):
        return time.monotonic() + self.slept

    def sleep(self, _seconds):
        self.slept += 3600.0
        self.live.request("resume")


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("length", [dict(epochs=2), dict(epochs=1, max_minutes=0.03)], ids=str)
def test_the_hours_of_a_pause_are_not_time_of_training(tmp_path, monkeypatch, length):
    """One pause between two steps, one in an evaluation."""
    live = Live(tmp_path / "run")
    hours, commands = Hours(live), iter(["pause"])
    monkeypatch.setattr(remote_control, "time", hours)
    monkeypatch.setattr(trainer, "time", hours)
    monkeypatch.setattr(batch_size, "LARGEST", 16)

    def in_evaluation(live, status):
        for name in itertools.islice(commands, status["state"] == "evaluating"):
            live.request(name)

    states = spied_states(monkeypatch, in_evaluation)
    act = Act((5, lambda: live.request("pause")))
    train(tmp_path / "run", callbacks=[act], **length)
    assert hours.slept >= 7200
    befores = [before for before, state in itertools.pairwise(states) if state == "paused"]
    assert befores == ["training", "evaluating"]
    assert act.steps >= 10, "a training by minutes ended with the pause"
    assert live.read_now()["seconds"] < 3600
    assert live.read_step_history().column("seconds").sum() < 3600
    assert Run(tmp_path / "run").read_metrics()[0]["seconds"] < 3600
    assert any("Paused" in note for note in act.notes)


@pytest.mark.usefixtures("eager")
def test_old_and_unknown_commands_are_ignored(tmp_path, monkeypatch, undisturbed):
    out, live = tmp_path / "run", Live(tmp_path / "run")
    with pytest.raises(Interrupted):
        train(out, callbacks=[Act((7, lambda: live.request("stop")))])
    live.request("stop")  # to a training that has ended
    with monkeypatch.context() as patch:  # and even where it could not be deleted
        patch.setattr(Live, "begin", lambda _live: None)
        unknown = {"id": 1, "command": "stop at once"}
        leave = (9, lambda: (live.folder / "command.json").write_text(json.dumps(unknown)))
        convscope.resume(out, callbacks=[Act(leave)])
    assert_same_bits(out, undisturbed)


@pytest.mark.usefixtures("eager")
def test_a_command_saves(tmp_path):
    out, results = tmp_path / "run", []
    live = Live(out)
    save = (6, lambda: results.append(live.request("save")))
    train(out, callbacks=[Act(save, (8, lambda: results.append(live.read_now())))])
    number, now = results
    assert now["saved_step"] == 6
    assert now["acknowledged"] == number


DIGITS = ["digits", "--epochs", "16", "--batch-size", "16", "--checkpoint-seconds", "1000"]
DIGITS += [f"--simd-width={width}" for width in WIDTHS[-1:]]


def until(live, true, process):
    """The status once it is `true`."""
    end = time.monotonic() + 100
    while time.monotonic() < end:
        now = live.read_now()
        if now is not None and true(now):
            return now
        assert process.poll() is None, process.stdout + process.stderr
        time.sleep(0.02)
    pytest.fail(f"never came to be: {now}")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    out = tmp_path_factory.mktemp("uninterrupted") / "run"
    assert Forked("train", *DIGITS, "--out", out).wait() == 0
    return out


def test_another_process_pauses_goes_on_saves_and_stops(tmp_path, uninterrupted):
    out = tmp_path / "run"
    live, process = Live(out), Forked("train", *DIGITS, "--out", out)
    until(live, lambda now: now["step"] > 20, process)
    number = live.request("pause")
    paused = until(live, lambda now: now["acknowledged"] == number, process)
    assert paused["state"] == "paused"
    assert paused["saved_step"] == paused["step"]
    assert Run(out).read_state()[0].metadata["state"]["step"] == paused["step"]
    later = until(live, lambda now: now["updated_at"] > paused["updated_at"] + 0.7, process)
    assert (later["state"], later["step"]) == ("paused", paused["step"])
    live.request("resume")
    until(live, lambda now: now["step"] > paused["step"] + 20, process)
    number = live.request("save")
    saved = until(live, lambda now: now["acknowledged"] == number, process)
    assert saved["saved_step"] > paused["step"]
    live.request("stop")
    assert process.wait() == 143, process.stderr
    assert "Stopped from the lab" in process.stdout + process.stderr
    now = live.read_now()
    assert now["state"] == "stopped"
    assert now["message"].startswith("Stopped from the lab after step")
    assert Forked("resume", out).wait() == 0
    assert live.read_now()["state"] == "done"
    assert live.read_step_history().column("steps").sum() == now["steps"]
    assert_same_bits(out, uninterrupted)


@pytest.mark.parametrize("number", first_fast(1, [signal.SIGKILL, signal.SIGTERM]))
def test_a_signal_in_a_pause_changes_no_bit(tmp_path, uninterrupted, number):
    out = tmp_path / "run"
    live, process = Live(out), Forked("train", *DIGITS, "--out", out)
    until(live, lambda now: now["step"] > 20, process)
    live.request("pause")
    until(live, lambda now: now["state"] == "paused", process)
    process.signal(number)
    assert process.wait() == (143 if number == signal.SIGTERM else -number)
    state = "stopped" if number == signal.SIGTERM else "paused"  # a killed process writes nothing
    assert live.read_now()["state"] == state
    assert Forked("resume", out).wait() == 0
    assert_same_bits(out, uninterrupted)
