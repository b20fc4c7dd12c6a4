"""Averaging the weights: after every step, or after every epoch from some time on."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm  # pyright: ignore[reportPrivateUsage]

from convscope.training.callbacks.base import Callback
from convscope.training.events import EpochEnd, EvaluationStart, StepEnd
from convscope.training.loss_scaler import LossScaler
from convscope.training.state import TrainState
from convscope.training.weight_average import WeightAverage


class ExponentialAveraging(Callback):
    """Averages the weights after each step: a ← d · a + (1 - d) · w, from the first weights on.

    After step t, from 1, d is min(decay, (1 + t) / (10 + t)), so that the average of a short
    training is of its last steps too: TensorFlow's ExponentialMovingAverage with `num_updates`.

    Batch norm's statistics are averaged like weights, as by timm's ModelEmaV3 and torch's
    AveragedModel with `use_buffers`: the last steps' own statistics would be those of other
    weights. A step that was skipped for its gradients in fp16 is none.
    """

    def __init__(
        self, average: WeightAverage, decay: float, scaler: LossScaler | None = None
    ) -> None:
        self.average, self.decay, self.scaler = average, decay, scaler

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        if self.scaler is None or not self.scaler.was_skipped:
            updates = state.updates
            self.average.update(1 - min(self.decay, (1 + updates) / (10 + updates)))


class StochasticAveraging(Callback):
    """Averages the weights after each epoch, equally, from the first for which `has_started` on.

    Izmailov et al., 2018, "Averaging weights leads to wider optima and better generalization". Up
    to then the average is the weights themselves. Batch norm's statistics are those of the average
    on the training images, computed by a pass over them before each validation, as by torch's
    `update_bn`; frozen layers keep theirs.

    Args:
        images: what the network is fed in an epoch, from 0, batch by batch.
    """

    def __init__(
        self,
        average: WeightAverage,
        network: nn.Module,
        *,
        images: Callable[[int], Iterable[Tensor]],
        has_started: Callable[[TrainState], bool],
    ) -> None:
        self.average, self.network = average, network
        self.images, self.has_started = images, has_started

    def on_evaluation_start(self, state: TrainState, event: EvaluationStart) -> None:
        if event.split == "val":
            self._update(state, epoch=state.epoch + 1)

    def on_epoch_end(self, state: TrainState, event: EpochEnd) -> None:
        self._update(state, epoch=state.epoch)  # where there was no validation

    def _update(self, state: TrainState, *, epoch: int) -> None:
        """Once for an epoch, from 1, also if its validation is interrupted and made again."""
        count, last = (int(number) for number in self.average.counts)
        if last == epoch:
            return
        count = count + 1 if self.has_started(state) else 0
        self.average.update(1 / max(count, 1))
        if count > 1:
            with self.average.exchanged():
                recompute_statistics(self.network, self.images(epoch - 1))
        self.average.counts.copy_(torch.tensor([count, epoch]))


def recompute_statistics(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the statistics of batch norms in training mode to their mean over batches (n, c, h, w).

    Momentum, counts of batches and modes stay as they are.
    """
    norms = [
        module
        for module in network.modules()
        if isinstance(module, BatchNorm) and module.training and module.track_running_stats
    ]
    if not norms:
        return
    modes = {module: module.training for module in network.modules()}
    before = [
        (norm, norm.momentum, norm.num_batches_tracked and norm.num_batches_tracked.clone())
        for norm in norms
    ]
    try:
        network.eval()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean
            norm.train()
        with torch.no_grad():
            for images in batches:
                network(images)
    finally:
        for norm, momentum, count in before:
            norm.momentum = momentum
            if norm.num_batches_tracked is not None and count is not None:
                norm.num_batches_tracked.copy_(count)
        for module, mode in modes.items():
            module.training = mode
