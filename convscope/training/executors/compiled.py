"""Steps by the engine for small networks, where it covers a network and is faster than PyTorch."""

import copy
import math
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.data.augment import moves
from convscope.data.loading import MemoryBatchSource
from convscope.data.normalize import scale_and_shift
from convscope.device import free_memory
from convscope.errors import RequestError
from convscope.lanes.images import Images
from convscope.training.batches import augmented, orders_from
from convscope.training.config import decided
from convscope.training.executors.eager import EVALUATION_BATCH, Batch, Stepper, TorchStepper
from convscope.training.optimizer import Optimizer, head_of

if TYPE_CHECKING:
    from convscope.lanes.engine import Engine
    from convscope.training.trainer import Training

_TRIED = 0.15  # seconds in which both are timed
_TURNS = 4  # steps that each makes at least


class LanesStepper:
    """Steps by the engine: the network's weights and the optimizer's momenta live in its memory.

    Images that are in memory are read where they lie, cropped and mirrored on the way.
    """

    name: Literal["torch", "lanes"] = "lanes"

    def __init__(self, training: "Training", engine: "Engine") -> None:
        settings = training.settings
        self.engine = engine
        self.scales = torch.stack(scale_and_shift(training.card), 1).contiguous().numpy()
        self.weights = None if training.weights is None else training.weights.numpy()
        self.padded = _padded(training, engine.row)
        self._share(training)
        for name, piece in engine.gradients().items():
            training.net.get_parameter(name).grad = piece
        head = head_of(training.net)
        for name, piece in engine.state_views(engine.shares).items():
            piece.fill_(1.0 if name.rpartition(".")[0] == head else settings.backbone_lr_scale)

    def _share(self, training: "Training") -> None:
        """The optimizer's state moves into the engine's memory, as it is."""
        state = training.optimizer.state
        held = (
            ("momentum_buffer",)
            if training.settings.optimizer == "sgd"
            else ("exp_avg", "exp_avg_sq")
        )
        for name, flat in zip(held, (self.engine.first, self.engine.second), strict=False):
            for place, piece in enumerate(self.engine.state_views(flat).values()):
                piece.copy_(state[name][place])
                state[name][place] = piece

    def batches(self, training: "Training") -> Iterator[Batch]:
        if self.padded is None:
            yield from TorchStepper().batches(training)
            return
        counters, settings = training.counters, training.settings
        feed, epoch = training.loaded.batch_source, counters.epoch

        def see(indices: NDArray[np.int64]) -> Tensor:
            [pixels] = feed.batches([indices])
            return augmented(pixels, indices, settings, epoch=epoch)

        for indices in orders_from(counters.batch, training.loaded, settings, epoch=epoch):
            yield Batch(indices, lambda indices=indices: see(indices))

    def step(self, training: "Training", batch: Batch, rate: float) -> tuple[float, int]:
        settings, counters = training.settings, training.counters
        number = counters.step + 1
        loss, hits = self.engine.step(
            self._images(training, batch),
            training.loaded.dataset.labels[batch.indices].astype(np.int64),
            scales=self.scales,
            rate=rate,
            momentum=settings.momentum,
            decay=settings.weight_decay,
            smoothing=settings.label_smoothing,
            weights=self.weights,
            clip=settings.clip_grad_norm,
            number=number,
            dice=_dice(settings.seed, number) if self.engine.drops else 0,
        )
        if not math.isfinite(loss):
            training.refuse(f"The loss became {loss}", rate, training.images(batch.see()))
        for counted in training.optimizer.state.get("step", ()):
            counted.fill_(number)
        return loss, hits

    def logits(
        self, training: "Training", indices: NDArray[np.int64], tick: Callable[[int], None]
    ) -> Tensor:
        height, width = training.card.input_size
        found = [torch.empty(0, self.engine.classes)]
        for pixels, places in self._seen(training, indices):
            _, tall, wide, channels = pixels.shape
            corner = (tall - height) // 2 * wide + (wide - width) // 2
            first = (places * tall * wide + corner) * channels
            images = Images(pixels, first, np.full(len(places), channels, np.int64))
            logits = self.engine.logits(images, scales=self.scales)
            found.append(torch.from_numpy(logits))
            tick(len(places))
        return torch.cat(found)

    def _seen(
        self, training: "Training", indices: NDArray[np.int64]
    ) -> Iterator[tuple[Tensor, NDArray[np.int64]]]:
        """Batch by batch where pictures lie, and which they are there."""
        size = EVALUATION_BATCH
        batches = [indices[first : first + size] for first in range(0, len(indices), size)]
        if self.padded is not None:
            yield from ((self.padded, batch) for batch in batches)
            return
        for pixels in training.loaded.batch_source.batches(batches):
            yield pixels.contiguous(), np.arange(len(pixels), dtype=np.int64)

    def _images(self, training: "Training", batch: Batch) -> Images:
        """Where each image's first pixel lies, and the way to the next."""
        count = len(batch.indices)
        if self.padded is None:
            pixels = batch.see().contiguous()
            size, channels = pixels[0].numel(), pixels.shape[3]
            first = size * np.arange(count, dtype=np.int64)
            return Images(pixels, first, np.full(count, channels, np.int64))
        settings = training.settings
        _, height, width, channels = self.padded.shape
        cut, flip = moves(
            batch.indices,
            kind=settings.augment,
            padding=decided(settings.crop_padding),
            seed=settings.seed,
            epoch=training.counters.epoch,
        )
        across = cut[:, 1] + np.where(flip, training.card.input_size[1] - 1, 0)
        first = ((batch.indices * height + cut[:, 0]) * width + across) * channels
        steps = np.where(flip, -channels, channels).astype(np.int64)
        return Images(self.padded, first, steps)


def _padded(training: "Training", row: int) -> Tensor | None:
    """All images in memory, with their borders of black; None where they are read otherwise."""
    feed, card = training.loaded.batch_source, training.card
    if not isinstance(feed, MemoryBatchSource):
        return None
    if row == card.input_size[1] * card.in_channels:
        return feed.pixels.contiguous() if training.settings.augment == "none" else None
    n, height, width, channels = feed.pixels.shape
    padding = decided(training.settings.crop_padding)
    padded = feed.pixels.new_zeros(n, height + 2 * padding, width + 2 * padding, channels)
    padded[:, padding : padding + height, padding : padding + width] = feed.pixels
    return padded


def row_of(training: "Training") -> int:
    """Bytes from one row of an image to the next, as the engine will read them."""
    card, feed = training.card, training.loaded.batch_source
    height, width = card.input_size
    settings = training.settings
    padding = 0 if settings.augment == "none" else decided(settings.crop_padding)
    if not isinstance(feed, MemoryBatchSource):
        return width * card.in_channels
    tall, wide = height + 2 * padding, width + 2 * padding
    more = len(feed.pixels) * tall * wide * card.in_channels
    if padding and more > training.settings.cache_fraction * free_memory():
        return width * card.in_channels
    return wide * card.in_channels


def _dice(seed: int, step: int) -> int:
    """A number of 31 bits for what is random in a step."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1)[0]) & 0x7FFFFFFF


def choose_stepper(training: "Training") -> Stepper:
    """Who makes the steps, as `--engine` says; the watcher is told what was chosen, and why.

    A training that goes on keeps the engine that it began with, where it can be had. Raises
    RequestError where lanes were asked for and cannot be had.
    """
    settings, begun = training.settings, training.counters.engine
    wished = begun or settings.engine
    if wished == "torch":
        return TorchStepper()
    reason = _hindrance(training)
    if reason:
        if settings.engine == "lanes" and not begun:
            raise RequestError(
                f"--engine lanes cannot train this, because {reason}. Choose --engine torch."
            )
        if begun:
            training.watcher.note(f"Not bit-identical to an unbroken run: {reason}.")
        elif reason not in _EXPECTED:
            training.watcher.note(f"PyTorch computes the steps, because {reason}.")
        return TorchStepper()
    if wished == "auto":
        ours, theirs = _timed(training)
        if ours >= theirs:
            training.watcher.note(
                f"PyTorch computes the steps: it takes {theirs:.1f} ms for one, the compiled "
                f"engine {ours:.1f} ms."
            )
            return TorchStepper()
        training.watcher.note(
            f"Compiled for this processor: a step takes {ours:.1f} ms, PyTorch's {theirs:.1f} ms, "
            f"{theirs / ours:.1f} times as long (--engine torch turns this off)."
        )
    return _lanes(training)


_EXPECTED = ("it computes on cuda", "it computes on mps", "torch.compile was asked for")
_MISSING = "llvmlite is not installed (`pip install 'convscope[lanes]'`)"
_MOST = 2_000_000  # weights of a network that is compiled
_MULTIPLIED = 60_000_000  # multiply-adds for an image


def _hindrance(training: "Training") -> str:
    """Why the engine cannot train this network, in words that follow "because"; else empty."""
    settings, net = training.settings, training.net
    reasons = (
        (training.device.type != "cpu", f"it computes on {training.device.type}"),
        (settings.compile, "torch.compile was asked for"),
        (settings.freeze is not None, "layers are held by --freeze"),
        (training.card.output == "probabilities", "the network ends in softmax"),
        (find_spec("llvmlite") is None, _MISSING),
    )
    for holds, reason in reasons:
        if holds:
            return reason
    weights = sum(weight.numel() for weight in net.parameters())
    if weights > _MOST:
        return f"it has {weights:,} weights and the compiled engine is for small networks"
    from convscope.lanes.frontend import Unsupported, read_network  # noqa: PLC0415 -- of an extra

    card = training.card
    try:
        nodes = read_network(net, (card.in_channels, *card.input_size))
    except Unsupported as error:
        return str(error)
    work = sum(node.multiply_adds for node in nodes)
    if work > _MULTIPLIED:
        return f"it takes {work:,} multiply-adds and the compiled engine is for small networks"
    return ""


def _lanes(training: "Training") -> LanesStepper:
    from convscope.lanes.engine import Engine  # noqa: PLC0415
    from convscope.lanes.step import Rule  # noqa: PLC0415

    settings, card = training.settings, training.card
    rule = Rule(
        settings.optimizer,
        clips=bool(settings.clip_grad_norm),
        shares=settings.backbone_lr_scale != 1,
    )
    engine = Engine(
        training.net, (card.in_channels, *card.input_size), rule=rule, row=row_of(training)
    )
    return LanesStepper(training, engine)


def _timed(training: "Training") -> tuple[float, float]:
    """Milliseconds of a step by the engine and by PyTorch, on copies that are thrown away."""
    ours, theirs = (_trial(training) for _ in range(2))
    with torch.random.fork_rng():
        steppers = ((ours, _lanes(ours)), (theirs, TorchStepper()))
        batches = [next(stepper.batches(trial)) for trial, stepper in steppers]
        best = [math.inf, math.inf]
        began = time.perf_counter()
        turn = 0
        while turn < _TURNS or time.perf_counter() - began < _TRIED:
            for place, (trial, stepper) in enumerate(steppers):
                begun = time.perf_counter()
                stepper.step(trial, batches[place], 0.0)
                spent = 1000 * (time.perf_counter() - begun)
                if turn:  # the first prepares
                    best[place] = min(best[place], spent)
            turn += 1
    return best[0], best[1]


def _trial(training: "Training") -> "Training":
    """The training with a network, an optimizer and counters of its own."""
    trial = copy.copy(training)
    trial.net = copy.deepcopy(training.net).train()
    trial.forward = trial.net
    trial.optimizer = Optimizer(trial.net, training.settings)
    trial.counters = copy.copy(training.counters)
    return trial
