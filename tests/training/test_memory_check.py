"""What does not fit into memory is refused before the first epoch, in processes with a limit."""

import json
from unittest import mock

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope.errors import ConvscopeError, RequestError, WorkError
from convscope.memory import Available
from convscope.runs.folder import Run
from convscope.training import memory_check
from convscope.training.finish import naming_checkpoint
from tests.forked import FORKS
from tests.limits import limit_memory, needs_limits
from tests.training.small import Act

MEGABYTES = 1 << 20


class Wide(nn.Sequential):
    """Like a small VGG: 34 MB of weights, most of them in one layer; 2 MB kept per image.

    A pass in training mode takes `more` bytes beside it.
    """

    more = 0

    def __init__(self, num_classes: int = 2) -> None:
        super().__init__(
            nn.Conv2d(3, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(16),
            nn.Flatten(),
            nn.Linear(32 * 16 * 16, 1024),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(1024, num_classes),
        )

    def forward(self, images):
        if self.training:
            torch.empty(self.more, dtype=torch.uint8)
        return super().forward(images)


def data():
    images = np.random.default_rng(0).integers(0, 256, (160, 64, 64, 3), dtype=np.uint8)
    return images, np.arange(160) % 2


def train(out, **more):
    return convscope.train(
        data(),
        model=f"{__name__}:Wide",
        out=out,
        input_size=64,
        steps=2,
        val=0.125,
        test=0.125,
        engine="torch",
        device="cpu",
        progress=False,
        **more,
    )


def train_limited(out, megabytes, batch_size):
    """In a process of its own: train, and write what became of it beside the run."""
    limit_memory(megabytes * MEGABYTES)
    try:
        train(out, batch_size=batch_size)
        said = {"error": None}
    except ConvscopeError as error:
        said = {"error": type(error).__name__, "message": str(error)}
    out.with_suffix(".json").write_text(json.dumps({**said, "run": out.exists()}))


def outcome(out, megabytes, batch_size):
    process = FORKS.Process(target=train_limited, args=(out, megabytes, batch_size))
    process.start()
    process.join()
    assert process.exitcode == 0
    return json.loads(out.with_suffix(".json").read_text())


@needs_limits
def test_a_batch_that_does_not_fit_is_refused_with_one_that_does(tmp_path):
    refused = outcome(tmp_path / "large", 300, 120)
    assert refused["error"] == "RequestError"
    assert "batches of 120 images takes about" in refused["message"]
    assert "left by `ulimit -v`" in refused["message"]
    assert not refused["run"]
    proposed = int(refused["message"].rpartition("`batch_size=")[2].rstrip("`."))
    assert 1 <= proposed <= 64
    assert outcome(tmp_path / "proposed", 300, proposed) == {"error": None, "run": True}


def run_out_of_memory(out):
    """In a process of its own: a second step that takes more than is left."""

    def run_short():
        limit_memory(-64 * MEGABYTES)
        Wide.more = 1 << 30  # what was freed could be enough for another step as the first

    try:
        train(out, batch_size=8, checkpoint_seconds=0, callbacks=[Act((1, run_short))])
    except ConvscopeError as error:
        out.with_suffix(".json").write_text(json.dumps([type(error).__name__, str(error)]))


@needs_limits
def test_memory_that_runs_out_later_keeps_the_state_that_was_saved(tmp_path):
    out = tmp_path / "run"
    process = FORKS.Process(target=run_out_of_memory, args=(out,))
    process.start()
    process.join()
    assert process.exitcode == 0
    name, message = json.loads(out.with_suffix(".json").read_text())
    assert name == "WorkError"
    assert message.startswith("Out of memory")
    assert f"The last good state, after step 1, is kept in {out}" in message
    assert convscope.resume(out, data=data(), trust=True, progress=False).test.num_images == 20


def test_memory_that_runs_out_between_steps_is_told_too(tmp_path):
    told = r"^Out of memory: .* MB are .*`batch_size`"
    with pytest.raises(WorkError, match=told), naming_checkpoint(Run(tmp_path)):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
    with pytest.raises(RuntimeError, match=r"^shapes differ$"), naming_checkpoint(Run(tmp_path)):
        raise RuntimeError("shapes differ")


def test_beyond_what_the_machine_has_free_nothing_is_tried(tmp_path, monkeypatch):
    tried = []
    real = memory_check._step
    monkeypatch.setattr(
        memory_check,
        "_step",
        lambda task, executor, size: tried.append(size) or real(task, executor, size),
    )
    free = Available(150 * MEGABYTES, "free on this machine")
    monkeypatch.setattr(memory_check, "least_available", lambda: free)
    with pytest.raises(RequestError, match=r"are free on this machine. .* `batch_size=\d+`"):
        train(tmp_path / "run", batch_size=64)
    assert tried
    assert max(tried) < 64
    assert not (tmp_path / "run").exists()


def test_where_memory_is_plenty_nothing_is_measured(tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr(memory_check, "_loss", refuse)
    convscope.train("digits", out=tmp_path / "run", steps=1, engine="torch", progress=False)


def test_a_trial_leaves_no_trace(tmp_path, monkeypatch):
    train(tmp_path / "untried", batch_size=16)
    free = Available(120 * MEGABYTES, "left by `ulimit -v`", is_enforced=True)
    monkeypatch.setattr(memory_check, "least_available", lambda: free)
    with mock.patch.object(memory_check, "_step", wraps=memory_check._step) as tried:
        train(tmp_path / "tried", batch_size=16)
    assert tried.call_count == 1
    one, other = ((tmp_path / name / "model.safetensors") for name in ("untried", "tried"))
    assert one.read_bytes() == other.read_bytes()


def test_an_evaluation_goes_on_in_halves_where_memory_is_lacking():
    class Greedy(nn.Flatten):
        def forward(self, images):
            if len(images) > 3:
                raise MemoryError
            return super().forward(images)[:, :2]

    from convscope.evaluation.measure import compute_logits  # noqa: PLC0415

    images = torch.rand(10, 1, 2, 2)
    assert torch.equal(compute_logits(Greedy(), images, 2), images.flatten(1)[:, :2])
