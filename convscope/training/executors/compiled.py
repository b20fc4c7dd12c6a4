"""Steps by the compiled engine for small networks on CPUs."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.data.augment import bordered, crop_and_flip_params
from convscope.data.augmentation.pipeline import Augmentation
from convscope.data.loading import MemoryBatchSource
from convscope.data.normalize import scale_and_shift
from convscope.lanes.engine import Engine
from convscope.lanes.frontend import Unsupported
from convscope.lanes.images import Images
from convscope.lanes.ir import Target
from convscope.lanes.program import Program
from convscope.lanes.step import Rule
from convscope.memory import free_memory
from convscope.training.batches import Batch
from convscope.training.config import TrainConfig, decided
from convscope.training.executors.base import ExecutorName, Inputs
from convscope.training.loss import BatchLoss
from convscope.training.nonfinite import explained, nonfinite_error
from convscope.training.optimizer import Optimizer, head_of
from convscope.training.state import TrainState


@dataclass(frozen=True)
class ImageMemory:
    """How the engine finds images: `row` bytes lie between the rows of each.

    `padded` are all images with a black border; None where they are read batch by batch, as those
    that are augmented otherwise than by shifts.
    """

    row: int
    padded: Tensor | None

    @classmethod
    def of(cls, inputs: Inputs, augmentation: Augmentation, config: TrainConfig) -> "ImageMemory":
        row = row_bytes(inputs, augmentation, config.cache_fraction)
        return cls(row, _padded_images(inputs, augmentation, row))


def write_program(
    network: nn.Module,
    inputs: Inputs,
    config: TrainConfig,
    memory: ImageMemory,
    target: Target,
    *,
    turns: bool,
) -> Program:
    """The machine code of a training's steps; `turns` as in `make_plan`."""
    if config.optimizer is None or config.optimizer == "rmsprop":
        raise Unsupported(f"the optimizer is {config.optimizer}")
    rule = Rule(
        config.optimizer,
        nesterov=config.nesterov,
        clips=bool(config.clip_grad_norm),
        lr_scales=config.backbone_lr_scale != 1,
    )
    shape = (inputs.card.in_channels, *inputs.card.input_size)
    return Program(network, shape, rule=rule, row=memory.row, target=target, turns=turns)


class CompiledExecutor:
    """Steps by the engine: the network's weights and the optimizer's state live in its memory.

    Images that are in memory are read where they lie, cropped and mirrored on the way.

    Raises Unsupported for a network that the engine does not cover.
    """

    name: ExecutorName = "lanes"

    def __init__(
        self,
        network: nn.Module,
        optimizer: Optimizer,
        inputs: Inputs,
        criterion: BatchLoss,
        augmentation: Augmentation,
        config: TrainConfig,
        memory: ImageMemory,
        program: Program,
    ) -> None:
        self.network, self.optimizer, self.inputs = network, optimizer, inputs
        self.criterion, self.augmentation, self.config = criterion, augmentation, config
        card = inputs.card
        self.engine = Engine(network, program.shape, program=program)
        self.simd_width = program.target.lanes
        self._scales = torch.stack(scale_and_shift(card), 1).contiguous().numpy()
        weights = criterion.weights
        self._class_weights = None if weights is None else weights.numpy()
        self._padded = memory.padded
        self._adopt_optimizer_state()
        for name, gradient in self.engine.gradients().items():
            network.get_parameter(name).grad = gradient
        head, lr_scale = head_of(network), decided(config.backbone_lr_scale)
        for name, scale in self.engine.state_views(self.engine.lr_scales).items():
            scale.fill_(1.0 if name.rpartition(".")[0] == head else lr_scale)

    def _adopt_optimizer_state(self) -> None:
        """Move the optimizer's state into the engine's memory, unchanged."""
        state = self.optimizer.state
        names = (
            ("momentum_buffer",) if self.config.optimizer == "sgd" else ("exp_avg", "exp_avg_sq")
        )
        for name, flat in zip(names, (self.engine.first, self.engine.second), strict=False):
            for index, view in enumerate(self.engine.state_views(flat).values()):
                view.copy_(state[name][index])
                state[name][index] = view

    def step(self, state: TrainState, batch: Batch, lr: float) -> tuple[float, int]:
        config, number = self.config, state.step + 1
        try:
            loss, num_correct = self.engine.step(
                self._images(batch),
                batch.labels.astype(np.int64),
                scales=self._scales,
                lr=lr,
                momentum=config.momentum,
                weight_decay=config.weight_decay,
                label_smoothing=config.label_smoothing,
                weights=self._class_weights,
                clip=decided(config.clip_grad_norm),
                number=number,
                seed=_step_seed(config.seed, number) if self.engine.drops else 0,
            )
        except MemoryError as error:  # batch norm keeps volumes of the whole batch
            raise explained(error, len(batch)) from error
        if not math.isfinite(loss):
            images = self.inputs.normalized(batch.pixels)
            raise nonfinite_error(f"The loss is {loss}", self.network, images, state=state, lr=lr)
        for count in self.optimizer.state.get("step", ()):
            count.fill_(number)
        return loss, num_correct

    def logits(self, indices: NDArray[np.int64], on_batch: Callable[[int], None]) -> Tensor:
        height, width = self.inputs.card.input_size
        logits = [torch.empty(0, self.engine.classes)]
        for pixels, rows in self._evaluation_batches(indices):
            _, padded_height, padded_width, channels = pixels.shape
            corner = (padded_height - height) // 2 * padded_width + (padded_width - width) // 2
            first = (rows * padded_height * padded_width + corner) * channels
            images = Images(pixels, first, np.full(len(rows), channels, np.int64))
            logits.append(torch.from_numpy(self.engine.logits(images, scales=self._scales)))
            on_batch(len(rows))
        return torch.cat(logits)

    def _evaluation_batches(
        self, indices: NDArray[np.int64]
    ) -> Iterator[tuple[Tensor, NDArray[np.int64]]]:
        """For each batch, a tensor of images and the rows of it that belong to the batch."""
        size = self.inputs.evaluation_batch
        batches = [indices[start : start + size] for start in range(0, len(indices), size)]
        if self._padded is not None:
            yield from ((self._padded, batch) for batch in batches)
            return
        for pixels in self.inputs.batch_source.batches(batches):
            yield pixels.contiguous(), np.arange(len(pixels), dtype=np.int64)

    def _images(self, batch: Batch) -> Images:
        """Where each image's first pixel lies, and the step to the next one."""
        if self._padded is None:
            pixels = batch.pixels.contiguous()
            size, channels = pixels[0].numel(), pixels.shape[3]
            first = size * np.arange(len(batch), dtype=np.int64)
            return Images(pixels, first, np.full(len(batch), channels, np.int64))
        augmentation = self.augmentation
        _, height, width, channels = self._padded.shape
        corner, flip = crop_and_flip_params(
            batch.indices,
            kind=augmentation.kind,
            padding=augmentation.padding,
            seed=augmentation.seed,
            epoch=batch.epoch,
            flip=augmentation.horizontal_flip,
        )
        column = corner[:, 1] + np.where(flip, self.inputs.card.input_size[1] - 1, 0)
        first = ((batch.indices * height + corner[:, 0]) * width + column) * channels
        steps = np.where(flip, -channels, channels).astype(np.int64)
        return Images(self._padded, first, steps)


def _padded_images(inputs: Inputs, augmentation: Augmentation, row: int) -> Tensor | None:
    """All images in memory with a border; None where they are read batch by batch."""
    source, card = inputs.batch_source, inputs.card
    if not isinstance(source, MemoryBatchSource) or not augmentation.only_shifts:
        return None
    padding = augmentation.border
    if row == card.input_size[1] * card.in_channels:
        return None if padding else source.pixels.contiguous()
    return torch.from_numpy(bordered(source.pixels.numpy(), padding, augmentation.border_mode))


def row_bytes(inputs: Inputs, augmentation: Augmentation, cache_fraction: float) -> int:
    """Bytes from one row of an image to the next, as the engine will read them."""
    card, source = inputs.card, inputs.batch_source
    height, width = card.input_size
    padding = augmentation.border if augmentation.only_shifts else 0
    if not isinstance(source, MemoryBatchSource):
        return width * card.in_channels
    padded_height, padded_width = height + 2 * padding, width + 2 * padding
    needed = len(source.pixels) * padded_height * padded_width * card.in_channels
    if padding and needed > cache_fraction * free_memory():
        return width * card.in_channels
    return padded_width * card.in_channels


def _step_seed(seed: int, step: int) -> int:
    """The seed, of 31 bits, of what is random in a step."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1)[0]) & 0x7FFFFFFF
