"""Reducing the learning rate when the validation loss stalls."""

from convscope.training.callbacks.base import Callback
from convscope.training.events import ValidationEnd
from convscope.training.state import TrainState


class ReduceOnPlateau(Callback):
    """Reduces the rate when the validation loss was no better for more than `patience` epochs.

    It counts in `state.plateau`, from which `Schedule` computes the rate.
    """

    def __init__(self, *, patience: int) -> None:
        self.patience = patience

    def on_validation_end(self, state: TrainState, event: ValidationEnd) -> None:
        state.plateau.step(event.metrics["loss"], patience=self.patience)
