"""A long training in float32 is told once what bf16 would bring, and is otherwise as without."""

from itertools import cycle

import pytest

import convscope
from convscope.training import bf16_trial
from tests.training.small import Act, digest_of_weights, train


@pytest.fixture
def trials(monkeypatch):
    """Every training is long enough for a trial. Which precisions were tried."""
    tried = []
    real = bf16_trial._Trial.seconds

    def seconds(trial, *, bf16):
        tried.append(bf16)
        return real(trial, bf16=bf16)

    monkeypatch.setattr(bf16_trial, "instructions", lambda precision: "AMX")
    monkeypatch.setattr(bf16_trial._Trial, "seconds", seconds)
    monkeypatch.setattr(bf16_trial, "_LONG", 0.0)
    monkeypatch.setattr(bf16_trial, "_SHARE", 1e9)
    monkeypatch.setattr(bf16_trial, "_WORTH", 0.0)
    return tried


def notes_of(out, **how):
    act = Act()
    train(out, steps=2, callbacks=[act], progress=False, **how)
    return [note for note in act.notes if "bf16" in note]


def test_a_trial_is_told_once_and_leaves_no_trace(tmp_path, trials):
    [note] = notes_of(tmp_path / "tried")
    assert "With `precision='bf16'`, forward and backward passes would be" in note
    assert trials == [False, True] * 4
    assert notes_of(tmp_path / "chosen", precision="float32") == []
    assert digest_of_weights(tmp_path / "tried") == digest_of_weights(tmp_path / "chosen")
    convscope.resume(tmp_path / "tried", steps=3, trust=True, progress=False)
    assert trials == [False, True] * 4


@pytest.mark.parametrize(("name", "value", "tried"), [("_SHARE", 0.02, 0), ("_LONG", 1e9, 1)])
def test_a_short_training_is_not_delayed(tmp_path, trials, monkeypatch, name, value, tried):
    monkeypatch.setattr(bf16_trial, name, value)
    assert notes_of(tmp_path / "run") == []
    assert trials == [False] * tried


@pytest.mark.parametrize(
    ("float32", "bf16", "told"), [([9, 5, 3, 4], [9, 2, 4, 2.5], "1.5"), ([9, 2], [9, 1.8], "")]
)
@pytest.mark.usefixtures("trials")
def test_the_least_of_the_timed_passes_count(tmp_path, monkeypatch, float32, bf16, told):
    given = {False: cycle(float32), True: cycle(bf16)}
    monkeypatch.setattr(bf16_trial, "_WORTH", 1.2)
    monkeypatch.setattr(bf16_trial._Trial, "seconds", lambda _, *, bf16: next(given[bf16]))
    notes = notes_of(tmp_path / "run")
    assert [f"would be {told} times as fast" in note for note in notes] == [True] * bool(told)
