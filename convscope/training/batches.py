"""How an epoch falls into batches, and how many of them a training has."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from convscope.data.augment import augment, epoch_order
from convscope.data.loading import LoadedDataset
from convscope.training.config import TrainConfig, decided


def slices(n: int, size: int) -> list[slice]:
    """Batches of `size`; a last single picture joins the batch before, for batch norm's sake."""
    starts = list(range(0, n, size))
    if len(starts) > 1 and size > 1 and n - starts[-1] == 1:
        starts.pop()
    return [slice(start, stop) for start, stop in zip(starts, [*starts[1:], n], strict=True)]


def total_steps(settings: TrainConfig, batches: int) -> int | None:
    """How many steps a training has; None where minutes decide."""
    if settings.max_minutes is not None:
        return None
    return settings.steps if settings.steps is not None else settings.epochs * batches


def orders_from(
    batch: int, loaded: LoadedDataset, settings: TrainConfig, *, epoch: int
) -> list[NDArray[np.int64]]:
    """The indices of an epoch's batches from number `batch` on."""
    order = epoch_order(
        loaded.dataset.indices("train"),
        loaded.dataset.labels,
        seed=settings.seed,
        epoch=epoch,
        sampling=settings.sampling,
    )
    return [order[piece] for piece in slices(len(order), decided(settings.batch_size))[batch:]]


def batches_from(
    batch: int, loaded: LoadedDataset, settings: TrainConfig, *, epoch: int
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    """The batches of an epoch from number `batch` on: their indices and bytes (n, h, w, c)."""
    coming = orders_from(batch, loaded, settings, epoch=epoch)
    for indices, pixels in zip(coming, loaded.batch_source.batches(coming), strict=True):
        yield indices, augmented(pixels, indices, settings, epoch=epoch)


def augmented(
    pixels: Tensor,
    indices: NDArray[np.int64],
    settings: TrainConfig,
    *,
    epoch: int,
) -> Tensor:
    """What an epoch makes of the images at `indices`, bytes (n, h, w, c)."""
    return augment(
        pixels,
        indices,
        kind=settings.augment,
        padding=decided(settings.crop_padding),
        seed=settings.seed,
        epoch=epoch,
    )
