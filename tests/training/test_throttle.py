"""What accompanies a training takes at most 2% of its time, however long it takes each time."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from convscope.card import Card
from convscope.runs.live_files import Live
from convscope.runs.tensor_file import TensorFile
from convscope.training.batches import Batch
from convscope.training.callbacks.layer_stats import LayerStats, LayerStatsWriter
from convscope.training.callbacks.live_status import LiveStatus
from convscope.training.callbacks.throttle import Throttle
from convscope.training.config import TrainConfig
from convscope.training.executors.base import Inputs
from convscope.training.state import TrainState
from tests.repetition import first_fast

STEP = 0.01  # seconds
NOTHING = SimpleNamespace(save_checkpoint=None, limits=None, batches_per_epoch=1)


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.mark.parametrize(
    ("seconds", "work"), first_fast(1, [(0.2, 0.001), (1.0, 0.02), (1.0, 0.5), (0.5, 30.0)])
)
def test_work_takes_two_percent_at_most_and_is_done_as_often_as_that_allows(clock, seconds, work):
    throttle, begins, ends = Throttle(seconds), [], []
    while clock.now < 1000 + 20 * max(seconds, 50 * work):
        if throttle.is_due():
            begins.append(clock.now)
            clock.now += work
            throttle.done(begins[-1])
            ends.append(clock.now)
        clock.now += STEP
    pauses = np.array(begins[1:]) - np.array(ends[:-1])
    assert len(begins) > 15
    assert pauses.min() >= max(seconds, 50 * work) - 1e-6
    assert pauses.max() <= max(seconds, 50 * work) + 2 * STEP


@pytest.mark.parametrize("work", [0.05, 0.4])
def test_layer_statistics_take_two_percent_of_a_watched_training_at_most(
    clock, work, tmp_path, monkeypatch
):
    captured = []

    def capture(_stats, *_args, step, **_kwargs):
        clock.now += work
        captured.append(step)
        return TensorFile({"batch": torch.zeros(1)}, {"step": step})

    monkeypatch.setattr(Live, "is_watched", lambda _live, _what="watched": True)
    monkeypatch.setattr(LayerStats, "capture", capture)
    card = Card(
        classes=("a", "b"),
        input_size=(4, 4),
        in_channels=1,
        resize_mode="pad",
        mean=(0.0,),
        std=(1.0,),
    )
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    inputs = Inputs(None, card, torch.device("cpu"))
    writer = LayerStatsWriter(Live(tmp_path), network, inputs, TrainConfig(), notify=pytest.fail)
    state, began, steps = TrainState(), clock.now, 20_000
    writer.on_fit_start(state, NOTHING)
    pixels, both = torch.zeros(2, 4, 4, 1, dtype=torch.uint8), np.array([0, 1])
    batch = Batch(both, both, 0, lambda: pixels)
    for step in range(1, steps + 1):
        clock.now += STEP
        writer.on_step_end(state, SimpleNamespace(step=step, batch=batch, lr=0.1))
    share = len(captured) * work / (clock.now - began)
    assert len(captured) >= 3
    assert share < 0.021  # the first capture has no pause before it


def test_the_status_takes_two_percent_at_most_on_a_slow_disk(clock, tmp_path, monkeypatch):
    written = []

    def write(_live, values):
        clock.now += 0.3
        written.append(values)

    monkeypatch.setattr(Live, "write_now", write)
    status, began = LiveStatus(Live(tmp_path), SimpleNamespace()), clock.now
    for _ in range(20_000):
        clock.now += STEP
        status.on_step_end(TrainState(), SimpleNamespace())
    assert len(written) >= 3
    assert len(written) * 0.3 / (clock.now - began) < 0.021
