"""Recording what each step was: `live/series.npy`."""

from convscope.runs.live_files import Live
from convscope.runs.step_history import StepHistory
from convscope.training.callbacks.base import Callback
from convscope.training.events import CheckpointEvent, FitStart, StepEnd
from convscope.training.state import TrainState


class StepRecorder(Callback):
    """Keeps loss, accuracy, learning rate and time of the steps.

    A step costs an append; the file is written by `flush`, and before each checkpoint, so that
    after a crash no step before it is missing.

    Attributes:
        num_steps, num_images, seconds: of all steps that this process recorded.
        lr: of the last one.
    """

    def __init__(self, live: Live) -> None:
        self.live = live
        self.series = StepHistory()
        self.num_steps, self.num_images, self.seconds, self.lr = 0, 0, 0.0, 0.0
        self._pending: list[tuple[int, float, int, int, float, float]] = []
        self._written = 0

    def on_fit_start(self, state: TrainState, event: FitStart) -> None:
        self.series = self.live.read_step_history() or self.series

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        images = event.batch.num_images
        self._pending.append(
            (event.step, event.loss, event.num_correct, images, event.lr, event.seconds)
        )

    def on_checkpoint(self, state: TrainState, event: CheckpointEvent) -> None:
        self.flush()

    def flush(self) -> None:
        """Write the steps that are not written yet."""
        for step, loss, num_correct, images, lr, seconds in self._pending:
            self.series.add(
                step, loss=loss, num_correct=num_correct, num_images=images, lr=lr, seconds=seconds
            )
            self.num_steps += 1
            self.num_images += images
            self.seconds += seconds
            self.lr = lr
        self._pending.clear()
        if self._written != self.series.last:
            self._written = self.series.last
            self.live.write_step_history(self.series)
