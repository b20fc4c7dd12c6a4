"""Keep the weights of small networks after their epochs, so that the lab can go back to them."""

import time

import torch
from torch import Tensor, nn

from convscope.runs.live_files import Live
from convscope.runs.tensor_file import TensorFile
from convscope.training.callbacks.base import Callback
from convscope.training.callbacks.throttle import Throttle
from convscope.training.epoch_weights import EPOCHS, FEWEST, KEPT_BYTES, EpochWeights
from convscope.training.events import EpochEnd, FitStart
from convscope.training.limits import Limits
from convscope.training.state import TrainState

_GROWTH = 1.1  # of the epoch, from one that is kept to the next


class EpochWeightsWriter(Callback):
    """Writes the weights before the first step, after epochs, and after the last one.

    In 2% of the time at most: after the first epochs, then ever more seldom, so that a training of
    a thousand epochs writes some fifty times: at most 32 are kept, in 8 MB. A network that does not
    fit `FEWEST` times is kept in half precision; one that does not fit then, not at all.
    """

    def __init__(self, live: Live, network: nn.Module) -> None:
        self.network, self.kept = network, EpochWeights(live.path)
        values = list[Tensor](network.state_dict().values())
        size = sum(value.numel() * value.element_size() for value in values)
        self.is_halved = KEPT_BYTES // max(1, size) < FEWEST
        if self.is_halved:
            size -= sum(2 * value.numel() for value in values if value.dtype == torch.float32)
        self.most = min(EPOCHS, KEPT_BYTES // max(1, size))
        self._throttle, self._due = Throttle(0.0), 0.0
        self._limits: Limits | None = None

    def on_fit_start(self, state: TrainState, event: FitStart) -> None:
        self._limits = event.limits
        self.kept.drop_after(state.step)
        if not state.step:
            self._keep(state)

    def on_epoch_end(self, state: TrainState, event: EpochEnd) -> None:
        is_last = self._limits is not None and self._limits.reached(state)
        if is_last or (state.epoch >= self._due and self._throttle.is_due()):
            self._keep(state)

    def _keep(self, state: TrainState) -> None:
        if self.most < FEWEST:
            return
        began = time.monotonic()
        tensors = {k: v.detach().to("cpu", copy=True) for k, v in self.network.state_dict().items()}
        if self.is_halved:
            tensors = {name: _halved(value) for name, value in tensors.items()}
        stored = TensorFile(tensors, {"step": state.step, "epoch": state.epoch})
        self.kept.add(state.step, stored, most=self.most)
        self._throttle.done(began)
        self._due = _GROWTH * state.epoch


def _halved(value: Tensor) -> Tensor:
    """In half precision, unless numbers are too large for that."""
    most = torch.finfo(torch.float16).max
    if value.dtype != torch.float32 or bool((value.abs() > most).any()):
        return value
    return value.half()
