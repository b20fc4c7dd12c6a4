"""The loop against arithmetic by hand: no network, no files, no process."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.card import Card
from convscope.data.loading import MemoryBatchSource
from convscope.errors import RequestError, WorkError
from convscope.training.batches import Batch
from convscope.training.callbacks.base import STAGES, Callback, CallbackError, CallbackList
from convscope.training.callbacks.early_stopping import EarlyStopping
from convscope.training.config import TrainConfig
from convscope.training.executors.base import Inputs
from convscope.training.executors.eager import EagerExecutor
from convscope.training.limits import Limits
from convscope.training.loss import BatchLoss
from convscope.training.optimizer import Optimizer
from convscope.training.state import TrainState
from convscope.training.trainer import Trainer, Validation
from tests.reference.gradients import finite_differences


class Halving:
    """Loss 1, 1/2, 1/4 ... and one image right: an executor that a test computes in its head."""

    name = "torch"
    network = nn.Identity()

    def __init__(self):
        self.seen = []

    def step(self, state, batch, lr):
        self.seen.append((state.epoch, batch.indices.tolist(), lr))
        return 0.5 ** (len(self.seen) - 1), 1


class Batches:
    """Two images, then one, in every epoch."""

    def __len__(self):
        return 2

    def __call__(self, epoch, start=0):
        for indices in ([0, 1], [2])[start:]:
            yield Batch(np.array(indices), np.zeros(len(indices), int), epoch, torch.empty)


class Losses:
    """Validation losses, one after the other."""

    num_images = 4

    def __init__(self, *losses):
        self.losses = iter(losses)

    def __call__(self, on_batch):
        on_batch(3)
        on_batch(1)
        return Validation({"loss": next(self.losses), "top1": 0.5})


class Log(Callback):
    """The stages in the order in which they are called."""

    def __init__(self):
        self.stages = []

    def on_fit_start(self, state, event):
        self.stages.append("fit start")

    def on_epoch_start(self, state, event):
        self.stages.append(f"epoch {event.epoch}")

    def on_step_end(self, state, event):
        self.stages.append(f"step {event.step}")

    def on_evaluation_batch_end(self, state, event):
        self.stages.append(f"{event.num_images} images")

    def on_validation_end(self, state, event):
        self.stages.append(f"validated {event.metrics['loss']}")

    def on_epoch_end(self, state, event):
        self.stages.append(f"loss {event.metrics['train_loss']}")

    def on_fit_end(self, state, event):
        self.stages.append(f"fit end {event.stop_reason}".strip())

    def on_exception(self, state, event):
        self.stages.append(type(event.error).__name__)


def trainer(*callbacks, steps=4, executor=None, **more):
    return Trainer(
        executor or Halving(),
        Batches(),
        lr=lambda state: 10 - state.step,
        limits=Limits(steps=steps),
        callbacks=callbacks,
        **more,
    )


def test_every_step_has_the_learning_rate_of_its_number():
    executor = Halving()
    state = trainer(executor=executor).fit()
    assert executor.seen == [(0, [0, 1], 10), (0, [2], 9), (1, [0, 1], 8), (1, [2], 7)]
    assert (state.step, state.epoch, state.done) == (4, 2, True)


def test_the_history_has_the_means_over_images():
    state = trainer(validate=Losses(3.0, 2.0)).fit()
    assert [line["train_loss"] for line in state.history] == [2.5 / 3, (2 * 0.25 + 0.125) / 3]
    assert [line["train_top1"] for line in state.history] == [2 / 3] * 2
    assert [line["val_loss"] for line in state.history] == [3.0, 2.0]
    assert [(line["epoch"], line["step"], line["lr"]) for line in state.history] == [
        (1, 2, 8),
        (2, 4, 6),
    ]


def test_stages_come_in_their_order():
    log = Log()
    trainer(log, steps=3, validate=Losses(3.0, 2.0)).fit()
    assert log.stages == [
        "fit start",
        *("epoch 1", "step 1", "step 2", "3 images", "1 images", "validated 3.0"),
        f"loss {2.5 / 3}",
        *("epoch 2", "step 3", "3 images", "1 images", "validated 2.0", "loss 0.25"),
        "fit end",
    ]


def test_a_callback_stops_after_the_step_at_which_it_asked():
    class StopAtLoss(Callback):
        def on_step_end(self, state, event):
            if event.loss <= 0.25:
                state.stop("low enough")

    log = Log()
    state = trainer(StopAtLoss(), log, steps=100, validate=Losses(3.0, 2.0)).fit()
    assert (state.step, state.epoch, state.stop_reason) == (3, 2, "low enough")
    assert log.stages[-3:] == ["validated 2.0", "loss 0.25", "fit end low enough"]


def test_a_stop_between_two_epochs_adds_no_empty_epoch():
    class StopAtSecond(Callback):
        def on_epoch_start(self, state, event):
            if event.epoch == 2:
                state.stop("one is enough")

    executor, log = Halving(), Log()
    state = trainer(StopAtSecond(), log, steps=100, executor=executor).fit()
    assert (len(executor.seen), state.epoch, len(state.history)) == (2, 1, 1)
    assert state.done
    assert log.stages[-2:] == ["epoch 2", "fit end one is enough"]


def test_a_training_that_was_asked_to_stop_and_then_killed_makes_no_further_step():
    class StopAtThird(Callback):
        def on_step_end(self, state, event):
            if event.step == 3:
                state.stop("three are enough")

    class Kill(Callback):
        def on_evaluation_batch_end(self, state, event):
            if state.stop_reason:
                raise KeyboardInterrupt

    broken = trainer(StopAtThird(), Kill(), steps=100, validate=Losses(3.0, 2.0))
    with pytest.raises(KeyboardInterrupt):
        broken.fit()
    state, executor = TrainState(), Halving()
    state.load_state_dict(broken.state.state_dict())
    trainer(executor=executor, steps=100, validate=Losses(2.0), state=state).fit()
    assert executor.seen == []
    assert (state.step, state.epoch, state.stop_reason) == (3, 2, "three are enough")


def test_the_first_reason_to_stop_is_kept():
    state = TrainState()
    state.stop("one")
    state.stop("two")
    assert state.stop_reason == "one"


def test_early_stopping_counts_epochs_without_improvement():
    class Count(Callback):
        def on_epoch_end(self, state, event):
            state.epochs_without_improvement = state.epoch - 1

    state = trainer(Count(), EarlyStopping(metric="top1", patience=2), steps=100).fit()
    assert (state.epoch, state.stop_reason) == (3, "no better top1 for 2 epochs")


@pytest.mark.parametrize("stage", ["on_fit_start", "on_step_end", "on_epoch_end", "on_fit_end"])
def test_a_failing_callback_is_named_with_its_stage(stage):
    class Broken(Callback):
        pass

    def fail(*_arguments):
        raise KeyError("x")

    setattr(Broken, stage, fail)
    log = Log()
    with pytest.raises(CallbackError, match=rf"Broken\.{stage} raised KeyError: 'x'") as caught:
        trainer(log, Broken()).fit()
    assert isinstance(caught.value.__cause__, KeyError)
    assert log.stages[-1] == "CallbackError"


@pytest.mark.parametrize(
    ("error", "text"),
    [(AssertionError(), "AssertionError."), (ValueError("No."), "ValueError: No.")],
)
def test_the_error_of_a_callback_ends_as_a_sentence(error, text):
    class Broken(Callback):
        def on_step_end(self, state, event):
            raise error

    with pytest.raises(CallbackError) as caught:
        trainer(Broken()).fit()
    assert str(caught.value).endswith(f" raised {text}")


def test_what_is_no_callback_is_refused():
    for given, match in (
        (Log(), "must be a list of callbacks, not <"),
        (None, "must be a list of callbacks, not None"),
        ([Log], r"not the class Log. Did you mean Log\(...\)\?"),
        ([print], "subclass of convscope.Callback, not <built-in function print>"),
    ):
        with pytest.raises(RequestError, match=f"^callbacks .*{match}"):
            CallbackList(given)


def test_an_error_of_ours_and_an_interrupt_pass_a_callback_as_they_are():
    for error in (WorkError("no space"), KeyboardInterrupt()):

        class Raises(Callback):
            def on_step_end(self, state, event, error=error):
                raise error

        with pytest.raises(type(error)) as caught:
            trainer(Raises()).fit()
        assert caught.value is error
        if isinstance(error, WorkError):
            [note] = error.__notes__
            assert note.endswith("Raises.on_step_end.")


def test_a_failure_in_on_exception_is_a_note_on_the_first_error():
    class Broken(Callback):
        def on_step_end(self, state, event):
            raise ValueError("first")

        def on_exception(self, state, event):
            raise ValueError("second")

    with pytest.raises(CallbackError, match="first") as caught:
        trainer(Broken()).fit()
    assert "second" in caught.value.__notes__[0]


def test_a_state_goes_on_where_it_was_saved():
    first, second = Halving(), Halving()

    class Cut(Callback):
        def on_step_end(self, state, event):
            if event.step == 3:
                raise KeyboardInterrupt

    broken = trainer(Cut(), executor=first)
    with pytest.raises(KeyboardInterrupt):
        broken.fit()
    state = TrainState()
    state.load_state_dict(broken.state.state_dict())
    trainer(executor=second, state=state).fit()
    assert first.seen + second.seen == [
        (0, [0, 1], 10),
        (0, [2], 9),
        (1, [0, 1], 8),
        (1, [2], 7),
    ]


def test_a_training_by_time_ends_after_so_many_seconds():
    class Slow(Halving):
        def step(self, state, batch, lr):
            state.paused_seconds -= 10.0  # as if the step had taken ten seconds
            return super().step(state, batch, lr)

    timed = Trainer(Slow(), Batches(), lr=lambda _state: 0.1, limits=Limits(seconds=25.0))
    state = timed.fit()
    assert state.step == 3
    assert 30 <= state.seconds < 40


def test_a_limit_is_in_steps_or_in_seconds():
    for limits in ({}, dict(steps=1, seconds=1.0)):
        with pytest.raises(ValueError, match="one limit"):
            Limits(**limits)


def test_a_stage_that_is_not_implemented_is_not_called():
    callbacks = CallbackList([Callback(), Log()])
    called = {stage: len(methods) for stage, methods in callbacks._methods.items()}
    assert list(called) == list(STAGES)
    assert called["on_step_end"] == 1
    assert called["on_message"] == called["on_checkpoint"] == 0


class Tensors:
    """All of ten images in one batch."""

    def __init__(self, pixels, labels):
        self.pixels, self.labels = pixels, labels

    def __len__(self):
        return 1

    def __call__(self, epoch, start=0):
        yield from [Batch(np.arange(10), self.labels, epoch, lambda: self.pixels)][start:]


class Tokens(nn.Module):
    """Maps behind a normalization, read as tokens."""

    def __init__(self, norm):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(1, 3, 2, bias=False), norm
        self.head = nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 2))

    def forward(self, images):
        maps = self.norm(self.convolution(images))
        return self.head(maps.flatten(2).permute(2, 0, 1)).square().mean(0)


@pytest.mark.parametrize("norm", [nn.BatchNorm2d, nn.InstanceNorm2d])
@pytest.mark.parametrize("count", [1, 2])
def test_a_step_goes_down_the_slope_also_with_one_image_read_as_tokens(count, norm):
    torch.manual_seed(0)
    network = Tokens(norm(3, affine=True))
    for weight in network.parameters():
        nn.init.normal_(weight)
    exact = deepcopy(network).double()
    card = Card(
        classes=("even", "odd"),
        input_size=(4, 4),
        in_channels=1,
        resize_mode="stretch",
        mean=(0.5,),
        std=(0.25,),
    )
    inputs = Inputs(None, card, torch.device("cpu"))
    optimizer = Optimizer(network, TrainConfig(momentum=0.0, weight_decay=0.0))
    executor = EagerExecutor(network, optimizer, inputs, BatchLoss(card))
    pixels, labels = torch.randint(0, 256, (count, 4, 4, 1), dtype=torch.uint8), np.arange(count)
    before = [weight.detach().clone() for weight in network.parameters()]
    executor.step(TrainState(), Batch(labels, labels, 0, lambda: pixels), 0.01)

    images = inputs.normalized(pixels).double()

    def loss(_):
        return F.cross_entropy(exact(images), torch.from_numpy(labels))

    for weight, old, subject in zip(network.parameters(), before, exact.parameters(), strict=True):
        slope = finite_differences(loss, subject.detach())
        assert torch.allclose((old - weight).double() / 0.01, slope, rtol=1e-2, atol=1e-3)


def test_a_tiny_network_and_ten_tensors_train_as_plain_pytorch_does():
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (10, 4, 4, 1), dtype=torch.uint8)
    labels = np.arange(10) % 2
    card = Card(
        classes=("even", "odd"),
        input_size=(4, 4),
        in_channels=1,
        resize_mode="stretch",
        mean=(0.5,),
        std=(0.25,),
    )
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    weight = network[1].weight.detach().clone().requires_grad_()
    bias = network[1].bias.detach().clone().requires_grad_()
    inputs = Inputs(MemoryBatchSource(pixels), card, torch.device("cpu"), channels_last=False)
    optimizer = Optimizer(network, TrainConfig(momentum=0.0, weight_decay=0.0))
    executor = EagerExecutor(network, optimizer, inputs, BatchLoss(card))
    state = Trainer(
        executor, Tensors(pixels, labels), lr=lambda _state: 0.5, limits=Limits(steps=3)
    ).fit()

    images = ((pixels.float() / 255 - 0.5) / 0.25).permute(0, 3, 1, 2).flatten(1)
    losses = []
    for _ in range(3):
        loss = F.cross_entropy(images @ weight.T + bias, torch.from_numpy(labels))
        slopes = torch.autograd.grad(loss, (weight, bias))
        with torch.no_grad():
            weight -= 0.5 * slopes[0]
            bias -= 0.5 * slopes[1]
        losses.append(loss.item())
    assert [line["train_loss"] for line in state.history] == pytest.approx(losses, rel=1e-5)
    assert torch.allclose(network[1].weight, weight, atol=1e-6)
    logits = executor.logits(np.array([3, 1]), lambda count: None)
    assert torch.allclose(logits, (images @ weight.T + bias)[[3, 1]], atol=1e-5)
