"""Counting the steps that fp16 skipped, and saying so."""

from collections.abc import Callable

from convscope.training.callbacks.base import Callback
from convscope.training.events import FitEnd, StepEnd
from convscope.training.loss_scaler import LossScaler
from convscope.training.nonfinite import nonfinite_gradients
from convscope.training.state import TrainState


class LossScaling(Callback):
    """Counts skipped steps in the state, before other callbacks see it.

    Raises NonfiniteError where no scale is small enough.

    Args:
        notify: tells people of the first one, and at the end of all.
    """

    def __init__(self, scaler: LossScaler, notify: Callable[[str], None]) -> None:
        self.scaler, self.notify = scaler, notify

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        if not self.scaler.was_skipped:
            return
        state.skipped_steps += 1
        if self.scaler.is_exhausted:
            raise nonfinite_gradients(event)
        if state.skipped_steps == 1:
            scale = self.scaler.scale
            self.notify(
                f"Step {event.step:,} was skipped: its gradients overflow in fp16, so the scale of "
                f"the loss is halved, from {2 * scale:,.0f} to {scale:,.0f}. A few such steps are "
                "usual."
            )

    def on_fit_end(self, state: TrainState, event: FitEnd) -> None:
        if state.skipped_steps > 1:
            self.notify(
                f"{state.skipped_steps:,} of {event.step:,} steps were skipped, for their "
                f"gradients overflow in fp16; the scale of the loss is now {self.scaler.scale:,g}."
            )
