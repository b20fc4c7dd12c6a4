"""Commands from the lab: pause, resume, save, stop, another learning rate."""

import signal
import time
from collections.abc import Callable

from convscope.runs.live_files import Request
from convscope.training.callbacks.base import Callback
from convscope.training.callbacks.live_status import LiveStatus
from convscope.training.callbacks.throttle import Throttle
from convscope.training.events import EvaluationBatchEnd, FitStart, StepEnd
from convscope.training.learning_rate import LearningRate
from convscope.training.state import TrainState

_SECONDS = 0.2  # between two looks for a command
_NAP = 0.1  # seconds after which a pause notices a signal


class RemoteControl(Callback):
    """Carries out commands between two steps and between two batches of an evaluation.

    A command to stop becomes a stop request, like that of a signal. A learning rate that is changed
    is saved at once, for it is part of the training's state.
    """

    def __init__(self, status: LiveStatus, notify: Callable[[str], None], lr: LearningRate) -> None:
        self.status, self.notify, self.lr = status, notify, lr
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
        request = self._next_command()
        if request is None:
            return
        if request.command == "pause":
            self._pause(state)
        else:
            self._carry_out(state, request)
        self.status.write(self.status.phase, self.status.message)

    def _next_command(self) -> Request | None:
        began = time.monotonic()
        request = self.status.live.read_command()
        self._throttle.done(began)
        if request is None or request.id == self.status.acknowledged:
            return None
        self.status.acknowledged = request.id
        return request

    def _carry_out(self, state: TrainState, request: Request) -> None:
        if request.command == "stop":
            self.status.request.signal, self.status.request.from_lab = signal.SIGTERM, True
        elif request.command == "save":
            self._save()
        elif request.command == "lr" and request.lr:
            self._change_lr(state, request.lr)

    def _change_lr(self, state: TrainState, lr: float) -> None:
        if self.status.request.is_shared:
            self.notify(
                "A training of several processes keeps its learning rate: stop it, and start one "
                "with another rate from its weights."
            )
            return
        before = self.lr.change(state, lr)
        if before is None:
            self.notify("The learning rate was not changed: the schedule has 0 for the next step.")
            return
        self.notify(
            f"Learning rate changed from {before:.4g} to {lr:.4g} from the lab after step "
            f"{state.step:,}; the schedule goes on from there in proportion."
        )
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
            request = self._next_command()
            if request is not None and request.command == "resume":
                self.notify("Resumed.")
                break
            if request is not None:
                self._carry_out(state, request)
                status.write(status.phase, status.message)
            status.update()
        state.paused_seconds += time.perf_counter() - began
        status.phase, status.message = before
