"""How long a training will take, told after its first steps."""

from collections.abc import Callable

from convscope.training.callbacks.base import Callback
from convscope.training.events import FitStart, StepEnd
from convscope.training.state import TrainState

_LEAST = 1.0  # seconds of steps that are timed
_STEPS = 2  # that are timed at least, after one that prepares
_LONG = 600.0  # seconds of a training from which it is told what shortens it


class TimeEstimate(Callback):
    """Times steps at the start, without the first, and says how long all of them will take.

    Args:
        notify: tells the user.
        share: the time of a validation, as a fraction of an epoch's steps.
        shorter: what shortens a long training, as a predicate.
    """

    def __init__(self, notify: Callable[[str], None], *, share: float, shorter: str = "") -> None:
        self.notify, self.share, self.shorter = notify, share, shorter
        self._start: FitStart | None = None
        self._seconds, self._steps = 0.0, -1

    def on_fit_start(self, state: TrainState, event: FitStart) -> None:
        del state
        self._start = event if event.limits.steps is not None else None

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        del state
        if self._start is None:
            return
        self._steps += 1
        self._seconds += event.seconds if self._steps else 0.0
        if self._steps < _STEPS or self._seconds < _LEAST:
            return
        start, self._start = self._start, None
        steps = start.limits.steps or 0
        seconds = steps * self._seconds / self._steps * (1 + self.share)
        epochs, rest = divmod(steps, start.batches_per_epoch)
        length = f"{steps:,} steps take" if rest else f"{epochs:,} epochs take"
        length = "The epoch takes" if steps == start.batches_per_epoch else length
        shorter = self.shorter if seconds >= _LONG else ""
        self.notify(f"{length} about {in_words(seconds)} on this machine{shorter}.")


def in_words(seconds: float) -> str:
    """A duration in two figures.

    >>> in_words(41), in_words(95), in_words(1500), in_words(9000), in_words(400_000)
    ('41 seconds', '95 seconds', '25 minutes', '2.5 hours', '4.6 days')
    """
    for limit, unit, name in ((120, 1, "seconds"), (7200, 60, "minutes"), (172_800, 3600, "hours")):
        if seconds < limit:
            return f"{float(f'{seconds / unit:.2g}'):g} {name}"
    return f"{float(f'{seconds / 86_400:.2g}'):g} days"
