"""Commands from the lab: pause, resume, save, stop."""

import signal
import time
from collections.abc import Callable

from convscope.runs.live_files import Command
from convscope.training.callbacks.base import Callback
from convscope.training.callbacks.live_status import LiveStatus
from convscope.training.callbacks.throttle import Throttle
from convscope.training.events import EvaluationBatchEnd, FitStart, StepEnd
from convscope.training.state import TrainState

_SECONDS = 0.2  # between two looks for a command
_NAP = 0.1  # seconds after which a pause notices a signal


class RemoteControl(Callback):
    """Carries out commands between two steps and between two batches of an evaluation.

    A command to stop becomes a stop request, like that of a signal.
    """

    def __init__(self, status: LiveStatus, notify: Callable[[str], None]) -> None:
        self.status, self.notify = status, notify
        self._throttle = Throttle(_SECONDS)
        self._start: FitStart | None = None

    def on_fit_start(self, state: TrainState, event: FitStart) -> None:
        self._start = event

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        if self._throttle.is_due():
            self._poll(state)

    def on_evaluation_batch_end(self, state: TrainState, event: EvaluationBatchEnd) -> None:
        if self._throttle.is_due():
            self._poll(state)

    def _poll(self, state: TrainState) -> None:
        """Carry out the latest command, once."""
        command = self._next_command()
        if command is None:
            return
        if command == "pause":
            self._pause(state)
        else:
            self._carry_out(command)
        self.status.write(self.status.phase, self.status.message)

    def _next_command(self) -> Command | None:
        began = time.monotonic()
        number, command = self.status.live.read_command() or (self.status.acknowledged, None)
        self._throttle.done(began)
        if number == self.status.acknowledged:
            return None
        self.status.acknowledged = number
        return command

    def _carry_out(self, command: Command) -> None:
        if command == "stop":
            self.status.request.signal, self.status.request.from_lab = signal.SIGTERM, True
        elif command == "save":
            self._save()

    def _save(self) -> None:
        if self._start is not None:
            self._start.save_checkpoint()

    def _pause(self, state: TrainState) -> None:
        """Save, then wait until the training is to go on or to stop."""
        if self.status.request.is_shared:
            self.notify("A training of several processes cannot be paused: stop it, and resume it.")
            return
        status, began = self.status, time.perf_counter()
        before = status.phase, status.message
        self._save()
        status.write("paused", f"Paused after step {state.step:,}; everything is saved.")
        self.notify(f"Paused from the lab after step {state.step:,}.")
        while status.request.signal is None:
            time.sleep(_NAP)
            command = self._next_command()
            if command == "resume":
                self.notify("Resumed.")
                break
            if command is not None:
                self._carry_out(command)
                status.write(status.phase, status.message)
            status.update()
        state.paused_seconds += time.perf_counter() - began
        status.phase, status.message = before
