"""The metrics of an evaluation by name, and the line that metrics.jsonl has for an epoch."""

import math
from collections.abc import Mapping
from typing import Any

from convscope.card import TaskName
from convscope.evaluation.metrics import METRICS, MetricName
from convscope.evaluation.multi_label import AnyMetrics
from convscope.training.learning_rate import changes_in_words
from convscope.training.state import TrainState


def epoch_line(state: TrainState, *, lr: float, seconds: float) -> dict[str, Any]:
    """An epoch's training, at its end; `lr` is the learning rate of the step to come.

    `lr_changes` say, in an epoch in which it was set by hand, from what to what and when.
    """
    began = state.step - state.batch
    changed = [change for change in state.lr_changes if began <= change["step"] < state.step]
    changes = {"lr_changes": changes_in_words(changed)} if changed else {}
    return {
        "epoch": state.epoch + 1,
        "step": state.step,
        "seconds": round(seconds, 3),
        "lr": lr,
        "images_per_second": round(state.num_examples / max(state.epoch_seconds, 1e-9), 1),
        "train_loss": state.mean_loss,
        "train_top1": state.accuracy,
        **changes,
    }


def validation_columns(metrics: Mapping[str, float]) -> dict[str, float]:
    """What a validation adds to the line."""
    return {f"val_{name}": value for name, value in metrics.items()}


def measured(scores: AnyMetrics, task: TaskName) -> dict[str, float]:
    """The metrics of an evaluation by name, those of the task that are defined for its images."""
    names: tuple[MetricName, ...] = ("loss", "top1", *METRICS[task])
    values = {name: scores.value(name) for name in names}
    return {n: value for n, value in values.items() if n == "loss" or not math.isnan(value)}
