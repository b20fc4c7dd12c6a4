"""Keeping the best weights."""

from collections.abc import Callable

from convscope.evaluation.metrics import MetricName, is_better
from convscope.evaluation.multi_label import AnyMetrics
from convscope.training.callbacks.base import Callback
from convscope.training.events import EpochEnd, ValidationEnd
from convscope.training.state import TrainState


class BestWeights(Callback):
    """Decides after each epoch whether its weights are the best so far, and saves these.

    The best is by `metric` on the validation images, ties to the lower loss, which alone decides
    where the metric is not defined for any label of these images. Where no image is set aside for
    validation, and without `restore_best`, the last weights are kept, as if each were the best. The
    history gets a column `best`, in which the last True stands at the weights that are kept.

    Args:
        restore_best: whether the best are kept. Of a few validation images the best is a matter of
            chance, and a falling learning rate makes the last weights good ones.
        save: writes the weights as they are, with the scores of their validation.
    """

    def __init__(
        self,
        *,
        metric: MetricName,
        save: Callable[[TrainState, AnyMetrics | None], None],
        restore_best: bool = True,
    ) -> None:
        self.metric: MetricName = metric
        self.save, self.restore_best = save, restore_best
        self._validation: AnyMetrics | None = None

    def on_validation_end(self, state: TrainState, event: ValidationEnd) -> None:
        self._validation = event.outputs and event.outputs.metrics

    def on_epoch_end(self, state: TrainState, event: EpochEnd) -> None:
        line = event.metrics
        if "val_loss" in line:
            value = (line.get(f"val_{self.metric}", 0.0), line["val_loss"])
            is_best = state.best is None or is_better(value, state.best, self.metric)
        else:
            value, is_best = (line["train_top1"], line["train_loss"]), True
        is_kept = is_best or not self.restore_best
        state.history[-1]["best"] = is_kept
        if is_best:
            state.best, state.epochs_without_improvement = value, 0
        else:
            state.epochs_without_improvement += 1
        if is_kept:
            self.save(state, self._validation)
