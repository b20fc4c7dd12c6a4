"""fp16: the loss is scaled by PyTorch's own recipe; a step that overflows changes nothing."""

import os
import signal
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import convscope
from convscope.card import Card
from convscope.errors import RequestError, WorkError
from convscope.runs.folder import Run
from convscope.runs.tensor_file import TensorFile, load_tensors
from convscope.training.batches import Batch
from convscope.training.callbacks.loss_scaling import LossScaling
from convscope.training.callbacks.weight_averaging import ExponentialAveraging
from convscope.training.config import TrainConfig
from convscope.training.events import StepEnd
from convscope.training.executors.base import Inputs
from convscope.training.executors.eager import EagerExecutor
from convscope.training.limits import Limits
from convscope.training.loss import BatchLoss
from convscope.training.loss_scaler import LossScaler
from convscope.training.optimizer import Optimizer
from convscope.training.schedule import Schedule
from convscope.training.state import TrainState
from convscope.training.weight_average import WeightAverage
from tests.forked import FORKS
from tests.repetition import first_fast
from tests.training.small import Act, assert_same_bits, state_of, train
from tests.training.test_processes import PLAIN, finished, together, words_of

CPU = torch.device("cpu")
CARD = Card(
    classes=("a", "b", "c"),
    input_size=(12, 12),
    in_channels=3,
    resize_mode="crop",
    mean=(0.5,) * 3,
    std=(0.25,) * 3,
)
SCALER = torch.amp.GradScaler
HIGH = dict(init_scale=2.0**40, growth_interval=4)  # overflows at once, and again and again


@pytest.fixture
def high(monkeypatch):
    monkeypatch.setattr(torch.amp, "GradScaler", partial(SCALER, **HIGH))


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(800, 3)
    )


def batches(count, size=16):
    random = np.random.default_rng(0)
    for _ in range(count):
        pixels = torch.from_numpy(random.integers(0, 256, (size, 12, 12, 3), dtype=np.uint8))
        yield Batch(np.arange(size), random.integers(0, 3, size), 0, lambda p=pixels: p)


def executor(net, scaler, *, clip=0.0, **settings):
    optimizer = Optimizer(net, TrainConfig(**settings))
    return EagerExecutor(
        net, optimizer, Inputs(None, CARD, CPU), BatchLoss(CARD), clip_grad_norm=clip,
        precision="fp16", scaler=scaler,
    )  # fmt: skip


@pytest.mark.parametrize("clip", [0.0, 0.1])
@pytest.mark.usefixtures("high")
def test_steps_are_those_of_pytorchs_documented_loop_to_the_bit(clip):
    ours, theirs = network(), network()
    steps = executor(ours, LossScaler(CPU), clip=clip, weight_decay=0.01)
    optimizer = torch.optim.SGD(theirs.parameters(), 0.05, momentum=0.9, weight_decay=0.01)
    scaler, skipped = torch.amp.GradScaler("cpu"), 0
    for batch in batches(24):
        steps.step(TrainState(), batch, 0.05)
        images = steps.inputs.normalized(batch.pixels)
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.float16):
            output = theirs(images)
        scaler.scale(F.cross_entropy(output.float(), torch.from_numpy(batch.labels))).backward()
        scaler.unscale_(optimizer)
        if clip:
            nn.utils.clip_grad_norm_(theirs.parameters(), clip)
        before = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        assert steps.scaler.scale == scaler.get_scale()
        assert steps.scaler.was_skipped == (scaler.get_scale() < before)
        skipped += steps.scaler.was_skipped
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(mine, other)
    assert 5 < skipped < 24


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "rmsprop"])
@pytest.mark.usefixtures("high")
def test_an_overflow_skips_the_step_and_halves_the_scale(optimizer):
    net = network()
    steps = executor(net, LossScaler(CPU), optimizer=optimizer)
    kept = [*net.parameters(), *(v for values in steps.optimizer.state.values() for v in values)]
    before = [tensor.detach().clone() for tensor in kept]
    [batch] = batches(1)
    loss, _ = steps.step(TrainState(), batch, 0.05)
    assert np.isfinite(loss)
    assert steps.scaler.was_skipped
    assert steps.scaler.scale == 2.0**39
    assert all(map(torch.equal, kept, before))
    assert all(weight.grad is None for weight in net.parameters())
    while steps.scaler.was_skipped:
        steps.step(TrainState(), batch, 0.05)
    assert not any(map(torch.equal, net.parameters(), before))


def test_small_gradients_vanish_without_the_scale_and_are_there_with_it():
    found = []
    for scaler in (None, LossScaler(CPU)):
        net = nn.Sequential(nn.Flatten(), nn.Linear(432, 8), nn.Linear(8, 3))
        torch.manual_seed(0)
        nn.init.normal_(net[1].weight, std=0.01)
        nn.init.constant_(net[2].weight, 2e-8)
        nn.init.normal_(net[2].weight, std=1e-7)
        [batch] = batches(1)
        executor(net, scaler).step(TrainState(), batch, 0.0)
        found.append(net[1].weight.grad.abs().max().item())
    assert found[0] == 0
    assert 1e-9 < found[1] < 1e-5


def step_end(step):
    return StepEnd(step, 1, None, 1.0, 0, 0.1, 0.0)


def test_a_skipped_step_is_counted_told_and_no_step_of_an_average():
    scaler, notes, net = LossScaler(CPU), [], nn.Linear(2, 2)
    average = WeightAverage(net)
    calls = [LossScaling(scaler, notes.append), ExponentialAveraging(average, 0.999, scaler)]
    plain = WeightAverage(net)
    expected, state, other = ExponentialAveraging(plain, 0.999), TrainState(), TrainState()
    for step, was_skipped in enumerate([True, False, False, True, False], 1):
        scaler.was_skipped = was_skipped
        if not was_skipped:
            with torch.no_grad():
                net.weight.add_(1)
            other.step += 1
            expected.on_step_end(other, step_end(other.step))
        state.step += 1
        for callback in calls:
            callback.on_step_end(state, step_end(step))
    assert (state.skipped_steps, state.updates) == (2, 3)
    assert torch.equal(average.averages["weight"], plain.averages["weight"])
    assert len(notes) == 1
    assert "Step 1 was skipped" in notes[0]
    calls[0].on_fit_end(state, step_end(5))
    assert notes[1].startswith("2 of 5 steps were skipped")


def test_the_schedule_waits_for_skipped_steps_and_ends_where_it_should():
    limits, state, rates = Limits(steps=10), TrainState(), []
    schedule = Schedule(name="linear", peak=1.0, warmup=0.2, gamma=0.1, milestones=())
    for step in range(10):
        rates.append(schedule.lr(limits.progress(state)))
        state.step += 1
        state.skipped_steps += step in (0, 1)
    assert limits.progress(state) == 1
    assert limits.reached(state)
    assert rates[:3] == [0, 0, 0]  # the warm-up begins with the first step that is made
    plain = [schedule.lr(step / 8) for step in range(8)]
    assert rates[2:] == pytest.approx(plain)


def test_every_step_skipped_is_progress_of_none():
    state = TrainState(step=3, skipped_steps=3)
    assert Limits(steps=3).progress(state) == 0
    assert Limits(steps=3).reached(state)


@pytest.mark.slow
def test_the_loss_falls_as_in_float32(tmp_path):
    curves = {}
    for precision in ("float32", "fp16"):
        train(tmp_path / precision, precision=precision, lr_schedule="cosine")
        lines = Run(tmp_path / precision).read_metrics()
        curves[precision] = [line["train_loss"] for line in lines], lines[-1]["val_loss"]
    (exact, last), (found, ours) = curves["float32"], curves["fp16"]
    assert found == pytest.approx(exact, rel=0.06)  # a step or two of thirty are skipped
    assert ours == pytest.approx(last, rel=0.03)
    assert found != exact


SETTINGS = dict(
    precision="fp16",
    batch_size=64,
    accumulate=2,
    ema=0.99,
    clip_grad_norm=1.0,
    lr_schedule="one-cycle",
    checkpoint_seconds=0.0,
)


def train_high(*args, **how):
    scaled_high()
    train(*args, **how)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("step", first_fast(1, [7, 17]))
@pytest.mark.usefixtures("high")
def test_killed_it_resumes_to_the_same_bits_with_the_scale_that_it_had(tmp_path, step):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    act = Act()
    train(whole, callbacks=[act], **SETTINGS)
    assert any("Step 1 was skipped" in note for note in act.notes)
    state = state_of(whole)
    assert 3 < state.metadata["state"]["skipped_steps"] < 30
    assert state.tensors["scaler/scale"] < 2.0**38
    how = dict(callbacks=[Act((step, die))], **SETTINGS)
    process = FORKS.Process(target=train_high, args=(killed,), kwargs=how)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    convscope.resume(killed, trust=True)
    assert_same_bits(killed, whole)
    assert (
        state_of(killed).metadata["state"]["skipped_steps"]
        == (state.metadata["state"]["skipped_steps"])
    )


def test_a_scale_that_is_missing_or_none_is_refused(tmp_path):
    scaler = LossScaler(CPU)
    state = scaler.state_dict()
    for tensors in ({}, {**state, "scaler/scale": torch.tensor(0.0)},
                    {**state, "scaler/scale": torch.tensor(float("nan"))}):  # fmt: skip
        with pytest.raises(WorkError, match=r"no scale of the loss as `precision='fp16'`"):
            scaler.load(TensorFile(tensors, {}), where=tmp_path)
    state["scaler/scale"], state["scaler/growth_tracker"] = torch.tensor(8.0), torch.tensor(7)
    scaler.load(TensorFile(state, {}), where=tmp_path)
    assert scaler.state_dict() == state


class Root(nn.Sequential):
    """The root of 0, whose gradient is infinite at any scale."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__(nn.Flatten(), nn.Linear(1024, num_classes))

    def forward(self, images):
        return super().forward(images) + (self[1].weight * 0).sum().sqrt()


def test_gradients_that_no_scale_makes_finite_end_the_training(tmp_path):
    with pytest.raises(WorkError, match=r"Gradients are not finite at step 17 .*float32"):
        train(tmp_path / "run", model=f"{__name__}:Root", input_size=32, in_channels=1,
              precision="fp16")  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(engine="lanes"), r"`engine='lanes'` computes in float32 only"),
        (dict(model=f"{__name__}:Softmax", input_size=32, in_channels=1),
         r"probabilities in fp16 are too coarse for a loss: 0.9995 .*`precision='float32'`"),
        (dict(model=f"{__name__}:Double", input_size=32, in_channels=1),
         r"has parameters in float64, which are not converted to fp16"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_in_fp16_is_refused(tmp_path, settings, message):
    with pytest.raises(RequestError, match=message):
        train(tmp_path / "run", precision="fp16", **settings)
    assert not (tmp_path / "run").exists()


class Double(nn.Sequential):
    def __init__(self, num_classes: int = 10) -> None:
        super().__init__(nn.Flatten(), nn.Linear(1024, num_classes))
        self.double()


class Softmax(Double):
    def __init__(self, num_classes: int = 10) -> None:
        super().__init__(num_classes)
        self.float().append(nn.Softmax(1))


TOGETHER = dict(
    input_size=32, in_channels=1, epochs=1, batch_size=157, augment="crop-flip", threads=1, seed=3,
    precision="fp16", engine="torch", clip_grad_norm=1.0,
)  # fmt: skip


def scaled_high():
    torch.amp.GradScaler = partial(SCALER, **HIGH)


@pytest.mark.slow
@pytest.mark.usefixtures("high")
def test_two_processes_skip_the_steps_that_one_skips(tmp_path):
    convscope.train("digits", out=tmp_path / "one", model=PLAIN, **TOGETHER)
    two = together(*words_of(tmp_path / "two", PLAIN, **TOGETHER), prepare=scaled_high)
    assert finished(two) == [0, 0], [process.stderr for process in two]
    one, both = (state_of(tmp_path / name) for name in ("one", "two"))
    skipped = one.metadata["state"]["skipped_steps"]
    assert 0 < skipped <= 9
    assert both.metadata["state"]["skipped_steps"] == skipped
    assert both.tensors["scaler/scale"] == one.tensors["scaler/scale"]


def overflowing():
    """Let the loss overflow in the process of rank 1 alone, at its third step."""
    real, calls = LossScaler.scaled, []

    def scaled(self, loss):
        calls.append(loss)
        inf = os.environ["RANK"] == "1" and len(calls) == 3
        return real(self, loss) * (float("inf") if inf else 1)

    LossScaler.scaled = scaled


def test_an_overflow_in_one_process_skips_the_step_in_all(tmp_path):
    two = together(*words_of(tmp_path / "run", PLAIN, **TOGETHER), prepare=overflowing)
    assert finished(two) == [0, 0], [process.stderr for process in two]
    assert "Step 3 was skipped" in two[0].stdout
    assert state_of(tmp_path / "run").metadata["state"]["skipped_steps"] == 1
    assert load_tensors(tmp_path / "run" / "model.safetensors").tensors["0.weight"].isfinite().all()
