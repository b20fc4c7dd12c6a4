"""One trial as a training: its epochs are reported, and it ends early if others were better."""

import math

from convscope.evaluation.metrics import MetricName
from convscope.runs.folder import Run
from convscope.training.callbacks.base import Callback
from convscope.training.events import EpochEnd
from convscope.training.result import History
from convscope.training.state import TrainState
from convscope.training.tuning.study import Outcome, Study, Trial

_PRUNED = "below the median of the trials before it at this epoch"


class TrialReport(Callback):
    """Reports the validation metric of each epoch, and stops a trial that is not worth going on."""

    def __init__(self, study: Study, trial: Trial, metric: MetricName) -> None:
        self.study, self.trial, self.metric = study, trial, metric

    def on_epoch_end(self, state: TrainState, event: EpochEnd) -> None:
        value = event.metrics.get(f"val_{self.metric}", math.nan)
        if math.isfinite(value) and self.study.report(self.trial, event.epoch, value):
            state.stop(_PRUNED)


def outcome_of(run: Run, metric: MetricName) -> tuple[Outcome, float | None]:
    """How a trial that has come to its end ended, and the metric of its best epoch."""
    stored, _ = run.read_state()
    is_pruned = stored is not None and stored.metadata["state"]["stop_reason"] == _PRUNED
    best = History(run.read_metrics()).best or {}
    value = best.get(f"val_{metric}")
    if value is None:
        return "failed", None
    return ("pruned" if is_pruned else "complete"), value
