"""The training loop. Files, terminals, signals and pages are the callbacks' business."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

from convscope.evaluation.measure import EvaluationOutputs
from convscope.training.batches import Batch
from convscope.training.callbacks.base import Callback, CallbackList
from convscope.training.events import (
    CheckpointEvent,
    EpochEnd,
    EpochStart,
    EvaluationBatchEnd,
    EvaluationStart,
    FitEnd,
    FitStart,
    StepEnd,
    ValidationEnd,
)
from convscope.training.executors.base import Executor
from convscope.training.limits import Limits
from convscope.training.metrics import epoch_line, validation_columns
from convscope.training.nonfinite import nonfinite_error
from convscope.training.state import TrainState


class EpochBatches(Protocol):
    """The batches of every epoch."""

    def __len__(self) -> int:
        """Batches per epoch."""
        ...

    def __call__(self, epoch: int, start: int) -> Iterable[Batch]:
        """The batches of an epoch, both counted from 0, from number `start` on."""
        ...


@dataclass(frozen=True)
class Validation:
    """How good the network is after an epoch.

    Attributes:
        metrics: by name, `loss` among them.
        outputs: what each image got, for callbacks that want to know.
    """

    metrics: dict[str, float]
    outputs: EvaluationOutputs | None = None


class Validator(Protocol):
    """Validates the network as it is."""

    @property
    def num_images(self) -> int:
        """Images that it looks at."""
        ...

    def __call__(self, on_batch: Callable[[int], None]) -> Validation:
        """The metrics; `on_batch` is called with the size of each batch that is done."""
        ...


class Trainer:
    """Trains what `executor` holds.

    Args:
        batches: the training batches, epoch by epoch.
        lr: the learning rate of the next step.
        limits: when to end.
        validate: called after each epoch; None for no validation.
        callbacks: called at every stage, in this order.
        state: where to begin; a fresh one by default.
    """

    def __init__(
        self,
        executor: Executor,
        batches: EpochBatches,
        *,
        lr: Callable[[TrainState], float],
        limits: Limits,
        validate: Validator | None = None,
        callbacks: Sequence[Callback] = (),
        state: TrainState | None = None,
    ) -> None:
        self.executor, self.batches, self.lr = executor, batches, lr
        self.limits, self.validate = limits, validate
        self.callbacks = CallbackList(callbacks)
        self.state = state or TrainState()

    def fit(self) -> TrainState:
        """Train from wherever the state is to the end.

        Raises WorkError for a loss that is not finite, for lack of memory and for what a callback
        breaks; whatever else a callback raises to end the training.
        """
        state, call = self.state, self.callbacks.call
        try:
            start = FitStart(state.step, self.limits, len(self.batches), self.save_checkpoint)
            call("on_fit_start", state, start)
            while not state.done:
                self._fit_epoch()
            call("on_fit_end", state, FitEnd(state.step, state.epoch, state.stop_reason))
        except BaseException as error:
            self.callbacks.call_exception(state, error)
            raise
        return state

    def save_checkpoint(self) -> None:
        """Let the callbacks save the state."""
        state = self.state
        event = CheckpointEvent(state.step, state.epoch, self.lr(state))
        self.callbacks.call("on_checkpoint", state, event)

    def report_batch(self, split: Literal["val", "test"], num_images: int) -> None:
        """Tell the callbacks that a batch of an evaluation is done."""
        event = EvaluationBatchEnd(split, num_images)
        self.callbacks.call("on_evaluation_batch_end", self.state, event)

    def _fit_epoch(self) -> None:
        state, call = self.state, self.callbacks.call
        call("on_epoch_start", state, EpochStart(state.epoch + 1))
        if self._is_over() and state.epoch and not state.batch:  # stopped between two epochs
            state.done = True
            return
        began = self._clock()
        for batch in self._remaining_batches():
            lr = self.lr(state)
            loss, num_correct = self.executor.step(state, batch, lr)
            seconds = self._clock() - began
            state.count_step(
                loss=loss, num_correct=num_correct, num_examples=batch.num_images, seconds=seconds
            )
            step, epoch = state.step, state.epoch + 1
            event = StepEnd(step, epoch, batch, loss, num_correct, lr, seconds)
            call("on_step_end", state, event)
            if self._is_over():
                break
            began = self._clock()
        self._end_epoch()

    def _end_epoch(self) -> None:
        """Validate, and add the epoch to the history."""
        state, call, began = self.state, self.callbacks.call, self._clock()
        lr = self.lr(state)
        line = epoch_line(state, lr=lr, seconds=state.seconds)
        if self.validate is not None:
            validation = self._validated(self.validate, lr)
            state.seconds += self._clock() - began
            event = ValidationEnd(
                state.step, state.epoch + 1, validation.metrics, validation.outputs
            )
            call("on_validation_end", state, event)
            line |= validation_columns(validation.metrics)
        state.finish_epoch(line)
        call("on_epoch_end", state, EpochEnd(state.epoch, state.step, line))
        state.done = self._is_over()

    def _validated(self, validate: Validator, lr: float) -> Validation:
        state = self.state
        start = EvaluationStart("val", validate.num_images)
        self.callbacks.call("on_evaluation_start", state, start)
        validation = validate(partial(self.report_batch, "val"))
        if not math.isfinite(validation.metrics["loss"]):
            what = f"The validation loss is {validation.metrics['loss']}"
            raise nonfinite_error(what, self.executor.network, None, state=state, lr=lr)
        return validation

    def _remaining_batches(self) -> Iterable[Batch]:
        return () if self._is_over() else self.batches(self.state.epoch, self.state.batch)

    def _is_over(self) -> bool:
        """Whether no step is to follow. A stop that was asked for before any step waits for one."""
        state = self.state
        return bool(state.stop_reason and state.step) or self.limits.reached(state)

    def _clock(self) -> float:
        """Seconds that count as training."""
        return time.perf_counter() - self.state.paused_seconds
