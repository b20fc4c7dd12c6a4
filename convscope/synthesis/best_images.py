"""What the images of a data set reach of a value that a computed picture maximizes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from convscope.card import Card
from convscope.data.batch_sources import BatchSource
from convscope.data.normalize import normalize
from convscope.synthesis.layer_outputs import LayerOutputs
from convscope.synthesis.targets import Target


@dataclass(frozen=True)
class BestImage:
    """The image of a data set with the largest value of a target.

    Attributes:
        index: in the data set.
        value: the largest value.
        median: of all images that were looked at.
        num_images: how many these were.
        name: its key in the data set, and `label` its class.
        pixels: bytes (h, w, c), as the network gets it.
    """

    index: int
    value: float
    median: float
    num_images: int
    name: str = ""
    label: str = ""
    pixels: NDArray[np.uint8] | None = None


def find_best(
    net: nn.Module,
    card: Card,
    targets: Sequence[Target],
    source: BatchSource,
    indices: NDArray[np.int64],
    *,
    batch_size: int = 64,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[BestImage]:
    """For each target the best of the images at `indices`, in one pass without gradients.

    Of each image one number for each target is kept.
    """
    device = next((p.device for p in net.parameters()), torch.device("cpu"))
    watched = LayerOutputs(net, {target.layer for target in targets})
    values = np.zeros((len(targets), len(indices)))
    starts = range(0, len(indices), batch_size)
    chosen = [indices[start : start + batch_size] for start in starts]
    with torch.no_grad():
        for start, pixels in zip(starts, source.batches(chosen), strict=True):
            outputs = watched.run(normalize(pixels.to(device), card, channels_last=False))
            for row, target in enumerate(targets):
                values[row, start : start + len(pixels)] = target.values(
                    outputs[target.layer]
                ).cpu()
            on_progress(start + len(pixels), len(indices))
    best = values.argmax(1)
    return [
        BestImage(int(indices[at]), float(row[at]), float(np.median(row)), len(indices))
        for at, row in zip(best, values, strict=True)
    ]
