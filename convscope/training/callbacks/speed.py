"""How fast a training goes, and how long it will still take."""

import time

from convscope.training.events import FitStart, StepEnd
from convscope.training.state import TrainState

REFRESH = 0.1
"""Seconds between two updates of a progress bar in a terminal."""


class Speed:
    """Counts images, and says when a display is due.

    Args:
        seconds: between two updates of the display.
    """

    def __init__(self, seconds: float = REFRESH) -> None:
        self.seconds = seconds
        self._images = 0
        self._since = self._shown_at = 0.0

    def restart(self) -> None:
        """Count from here: a validation is no training."""
        self._images, self._since = 0, time.perf_counter()

    def is_due(self, event: StepEnd) -> bool:
        """Take in a step; whether the display is due."""
        self._images += event.batch.num_images
        now = time.perf_counter()
        if now - self._shown_at < self.seconds:
            return False
        self._shown_at = now
        return True

    def details(self, state: TrainState) -> str:
        """Loss, accuracy and speed of the epoch so far."""
        rate = self._images / max(time.perf_counter() - self._since, 1e-9)
        return f"loss {state.mean_loss:.4f}  accuracy {state.accuracy:.1%}  {rate:,.0f} images/s"


def seconds_left(state: TrainState, start: FitStart) -> float | None:
    """Seconds that the training will still take at the speed so far; None before it is known."""
    progress = start.limits.progress(state)
    return state.seconds * (1 - progress) / progress if progress else None
