"""ctrl-C and SIGTERM: training stops at the next safe point, with everything saved."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from convscope.errors import Interrupted, shell_word
from convscope.training.callbacks.base import Callback
from convscope.training.events import (
    CheckpointEvent,
    EvaluationBatchEnd,
    FitStart,
    StepEnd,
)
from convscope.training.state import TrainState


class StopRequest:
    """Whether a stop was requested, and by which signal.

    Attributes:
        signal: the number of the signal; None if no stop was requested.
        deferred: whether a signal waits for a safe point. Before there is anything to save, it
            stops the process at once.
        from_lab: whether the lab asked, which counts as SIGTERM.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.deferred = self.from_lab = False


@contextmanager
def handle_signals() -> Generator[StopRequest]:
    """Turn SIGINT and SIGTERM into a stop request; a second ctrl-C interrupts at once.

    Signals reach only the main thread: in another one, none is handled. The handlers from before
    are restored.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if not request.deferred:
            raise Interrupted("Stopped before training began; nothing was written.", signal=number)
        if request.signal == signal.SIGINT == number:
            raise KeyboardInterrupt
        request.signal = number

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Interrupt(Callback):
    """Saves and raises Interrupted at the first safe point after a stop request.

    Safe points are between two steps and between two batches of an evaluation.
    """

    def __init__(self, request: StopRequest, path: Path) -> None:
        self.request, self.path = request, path
        self._start: FitStart | None = None

    def on_fit_start(self, state: TrainState, event: FitStart) -> None:
        self._start = event

    def on_checkpoint(self, state: TrainState, event: CheckpointEvent) -> None:
        self.request.deferred = True  # from the first checkpoint on there is something to keep

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        if self.request.signal is not None:
            self._stop(state, self.request.signal)

    def on_evaluation_batch_end(self, state: TrainState, event: EvaluationBatchEnd) -> None:
        if self.request.signal is not None:
            self._stop(state, self.request.signal)

    def _stop(self, state: TrainState, number: int) -> None:
        if self._start is not None:
            self._start.save_checkpoint()
        raise Interrupted(
            f"Stopped{' from the lab' if self.request.from_lab else ''} after step {state.step}; "
            f"everything is saved in {self.path}. Continue with "
            f"`convscope resume {shell_word(self.path)}`.",
            signal=number,
        )
