"""A small training with everything that a state must hold in use, and what tests do with it."""

import hashlib
from pathlib import Path

import torch
from torch import nn

import convscope
from convscope.runs.folder import Run
from convscope.runs.live_files import Live
from convscope.runs.tensor_file import load_tensors
from convscope.training.callbacks.base import Callback

SETTINGS = dict(
    epochs=3,
    lr_schedule="plateau",
    lr_patience=0,
    checkpoint_seconds=1e6,
    batch_size=128,
    engine="torch",
)


class Net(nn.Sequential):
    """Dropout takes random numbers, batch norm keeps statistics."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__(
            nn.Conv2d(1, 4, 5, stride=2),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Flatten(),
            nn.Linear(4 * 14 * 14, num_classes),
        )


class Restless(Net):
    """Takes random numbers and counts its work in evaluation too."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__(num_classes)
        self.register_buffer("work", torch.zeros(()))

    def forward(self, images):
        self.work += 1
        return super().forward(images) + 0.01 * torch.rand(1) * self.work


class Act(Callback):
    """Does something after a step."""

    def __init__(self, *acts):
        self.acts, self.steps, self.notes = dict(acts), 0, []

    def on_message(self, event):
        self.notes.append(event.text)

    def on_step_end(self, state, event):
        self.steps += 1
        self.acts.get(event.step, lambda: None)()


def train(out, model="Net", **more):
    settings = {**SETTINGS, **more}
    if model in ("Net", "Restless"):
        settings |= dict(input_size=32, in_channels=1)
        model = f"{__name__}:{model}"
    return convscope.train("digits", out=out, model=model, **settings)


def state_of(run):
    return load_tensors(max((run / "last").glob("step-*")))


def digest_of_weights(run: Path) -> str:
    """What `sha256sum` says of the file."""
    return hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()


def assert_same_bits(first: Path, second: Path):
    assert digest_of_weights(first) == digest_of_weights(second)
    for mine, theirs in zip(
        (state_of(first), load_tensors(first / "model.safetensors")),
        (state_of(second), load_tensors(second / "model.safetensors")),
        strict=True,
    ):
        assert mine.tensors.keys() == theirs.tensors.keys()
        for key, tensor in mine.tensors.items():
            assert torch.equal(tensor, theirs.tensors[key]), f"{key} differs"
    times = ("seconds", "images_per_second")
    lines = [
        [{k: v for k, v in line.items() if k not in times} for line in Run(run).read_metrics()]
        for run in (first, second)
    ]
    assert lines[0] == lines[1]
    assert (first / "test.json").read_text() == (second / "test.json").read_text()


def spied_states(monkeypatch, then=lambda live, status: None):
    """The states of the live status, without repetitions; `then` is called after each write."""
    real, states = Live.write_now, []

    def write(live, status):
        if not states or states[-1] != status["state"]:
            states.append(status["state"])
        real(live, status)
        then(live, status)

    monkeypatch.setattr(Live, "write_now", write)
    return states
