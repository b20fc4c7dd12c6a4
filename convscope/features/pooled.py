"""One vector for each image at chosen layers: the units, or the mean of each map."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.data.batch_sources import BatchSource
from convscope.errors import WorkError
from convscope.features.layer_pass import LayerPass

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class PooledFeatures:
    """Vectors of images.

    Attributes:
        vectors: by the layer's name, (n, c): the units of a dense layer, the mean over all
            positions of each map of a convolution.
        logits: (n, classes), what the network returned.
        pixels: bytes (n, h, w, c), if they were asked for.
    """

    vectors: dict[str, Vectors]
    logits: NDArray[np.float32]
    pixels: NDArray[np.uint8] | None = None


def pooled_features(
    layer_pass: LayerPass,
    source: BatchSource,
    indices: NDArray[np.int64],
    *,
    keep_pixels: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> PooledFeatures:
    """The vectors of the images at `indices`, in this order, in one pass.

    The memory that is needed is that of the vectors. Raises WorkError where a unit is not finite.
    """
    parts: dict[str, list[Vectors]] = {layer.name: [] for layer in layer_pass.layers}
    logits: list[Vectors] = []
    pixels: list[NDArray[np.uint8]] = []
    for batch in layer_pass.batches(source, indices, on_progress=on_progress):
        for name, units in batch.units.items():
            vectors = units.float()
            vectors = vectors.mean((2, 3)) if vectors.ndim == 4 else vectors
            parts[name].append(vectors.cpu().numpy())
        logits.append(batch.logits.float().cpu().numpy())
        if keep_pixels:
            pixels.append(batch.pixels.cpu().numpy())
    found = {name: np.concatenate(rows) for name, rows in parts.items()}
    for name, vectors in found.items():
        if not np.isfinite(vectors).all():
            raise WorkError(f"{name} has units that are not finite: the network's weights are bad.")
    return PooledFeatures(
        found, np.concatenate(logits), np.concatenate(pixels) if keep_pixels else None
    )


def spread(indices: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most so many of the indices, evenly out of all, ascending.

    >>> spread(np.arange(10), 4).tolist()
    [0, 3, 6, 9]
    """
    if len(indices) <= most:
        return indices
    return indices[np.linspace(0, len(indices) - 1, most).astype(np.int64)]
