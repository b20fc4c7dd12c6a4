"""Stopping when the network no longer improves."""

from convscope.training.callbacks.base import Callback
from convscope.training.config import TrainConfig
from convscope.training.events import EpochEnd
from convscope.training.state import TrainState


class EarlyStopping(Callback):
    """Stops after `patience` epochs without improvement of the metric, as `BestWeights` counts."""

    def __init__(self, *, metric: str, patience: int) -> None:
        self.metric, self.patience = metric, patience

    def on_epoch_end(self, state: TrainState, event: EpochEnd) -> None:
        epochs = state.epochs_without_improvement
        if epochs >= self.patience:
            state.stop(f"no better {self.metric} for {epochs} epochs")


def warning(config: TrainConfig) -> str:
    """What early stopping means for the schedule; empty where they fit each other.

    A rate that falls to the end of the training does not get there if the training stops early.
    `plateau` and `constant` follow no length.
    """
    if not config.early_stopping_patience or config.lr_schedule in ("plateau", "constant"):
        return ""
    return (
        f"With `early_stopping_patience={config.early_stopping_patience}`, training may stop "
        f"before `lr_schedule={config.lr_schedule!r}` has reached its small rates, which often "
        "bring the best epochs. `lr_schedule='plateau'` lowers the rate by the same signal."
    )


def stop_message(state: TrainState, config: TrainConfig) -> str:
    """Why a training stopped early, which weights are kept, and how far the schedule had come."""
    best = next((row for row in reversed(state.history) if row.get("best")), None)
    kept = f" The weights of epoch {best['epoch']}, the best, are kept." if best else ""
    text = f"Stopped early: {state.stop_reason}.{kept}"
    if warning(config) and state.history and config.lr:
        share = state.history[-1]["lr"] / config.lr
        text += f" The learning rate was still {share:.0%} of its peak."
    return text
