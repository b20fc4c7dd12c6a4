"""Steps by PyTorch."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.data.normalize import Normalizer
from convscope.device import Precision
from convscope.distributed.group import ALONE, Group
from convscope.errors import LostProcessError
from convscope.evaluation.measure import compute_outputs
from convscope.forward import like_parameters, network_error
from convscope.gradients import contiguous_gradients
from convscope.mixed_precision import autocast
from convscope.training.batches import Batch, batch_slices
from convscope.training.executors.base import ExecutorName, Inputs
from convscope.training.executors.ddp import GradientSum, Share
from convscope.training.executors.fsdp import ShardedNetwork, clip_grad_norm
from convscope.training.loss import BatchLoss
from convscope.training.loss_scaler import LossScaler
from convscope.training.nonfinite import explained, nonfinite_error
from convscope.training.optimizer import Optimizer
from convscope.training.state import TrainState


class EagerExecutor:
    """Steps by PyTorch's autograd, through torch.compile where that is asked for.

    Args:
        network: on the device of `inputs`.
        clip_grad_norm: largest norm of all gradients together; 0 for no limit.
        precision: of the forward and backward pass; the loss, the update and evaluations are in
            float32.
        scaler: of the loss, for fp16.
        micro_batch: images that go through the network at a time. The gradients of larger batches
            are added up over equal parts, batch norm's statistics are those of each part; None for
            all at once.
        sums: adds up the gradients of several processes; None for one.
        sharded: the network, where its weights are divided among them; `network` is then its copy.
    """

    name: ExecutorName = "torch"
    simd_width: int | None = None

    def __init__(
        self,
        network: nn.Module,
        optimizer: Optimizer,
        inputs: Inputs,
        criterion: BatchLoss,
        *,
        clip_grad_norm: float = 0.0,
        compile: bool = False,  # noqa: A002 -- torch's word
        precision: Precision = "float32",
        scaler: LossScaler | None = None,
        micro_batch: int | None = None,
        sums: GradientSum | None = None,
        sharded: ShardedNetwork | None = None,
    ) -> None:
        self.network, self.optimizer, self.micro_batch = network, optimizer, micro_batch
        self.inputs, self.criterion = inputs, criterion
        self.clip_grad_norm, self.sums = clip_grad_norm, sums
        self.precision: Precision = precision
        self.scaler, self.sharded = scaler, sharded
        self.group = ALONE if sums is None else sums.group
        self.forward = torch.compile(network) if compile else network
        self._normalize = Normalizer(inputs.card, channels_last=inputs.channels_last)

    def step(self, state: TrainState, batch: Batch, lr: float) -> tuple[float, int]:
        targets = torch.from_numpy(batch.truth).to(self.inputs.device)
        if self.sums is not None:
            self.sums.begin(state)
        parts = micro_batches(batch.num_here, self.micro_batch)
        try:
            pixels = batch.pixels.to(self.inputs.device, non_blocking=True)
            images = self._normalize(pixels)
            if batch.mix is not None:
                targets = batch.mix.targets(targets, len(self.inputs.card.classes))
                images = batch.mix.images(images)
            self.optimizer.zero_grad()
            weight, unit = self._weight(batch, targets), self._unit(batch)
            results = [self._gradients(images, targets, part, weight / unit) for part in parts]
            values = [loss.item() for loss, _ in results]
            for part, value in zip(parts, values, strict=True):
                if not math.isfinite(value):
                    what = f"The loss is {value}"
                    fed = images[part] if self.sharded is None else None  # the others are not here
                    with self.autocast():
                        raise nonfinite_error(what, self.network, fed, state=state, lr=lr)
            logits = torch.cat([logits for _, logits in results])
            loss, num_correct = sum(values), self.criterion.num_correct(logits, targets)
            if self.sums is not None:
                mine = Share(loss, weight, num_correct, len(targets), unit)
                loss, num_correct = self.sums.add_up(state, mine)
            self._update(lr)
        except (RuntimeError, MemoryError) as error:
            size = batch.num_here // len(parts)
            raise explained(error, size * self.group.size) from error
        return loss, num_correct

    def _update(self, lr: float) -> None:
        """Clip the gradients of the mean loss, and change the weights."""
        if self.scaler is not None:
            self.scaler.unscale(self.optimizer)
        if self.clip_grad_norm:
            self._clip()
        if self.scaler is None:
            self.optimizer.step(lr)
        else:
            self.scaler.step(self.optimizer, lr)

    def _weight(self, batch: Batch, targets: Tensor) -> float:
        """By what the gradients of the mean loss are multiplied, before they are added up."""
        if self.sums is None:
            return 1.0
        return 0.0 if batch.is_spare else float(self.criterion.weight(targets))

    def _unit(self, batch: Batch) -> float:
        """By what a weight is divided, so that a sum overflows in fp16 no sooner than a mean."""
        return 1.0 if self.sums is None or self.scaler is None else float(batch.num_images)

    def _gradients(
        self, images: Tensor, targets: Tensor, part: slice, weight: float
    ) -> tuple[Tensor, Tensor]:
        """Add the gradients of a part of the batch; its share of the mean loss, and its logits."""
        loss, logits = self.criterion(self._output(images[part]), targets[part])
        if len(logits) < len(targets):
            loss = loss * (self.criterion.weight(targets[part]) / self.criterion.weight(targets))
        self._backward(loss if weight == 1 else loss * weight)
        return loss.detach(), logits.detach()

    def _clip(self) -> None:
        if self.sharded is None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip_grad_norm)
        else:
            clip_grad_norm(self.optimizer.weights, self.clip_grad_norm, self.group)

    def autocast(self) -> AbstractContextManager[None]:
        """The context in which the network is called in a step."""
        return autocast(self.inputs.device, self.precision)

    def _output(self, images: Tensor) -> object:
        """What the network returns. Raises NetworkError where it fails by itself."""
        try:
            with self.autocast():
                return self.forward(like_parameters(self.network, images))
        except Exception as error:
            reason = self._lost(error) or explained(error, len(images) * self.group.size)
            if reason is not error:
                raise reason from error
            shape = "x".join(map(str, images.shape[1:]))
            doing = f"in training mode, for {len(images)} images of {shape}"
            raise network_error(error, self.network, name="The network", doing=doing) from error

    def _backward(self, loss: Tensor) -> None:
        """The gradients. Raises NetworkError where autograd cannot compute them."""
        try:
            scaled = loss if self.scaler is None else self.scaler.scaled(loss)
            with autocast(self.inputs.device, "float32"):  # also within the caller's
                contiguous_gradients(scaled).backward()
        except RuntimeError as error:
            if (lost := self._lost(error)) is not None:
                raise lost from error
            if explained(error, 2) is not error:
                raise
            doing = "in the backward pass"
            raise network_error(error, self.network, name="The network", doing=doing) from error

    def _lost(self, error: Exception) -> LostProcessError | None:
        """Weights that are divided are exchanged in the forward and backward pass."""
        return None if self.sharded is None else self.group.lost(error, "in a step")

    def logits(self, indices: NDArray[np.int64], on_batch: Callable[[int], None]) -> Tensor:
        if self.sharded is None:
            return torch_logits(self.network, self.inputs, indices, on_batch, self.group)
        self.optimizer.zero_grad()  # their memory is needed for the whole weights
        with self.sharded.gathered("at the weights of an evaluation") as network:
            return torch_logits(network, self.inputs, indices, on_batch, self.group)


def micro_batches(n: int, size: int | None) -> list[slice]:
    """So few parts of a batch, as equal as can be, that none has more than `size` images.

    But for one more, where a single image would be left over: batch norm needs two.
    """
    count = len(batch_slices(n, size or n))
    ends = [n * number // count for number in range(count + 1)]
    return [slice(*pair) for pair in pairwise(ends)]


def torch_logits(
    network: nn.Module,
    inputs: Inputs,
    indices: NDArray[np.int64],
    on_batch: Callable[[int], None],
    group: Group = ALONE,
) -> Tensor:
    """The logits (n, classes) of some images by PyTorch, as `Executor.logits`."""
    return compute_outputs(
        network,
        inputs.batch_source,
        indices,
        inputs.card,
        batch_size=inputs.evaluation_batch,
        device=inputs.device,
        channels_last=inputs.channels_last,
        on_progress=on_batch,
        group=group,
    )
