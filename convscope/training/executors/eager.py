"""Who computes a step: PyTorch, or the engine that compiles small networks for the processor."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.evaluation.measure import compute_logits
from convscope.training.batches import batches_from
from convscope.training.config import decided
from convscope.training.loss import loss_and_logits
from convscope.training.nonfinite import explained

if TYPE_CHECKING:
    from convscope.training.trainer import Training


@dataclass(frozen=True)
class Batch:
    """The images at `indices`; `see()` gives their bytes (n, h, w, c) as the network gets them."""

    indices: NDArray[np.int64]
    see: Callable[[], Tensor]


class Stepper(Protocol):
    """Makes the steps of a training."""

    name: Literal["torch", "lanes"]

    def batches(self, training: "Training") -> Iterator[Batch]:
        """The batches of the epoch, from where the training is."""
        ...

    def step(self, training: "Training", batch: Batch, rate: float) -> tuple[float, int]:
        """One step; the batch's mean loss, and how many it had right before the step."""
        ...

    def logits(
        self, training: "Training", indices: NDArray[np.int64], tick: Callable[[int], None]
    ) -> Tensor:
        """What the network answers to some pictures, as `compute_logits`."""
        ...


EVALUATION_BATCH = 256


class TorchStepper:
    """Steps by PyTorch's autograd, compiled where that was asked for."""

    name: Literal["torch", "lanes"] = "torch"

    def batches(self, training: "Training") -> Iterator[Batch]:
        counters = training.counters
        coming = batches_from(
            counters.batch,
            training.loaded,
            training.settings,
            epoch=counters.epoch,
        )
        for indices, pixels in coming:
            yield Batch(indices, lambda pixels=pixels: pixels)

    def step(self, training: "Training", batch: Batch, rate: float) -> tuple[float, int]:
        targets = training.labels[batch.indices].to(training.device)
        settings = training.settings
        try:
            images = training.images(batch.see())
            loss, logits = loss_and_logits(
                training.forward(images),
                targets,
                training.card,
                weights=training.weights,
                smoothing=settings.label_smoothing,
            )
            value = loss.item()
            if not math.isfinite(value):
                training.refuse(f"The loss became {value}", rate, images)
            training.optimizer.forget_gradients()
            loss.backward()
            if settings.clip_grad_norm:
                nn.utils.clip_grad_norm_(training.net.parameters(), settings.clip_grad_norm)
            training.optimizer.step(rate)
        except (RuntimeError, MemoryError) as error:
            raise explained(
                error, decided(training.settings.batch_size), training.run.path
            ) from error
        return value, int((logits.detach().argmax(1) == targets).sum())

    def logits(
        self, training: "Training", indices: NDArray[np.int64], tick: Callable[[int], None]
    ) -> Tensor:
        return compute_logits(
            training.net,
            training.loaded.batch_source,
            indices,
            training.card,
            batch_size=EVALUATION_BATCH,
            device=training.device,
            channels_last=training.channels_last,
            on_progress=tick,
        )
