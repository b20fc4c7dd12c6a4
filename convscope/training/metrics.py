"""What a line of metrics.jsonl says."""

from typing import Any

from convscope.evaluation.metrics import Metrics
from convscope.training.state import Counters


def trained_line(counters: Counters, rate: float) -> dict[str, Any]:
    """An epoch's training, at its end; `rate` is the learning rate of the step to come."""
    return {
        "epoch": counters.epoch + 1,
        "step": counters.step,
        "seconds": round(counters.seconds, 3),
        "lr": rate,
        "images_per_second": round(counters.seen / max(counters.epoch_seconds, 1e-9), 1),
        "train_loss": counters.loss_sum / max(counters.seen, 1),
        "train_top1": counters.hits / max(counters.seen, 1),
    }


def validated_line(scores: Metrics) -> dict[str, Any]:
    """What the validation images say after it."""
    return {
        "val_loss": scores.loss,
        "val_top1": scores.top1,
        "val_f1": scores.value("f1"),
        "val_balanced": scores.value("balanced"),
    }
