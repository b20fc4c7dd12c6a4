"""Ctrl-C, SIGTERM and SIGHUP: training stops at the next safe point, with everything saved."""

import os
import signal
import stat
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import FrameType

from convscope.errors import Interrupted, shell_word
from convscope.runs.folder import Run
from convscope.signals import ExitBySignal, ending_signals
from convscope.training.callbacks.base import Callback
from convscope.training.events import (
    CheckpointEvent,
    EvaluationBatchEnd,
    FitStart,
    StepEnd,
)
from convscope.training.state import TrainState

ECHO_SECONDS = 1.0
"""A signal so soon after the first is the same one: `timeout` sends its signal twice, and a
terminal and the program that started this one may each pass on a ctrl-C."""


class StopRequest:
    """Whether a stop was requested, and by which signal: the first.

    Attributes:
        signal: the number of the signal; None if no stop was requested.
        deferred: whether a signal waits for a safe point. Before there is anything to save, it
            stops the process at once.
        from_lab: whether the lab asked, which counts as SIGTERM.
        run: the run, once it has a folder.
        state: the state of the training, once it was saved.
        agreed: the signal to one of several processes, once all know of it; see `Agreement`.
        is_shared: whether there are several.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.deferred = self.from_lab = False
        self.agreed: int | None = None
        self.is_shared = False
        self.run: Run | None = None
        self.state: TrainState | None = None
        self._exit: ExitBySignal | None = None
        self._asked_at: float | None = None

    @property
    def is_due(self) -> bool:
        """Whether to stop at the next safe point."""
        return (self.agreed if self.is_shared else self.signal) is not None

    @contextmanager
    def handled(self) -> Generator[None]:
        """Handle signals; the handlers from before are restored."""
        before = {number: signal.signal(number, self._on_signal) for number in ending_signals()}
        handler = before[signal.SIGINT]
        self._exit = handler if isinstance(handler, ExitBySignal) else None
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def told(self) -> Generator[None]:
        """Raise Interrupted, also for a signal that ended the work at once or came at its end."""
        try:
            yield
        except KeyboardInterrupt:
            if self.signal is None:
                raise
            raise self._decided(self.interrupted(self._at_once())) from None
        except Interrupted as error:
            self._decided(error)
            raise
        if self.signal is not None and self.run is not None:
            raise self._decided(self.interrupted(f"Stopped; {self.run.path} is complete."))

    def interrupted(self, sentence: str) -> Interrupted:
        """The error that ends the work; its exit status is that of the first signal."""
        return Interrupted(sentence, signal=self.signal or signal.SIGTERM)

    def how_to_continue(self) -> str:
        """The command that goes on with the run."""
        return f"Continue with `convscope resume {shell_word(self.run.path)}`." if self.run else ""

    def _decided(self, error: Interrupted) -> Interrupted:
        if self._exit is not None:
            self._exit.decided(error.status, str(error))
        return error

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        is_first = self._asked_at is None
        if self._asked_at is None:
            self._asked_at, self.signal = now, self.signal or number
        if self._exit is not None and number == getattr(signal, "SIGHUP", None):
            _leave_terminal()
        if self.deferred and (is_first or now - self._asked_at < ECHO_SECONDS):
            return
        if self._exit is None:
            raise KeyboardInterrupt
        self._exit.exit(self.signal or number, self._at_once())

    def _at_once(self) -> str:
        """What is told of a stop at any other than a safe point."""
        if self.run is None or not (self.run.path / "config.toml").exists():
            return "Stopped before training began; nothing was written."
        if self.state is None:
            return f"Stopped before training went on. {self.how_to_continue()}"
        return (
            f"Stopped at once; the state after step {self.state.saved_step} is saved in "
            f"{self.run.path}. {self.how_to_continue()}"
        )


@contextmanager
def handle_signals() -> Generator[StopRequest]:
    """Turn SIGINT, SIGTERM and SIGHUP into a stop request, and into Interrupted at the end.

    Before there is anything to save, and a second time, a signal ends the work at once: on the
    command line with the process, in Python with a KeyboardInterrupt, which becomes Interrupted.
    Signals reach only the main thread: in another one, none is handled.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    with request.handled(), request.told():
        yield request


def _leave_terminal() -> None:
    """Write no more to a terminal that is gone, for it would fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        with suppress(OSError):
            if stat.S_ISCHR(os.fstat(number).st_mode):
                os.dup2(nowhere, number)
    os.close(nowhere)


class Interrupt(Callback):
    """Saves and raises Interrupted at the first safe point after a stop request.

    Safe points are between two steps and between two batches of an evaluation. From the first
    checkpoint on there is something to save: this callback comes after the one that writes it.
    """

    def __init__(self, request: StopRequest) -> None:
        self.request = request
        self._start: FitStart | None = None

    def on_fit_start(self, state: TrainState, event: FitStart) -> None:
        self._start = event
        if self.request.is_shared:  # where another process saves, there is something from here on
            self.request.state, self.request.deferred = state, True

    def on_checkpoint(self, state: TrainState, event: CheckpointEvent) -> None:
        self.request.state, self.request.deferred = state, True

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        self._stop_if_requested(state)

    def on_evaluation_batch_end(self, state: TrainState, event: EvaluationBatchEnd) -> None:
        self._stop_if_requested(state)

    def _stop_if_requested(self, state: TrainState) -> None:
        request = self.request
        if not request.is_due or self._start is None or request.run is None:
            return
        self._start.save_checkpoint()
        by = " from the lab" if request.from_lab else ""
        raise request.interrupted(
            f"Stopped{by} after step {state.step}; everything is saved in {request.run.path}. "
            f"{request.how_to_continue()}"
        )
