"""Train a filter to reproduce the output of another, step by step, with convscope's optimizer."""

import math
import threading
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from convscope.data.augment import epoch_order
from convscope.lessons.window import Array
from convscope.training.batches import batch_slices
from convscope.training.config import TrainConfig
from convscope.training.optimizer import Optimizer

_DIVERGED = 1e12
"""Training has diverged when the loss exceeds this multiple of the initial loss, or of 1."""


@dataclass(frozen=True)
class Task:
    """The image, the target filter and the hyperparameters: everything that determines the steps.

    `batch` is the number of patches per step; `seed` determines the initial weights and the order
    of the patches.
    """

    image: str
    target: tuple[float, ...]
    seed: int
    rate: float
    momentum: float
    decay: float
    batch: int


@dataclass(frozen=True)
class Moment:
    """The state after some steps: the weights, their velocity, the loss over all patches.

    `gradient` is the gradient of the loss over the `patches` patches of the next step.
    """

    weights: Array
    velocity: Array
    loss: float
    gradient: Array
    patches: int


class Descent:
    """A training that runs on demand, up to the requested step. Its patches are (n, 9).

    Attributes:
        diverged: the step after which the loss had diverged and training stopped, or None.
    """

    def __init__(self, task: Task, patches: Array) -> None:
        self.task = task
        self.diverged: int | None = None
        self._patches = patches
        self._wanted = patches @ np.array(task.target)
        layer = nn.Linear(patches.shape[1], 1, bias=False).double()
        self._optimizer = Optimizer(
            layer, TrainConfig(momentum=task.momentum, weight_decay=task.decay)
        )
        # NumPy views of the tensors that the optimizer reads and writes.
        layer.weight.grad = torch.zeros_like(layer.weight)
        self._weights: Array = layer.weight.detach().numpy()[0]
        self._gradient: Array = layer.weight.grad.numpy()[0]
        self._velocity: Array = self._optimizer.state["momentum_buffer"][0].numpy()[0]
        edge = 1 / math.sqrt(len(self._weights))  # PyTorch's default initialization
        self._weights[:] = np.random.default_rng(task.seed).uniform(-edge, edge, patches.shape[1])
        self._moments: list[Moment] = []
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.zeros(0, np.int64))
        self._working = threading.Lock()
        self._note()

    def until(self, step: int) -> list[Moment]:
        """Return the moments up to a step, or up to where the training diverged."""
        with self._working:
            while len(self._moments) <= step and self.diverged is None:
                self._go()
            return self._moments

    def loss(self, weights: Array) -> float:
        """Return the mean squared error over all patches for some weights."""
        error = self._patches @ weights - self._wanted
        return float(error @ error) / len(error)

    def _go(self) -> None:
        task, last = self.task, self._moments[-1]
        self._gradient[:] = last.gradient
        self._optimizer.step(task.rate)
        if task.momentum == 0:  # then the optimizer keeps no velocity
            self._velocity[:] = last.gradient + task.decay * last.weights
        self._note()

    def _note(self) -> None:
        loss = self.loss(self._weights)
        first = self._moments[0].loss if self._moments else loss
        if not loss <= _DIVERGED * max(1.0, first):
            self.diverged = len(self._moments)
        patches, wanted = self._batch(len(self._moments))
        error = patches @ self._weights - wanted
        self._moments.append(
            Moment(
                weights=self._weights.copy(),
                velocity=self._velocity.copy(),
                loss=loss,
                gradient=2 / len(patches) * (error @ patches),
                patches=len(patches),
            )
        )

    def _batch(self, step: int) -> tuple[Array, Array]:
        """Return the patches of a step; every epoch has all patches, in its own order."""
        count = len(self._patches)
        if self.task.batch >= count:
            return self._patches, self._wanted
        pieces = batch_slices(count, self.task.batch)
        epoch, index = divmod(step, len(pieces))
        if self._order[0] != epoch:
            indices = np.arange(count)
            self._order = epoch, epoch_order(indices, indices, seed=self.task.seed, epoch=epoch)
        chosen = self._order[1][pieces[index]]
        return self._patches[chosen], self._wanted[chosen]
