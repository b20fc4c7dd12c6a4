"""Write the live status of a training for the lab: `live/now.json`."""

import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Literal

from convscope.errors import Interrupted, RequestError
from convscope.runs.live_files import Live
from convscope.training.callbacks.base import Callback
from convscope.training.callbacks.interrupt import StopRequest
from convscope.training.callbacks.step_recorder import StepRecorder
from convscope.training.callbacks.throttle import Throttle
from convscope.training.events import (
    EvaluationBatchEnd,
    EvaluationStart,
    FitStart,
    RunEnd,
    RunStart,
    StepEnd,
    ValidationEnd,
)
from convscope.training.learning_rate import changes_in_words
from convscope.training.state import TrainState
from convscope.words import visible

Phase = Literal["training", "paused", "evaluating", "testing", "done", "stopped", "failed"]

_SECONDS = 0.5  # between two updates
_RECENT = 10  # updates over which the throughput is taken
_INITIAL: dict[str, Any] = {
    "description": "", "step": 0, "steps": None, "epoch": 1, "epochs": None, "batches": 0,
    "progress": 0.0, "seconds": 0.0, "seconds_left": None, "images_per_second": None,
    "steps_per_second": None, "lr": 0.0, "lr_changes": "",
    "loss": None, "top1": None, "saved_step": 0, "acknowledged": 0,
}  # fmt: skip


class LiveStatus(Callback):
    """Writes where the training is, every half second and whenever the phase changes.

    What it writes may be lost: no disk that refuses it stops the training.

    Attributes:
        recorder: the steps, which are written along with the status.
        phase, message: what the training is doing, and why, in a sentence.
        acknowledged: the id of the last command that was carried out.
    """

    def __init__(self, live: Live, request: StopRequest) -> None:
        self.live, self.request = live, request
        self.recorder = StepRecorder(live)
        self.phase: Phase = "training"
        self.message = ""
        self.acknowledged = 0
        self._values = dict(_INITIAL)
        self._state: TrainState | None = None
        self._start: FitStart | None = None
        self._throttle = Throttle(_SECONDS)
        self._recent = deque[tuple[int, int, float]](maxlen=_RECENT)

    @contextmanager
    def session(self) -> Generator["LiveStatus"]:
        """Keep the status up to date, at the end with how it came. The run's lock must be held."""
        before = self.live.read_now() or {}
        self._values |= before
        self.live.begin()
        left = self.live.read_command()  # one that could not be deleted
        self.acknowledged = left[0] if left else 0
        try:
            yield self
        except Interrupted:
            by = " from the lab" if self.request.from_lab else ""
            after = f"after step {self._state.saved_step:,}" if self._state else "before resuming"
            self.write("stopped", f"Stopped{by} {after}; everything is saved.")
            raise
        except (KeyboardInterrupt, SystemExit):  # a closed pipe exits, too
            after = f"after step {self._state.saved_step:,}" if self._state else "before"
            self.write("stopped", f"Stopped at once; the state {after} is saved.")
            raise
        except Exception as error:
            is_refused = self._state is None and isinstance(error, RequestError)
            if is_refused and before.get("state") == "done":
                raise  # the run is as it was
            message = str(error) or type(error).__name__
            path = self.live.path
            self.write("failed", visible(message.replace(str(path), path.name)))
            raise

    def on_run_start(self, event: RunStart) -> None:
        self._values["description"] = visible(event.description)

    def on_fit_start(self, state: TrainState, event: FitStart) -> None:
        self._state, self._start = state, event
        self.write("training")

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        self.update()

    def on_evaluation_start(self, state: TrainState, event: EvaluationStart) -> None:
        if event.split == "test":
            self.write("testing", f"Testing the best weights on {event.num_images:,} images.")
        else:
            self.write("evaluating")

    def on_evaluation_batch_end(self, state: TrainState, event: EvaluationBatchEnd) -> None:
        self.update()

    def on_validation_end(self, state: TrainState, event: ValidationEnd) -> None:
        self.write("training")

    def on_run_end(self, event: RunEnd) -> None:
        self._values |= self._mean_speed()
        self.write("done", f"Test {event.test.describe(interval=False)}.")

    def update(self) -> None:
        """Write the status if it is due."""
        if self._throttle.is_due():
            self.write(self.phase, self.message)

    def write(self, phase: Phase, message: str = "") -> None:
        """Write the status at once."""
        began = time.monotonic()
        self.phase, self.message = phase, message
        if self._state is not None and self._start is not None:
            self.recorder.flush()
            self._values |= self._position(self._state, self._start)
        status = {"state": phase, "message": message, "acknowledged": self.acknowledged}
        self.live.write_now({**self._values, **status})
        self._throttle.done(began)

    def _mean_speed(self) -> dict[str, float]:
        """Of all steps of the run, also of those before it was resumed."""
        series = self.recorder.series
        seconds = float(series.column("seconds").sum())
        if not seconds:
            return {}
        images, steps = (float(series.column(name).sum()) for name in ("num_images", "steps"))
        return {"images_per_second": images / seconds, "steps_per_second": steps / seconds}

    def _position(self, state: TrainState, start: FitStart) -> dict[str, Any]:
        recorder, steps = self.recorder, start.limits.steps
        progress = start.limits.progress(state)
        self._recent.append((recorder.num_steps, recorder.num_images, recorder.seconds))
        first_steps, first_images, first_seconds = self._recent[0]
        seconds = recorder.seconds - first_seconds
        values = {
            "step": state.step,
            "steps": steps,
            "epoch": state.epoch + (not state.done),
            "epochs": steps and -(-steps // start.batches_per_epoch),
            "batches": start.batches_per_epoch,
            "progress": progress,
            "seconds": state.seconds,
            "seconds_left": state.seconds * (1 - progress) / progress if progress else None,
            "saved_step": state.saved_step,
            "lr_changes": changes_in_words(state.lr_changes),
        }
        if recorder.num_images:
            values["lr"] = recorder.lr
        if state.lr_changes and state.lr_changes[-1]["step"] == state.step:
            values["lr"] = state.lr_changes[-1]["lr"]  # of the step to come
        if seconds and not state.done:
            values["images_per_second"] = (recorder.num_images - first_images) / seconds
            values["steps_per_second"] = (recorder.num_steps - first_steps) / seconds
        if state.num_examples:
            values |= {"loss": state.mean_loss, "top1": state.accuracy}
        return values
