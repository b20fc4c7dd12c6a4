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
from convscope.data.depth import to_bytes
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
"""Two implementations in float32 may differ by ATOL + RTOL times the largest number of a batch."""

FILE_TOLERANCE = 0.01
"""From an image file on, where PyTorch scales some images and Pillow all, by a probability."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """The largest differences between PyTorch and an exported network.

    Attributes:
        logits: for the same input, relative to the largest number that the network returned.
        files: of a probability, from image files on, read by the exported network's own code.
        images: the same through the graph that takes images of any size; None if it was not run.
        batches: how many images were computed at once.
        tolerance: what `logits` may be.
        num_files: how many files were read.
    """

    logits: float
    files: float
    images: float | None
    batches: tuple[int, ...]
    tolerance: float
    num_files: int

    @property
    def holds(self) -> bool:
        through_files = max(self.files, self.images or 0.0)
        return self.logits <= self.tolerance and through_files <= FILE_TOLERANCE

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "file_tolerance": FILE_TOLERANCE}


def measure_parity(
    net: nn.Module,
    card: Card,
    engine: Engine,
    files: Sequence[Path],
    *,
    image_engine: Callable[[NDArray[np.uint8]], NDArray[np.float32]] | None = None,
    tolerance: float = RTOL,
) -> Parity:
    """Compare a network with its exported form on image files and on noise.

    Args:
        net: in eval mode, on the CPU.
        image_engine: uint8 (1, h, w, 3) to probabilities (1, classes).
    """
    inputs = [network_input(path, card) for path in files]
    noise = torch.randn(3, card.in_channels, *card.input_size, generator=_generator()).numpy()
    stack = np.concatenate([*inputs, noise])
    worst = 0.0
    for size in BATCHES:
        for start in range(0, len(stack) - size + 1, size):
            batch = np.ascontiguousarray(stack[start : start + size])
            expected = outputs_of(net, torch.from_numpy(batch), len(card.classes)).numpy()
            worst = max(worst, difference(engine(batch), expected))
    from_files, from_images = 0.0, None if image_engine is None else 0.0
    for path, given in zip(files, inputs, strict=True):
        expected = _from_file(net, path, card)
        found = probabilities(engine(given), card)
        from_files = max(from_files, float(np.abs(found - expected).max()))
        if image_engine is not None and from_images is not None:
            pixels = np.asarray(to_bytes(decode_image(path), card.value_range).convert("RGB"))
            through = image_engine(pixels[None])
            from_images = max(from_images, float(np.abs(through - expected).max()))
    return Parity(
        logits=worst,
        files=from_files,
        images=from_images,
        batches=BATCHES,
        tolerance=tolerance,
        num_files=len(files),
    )


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


def _from_file(net: nn.Module, path: Path, card: Card) -> NDArray[np.float64]:
    """As `convscope.predict` computes it with PyTorch."""
    pixels = torch.from_numpy(resize_image(decode_image(path, card), card).copy())[None]
    output = outputs_of(net, normalize(pixels, card, channels_last=False), len(card.classes))
    return torch_probabilities(output, card).numpy()


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
