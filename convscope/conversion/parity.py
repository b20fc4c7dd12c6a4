"""Whether an exported network answers as PyTorch does, in the engine that will run it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.card import Card
from convscope.data.decode import decode_image
from convscope.data.depth import DecodedImage, to_bytes
from convscope.data.normalize import normalize
from convscope.data.resize import resize_image
from convscope.engines import Engine
from convscope.exported.pixels import network_input
from convscope.exported.probabilities import probabilities
from convscope.forward import main_output
from convscope.inference import probabilities as torch_probabilities

BATCHES = (1, 2, 3)
"""Numbers of images that are computed at once."""

ATOL, RTOL = 1e-5, 1e-4
"""Two implementations in float32 may differ by ATOL + RTOL times the largest number of a batch.

Winograd's convolutions, on which ncnn's speed depends, round about ten times as coarsely as sums of
products; the zoo's networks were seen to differ by at most a few millionths in every engine.
"""

PROBABILITY_TOLERANCE = 1e-3
"""Of a probability, for the same bytes of an image."""

MOST_LEVELS = 2
"""Of 255, by which the bytes that an image becomes may differ from those of training: PyTorch and
Pillow round otherwise.
"""

_ROUNDING = 0.01  # of a level, in what is normalized

ImageEngine = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Bytes (1, h, w, 3) to the network's input (1, c, height, width), and probabilities."""

_Answer = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[Any]]
"""What training feeds the network, what the exported network feeds it, and the probabilities."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """The largest differences between PyTorch and an exported network, and what they may be.

    Attributes:
        logits: for the same input, relative to the largest number that the network returned.
        probabilities: from image files on, for the bytes that the exported network makes of them.
        levels: how many levels of 255 these bytes are off those of training, for the same decoded
            image: a large JPEG may be decoded at a reduced size, and the graph gets it whole.
        end_to_end: of a probability, from image files on, to `predict` with PyTorch: what a network
            makes of `levels`, which is not limited.
        tolerance: what `logits` may be.
        batches: how many images were computed at once.
        num_files: how many files were read.
    """

    logits: float
    probabilities: float
    levels: float
    end_to_end: float
    tolerance: float
    batches: tuple[int, ...] = BATCHES
    num_files: int

    @property
    def holds(self) -> bool:
        return (
            self.logits <= self.tolerance
            and self.probabilities <= max(PROBABILITY_TOLERANCE, self.tolerance)
            and self.levels <= MOST_LEVELS + _ROUNDING
        )

    def to_dict(self) -> dict[str, Any]:
        """The differences and their limits as values of JSON."""
        limits = {"probability_tolerance": PROBABILITY_TOLERANCE, "most_levels": MOST_LEVELS}
        return {**asdict(self), **limits}


def measure_parity(
    net: nn.Module,
    card: Card,
    engine: Engine,
    files: Sequence[Path],
    *,
    image_engine: ImageEngine | None = None,
    tolerance: float = RTOL,
) -> Parity:
    """Compare a network, in eval mode on the CPU, with its exported form, on files and on noise.

    `image_engine` is the graph that takes images of any size, if it is to be compared, too.
    """
    inputs = [network_input(path, card) for path in files]
    noise = torch.randn(3, card.in_channels, *card.input_size, generator=_generator()).numpy()
    stack = np.concatenate([*inputs, noise])
    logits = 0.0
    for size in BATCHES:
        for start in range(0, len(stack) - size + 1, size):
            batch = np.ascontiguousarray(stack[start : start + size])
            expected = outputs_of(net, torch.from_numpy(batch), len(card.classes)).numpy()
            logits = max(logits, difference(engine(batch), expected))
    worst = np.zeros(3)
    for path, given in zip(files, inputs, strict=True):
        trained = _trained_input(decode_image(path, card), card)
        predicted = _probabilities_of(net, card, trained)
        answers: list[_Answer] = [(trained, given, probabilities(engine(given), card))]
        if image_engine is not None:
            whole = decode_image(path)
            pixels = np.asarray(to_bytes(whole, card.value_range).convert("RGB"))
            answers.append((_trained_input(whole, card), *image_engine(pixels[None])))
        for usual, fed, found in answers:
            differences = (
                np.abs(found - _probabilities_of(net, card, fed)).max(),
                (np.abs(fed - usual) * 255 * np.array(card.std).reshape(-1, 1, 1)).max(),
                np.abs(found - predicted).max(),
            )
            worst = np.maximum(worst, differences)
    return Parity(
        logits=logits,
        probabilities=float(worst[0]),
        levels=float(worst[1]),
        end_to_end=float(worst[2]),
        tolerance=tolerance,
        num_files=len(files),
    )


def _trained_input(image: DecodedImage, card: Card) -> NDArray[np.float32]:
    """What training feeds the network, (1, c, height, width)."""
    pixels = torch.from_numpy(resize_image(image, card).copy())[None]
    return normalize(pixels, card, channels_last=False).numpy()


def _probabilities_of(net: nn.Module, card: Card, fed: NDArray[np.float32]) -> NDArray[np.float64]:
    """What PyTorch answers."""
    output = outputs_of(net, torch.from_numpy(fed), len(card.classes))
    return torch_probabilities(output, card).numpy()


def difference(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """The largest difference, relative to the largest expected number; infinite for other shapes
    and for what is not finite.
    """
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    largest = float(np.abs(expected).max()) + ATOL / RTOL
    return float(np.abs(found - expected).max()) / largest


@torch.inference_mode()
def outputs_of(net: nn.Module, images: Tensor, num_classes: int) -> Tensor:
    """What the network returns for the classes, (n, classes)."""
    output = main_output(net(images), num_classes)
    assert output is not None  # it was exported
    return output


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
