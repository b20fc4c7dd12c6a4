"""How to take part in a training: a callback implements the stages that matter to it."""

from collections.abc import Iterable
from typing import Any, cast

from convscope.errors import ConvscopeError, RequestError, WorkError
from convscope.training.events import (
    CheckpointEvent,
    EpochEnd,
    EpochStart,
    EvaluationBatchEnd,
    EvaluationStart,
    ExceptionEvent,
    FitEnd,
    FitStart,
    Message,
    Progress,
    RunEnd,
    RunStart,
    StepEnd,
    ValidationEnd,
)
from convscope.training.state import TrainState
from convscope.words import visible


class Callback:
    """Base class of callbacks, which are called at the stages of training in the order of the list.

    Implement the stages that you need. `state.stop(reason)` ends the training after the current
    step. Do not change weights or the optimizer, and do not draw random numbers from torch's
    global generator; training would no longer be reproducible.

        >>> class StopAtLoss(Callback):
        ...     def on_step_end(self, state, event):
        ...         if event.loss < 0.01:
        ...             state.stop("the loss fell below 0.01")
    """

    def on_message(self, event: Message) -> None:
        """There is a message for the user."""

    def on_progress(self, event: Progress) -> None:
        """A download or the decoding of images has progressed."""

    def on_run_start(self, event: RunStart) -> None:
        """The run folder exists and the network is built."""

    def on_fit_start(self, state: TrainState, event: FitStart) -> None:
        """Before the first step."""

    def on_epoch_start(self, state: TrainState, event: EpochStart) -> None:
        """Before the first step of an epoch."""

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        """After each step."""

    def on_evaluation_start(self, state: TrainState, event: EvaluationStart) -> None:
        """Before a validation, and before the test."""

    def on_evaluation_batch_end(self, state: TrainState, event: EvaluationBatchEnd) -> None:
        """After each batch of a validation or of the test."""

    def on_validation_end(self, state: TrainState, event: ValidationEnd) -> None:
        """After each validation."""

    def on_epoch_end(self, state: TrainState, event: EpochEnd) -> None:
        """After each epoch and its validation."""

    def on_checkpoint(self, state: TrainState, event: CheckpointEvent) -> None:
        """The state is saved."""

    def on_fit_end(self, state: TrainState, event: FitEnd) -> None:
        """After the last step and its validation; not after an exception."""

    def on_exception(self, state: TrainState, event: ExceptionEvent) -> None:
        """An exception ends the training loop."""

    def on_run_end(self, event: RunEnd) -> None:
        """The best weights are tested and the report is written."""


class CallbackError(WorkError):
    """A callback raised an exception; the message names its class and stage."""


class CallbackList:
    """Calls, at each stage, the callbacks that implement it.

    Raises RequestError for an object that is not a callback, and CallbackError for an exception in
    a callback that is not a ConvscopeError. A ConvscopeError from a user's callback gets a note
    that names the callback.
    """

    def __init__(self, callbacks: Iterable[Callback] = ()) -> None:
        self.callbacks = _checked(callbacks)
        self._methods = {
            stage: [
                (callback, getattr(callback, stage))
                for callback in self.callbacks
                if _implements(callback, stage)
            ]
            for stage in STAGES
        }

    def call(self, stage: str, *arguments: Any) -> None:
        """Call one stage of every callback that implements it."""
        for callback, method in self._methods[stage]:
            try:
                method(*arguments)
            except ConvscopeError as error:
                if not type(callback).__module__.startswith("convscope."):
                    error.add_note(f"Raised by the callback {_title(callback, stage)}.")
                raise
            except Exception as error:
                raise CallbackError(_failure(callback, stage, error)) from error

    def call_exception(self, state: TrainState, error: BaseException) -> None:
        """`on_exception` of each; what one raises is a note on the error that is raised anyway."""
        for callback, method in self._methods["on_exception"]:
            try:
                method(state, ExceptionEvent(error))
            except Exception as failure:  # noqa: BLE001 -- the first error is the one to report
                error.add_note(_failure(callback, "on_exception", failure))

    def message(self, text: str) -> None:
        """Send a message to the user."""
        self.call("on_message", Message(visible(text)))

    def downloading(self, name: str, done: int, total: int | None) -> None:
        """Report how many bytes of a file have come."""
        self.call("on_progress", Progress("downloading", name, done, total))

    def decoding(self, done: int, total: int) -> None:
        """Report how many images are decoded."""
        self.call("on_progress", Progress("decoding", "", done, total))

    def trying(self, done: int, total: int) -> None:
        """Report how many learning rates were tried."""
        self.call("on_progress", Progress("trying", "", done, total))


STAGES = tuple(name for name in vars(Callback) if name.startswith("on_"))
"""The names of all stages, in the order in which they come."""


def _checked(callbacks: object) -> tuple[Callback, ...]:
    if not isinstance(callbacks, Iterable):
        raise RequestError(f"callbacks must be a list of callbacks, not {_described(callbacks)}.")
    checked: list[Callback] = []
    for callback in cast("Iterable[object]", callbacks):
        if not isinstance(callback, Callback):
            hint = f" Did you mean {callback.__name__}(...)?" if isinstance(callback, type) else ""
            raise RequestError(
                "callbacks must hold objects of a subclass of convscope.Callback, not "
                f"{_described(callback)}.{hint}"
            )
        checked.append(callback)
    return tuple(checked)


def _described(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else repr(value)


def _implements(callback: Callback, stage: str) -> bool:
    method = getattr(callback, stage)
    return getattr(method, "__func__", method) is not getattr(Callback, stage)


def _failure(callback: Callback, stage: str, error: Exception) -> str:
    name, kind = _title(callback, stage), type(error).__name__
    text = str(error).rstrip(".")
    return f"The callback {name} raised {kind}{f': {text}' if text else ''}."


def _title(callback: Callback, stage: str) -> str:
    return f"{type(callback).__qualname__}.{stage}".replace("<locals>.", "")
