"""What an executor is, and what it is fed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.card import Card
from convscope.data.loading import BatchSource
from convscope.data.normalize import normalize
from convscope.evaluation.batch_size import LARGEST
from convscope.training.batches import Batch
from convscope.training.state import TrainState

ExecutorName = Literal["torch", "lanes"]


class Executor(Protocol):
    """Holds a network and its optimizer, and computes steps."""

    @property
    def name(self) -> ExecutorName:
        """As the setting `engine` has it."""
        ...

    @property
    def simd_width(self) -> int | None:
        """As the setting has it; None for PyTorch, which chooses its own."""
        ...

    @property
    def network(self) -> nn.Module:
        """The network that is trained."""
        ...

    def step(self, state: TrainState, batch: Batch, lr: float) -> tuple[float, int]:
        """Forward, backward, update.

        Returns the mean loss of the batch in nats and how many of its images were predicted right,
        both before the update. Does not change `state`. Raises StepError.
        """
        ...

    def logits(self, indices: NDArray[np.int64], on_batch: Callable[[int], None]) -> Tensor:
        """The logits (n, classes) of some images in evaluation, float32, on the CPU.

        `on_batch` is called with the size of each batch that is done.
        """
        ...


@dataclass(frozen=True)
class Inputs:
    """Where a network's images come from and how they are brought to it.

    Attributes:
        channels_last: whether images lie in memory as n, h, w, c, which most networks can read.
        evaluation_batch: images that are evaluated at a time.
    """

    batch_source: BatchSource
    card: Card
    device: torch.device
    channels_last: bool = True
    evaluation_batch: int = LARGEST

    def normalized(self, pixels: Tensor) -> Tensor:
        """What the network is fed, (n, c, h, w), for bytes (n, h, w, c)."""
        moved = pixels.to(self.device, non_blocking=True)
        return normalize(moved, self.card, channels_last=self.channels_last)
