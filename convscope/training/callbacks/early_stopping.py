"""Stopping when the network no longer improves."""

from convscope.training.callbacks.base import Callback
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
