"""Randomness as a function: the order of an epoch, and what happens to each picture in it.

Order depends on (seed, epoch); what becomes of a picture on (seed, epoch, index) alone. So neither
the batch size, nor the number of workers, nor a restart changes what a network is shown.
"""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Augment = Literal["none", "crop", "crop-flip"]
"""`crop` shifts a picture within a black border; `crop-flip` also mirrors half of them."""

Sampling = Literal["shuffle", "balanced"]


def epoch_order(
    indices: NDArray[np.int64],
    labels: NDArray[np.int64],
    *,
    seed: int,
    epoch: int,
    sampling: Sampling = "shuffle",
) -> NDArray[np.int64]:
    """The pictures of one epoch, as many as there are `indices`, in the order in which they come.

    `shuffle` shows each exactly once. `balanced` shows every class equally often (give or take
    one): a rare class comes round several times before another picture of it would be a third.
    """
    random = np.random.default_rng([seed, epoch])
    if sampling == "shuffle":
        return random.permutation(indices)
    members = [indices[labels[indices] == label] for label in np.unique(labels[indices])]
    quota = -(-len(indices) // len(members))
    rounds = [
        np.concatenate([random.permutation(own) for _ in range(-(-quota // len(own)))])[:quota]
        for own in members
    ]
    return random.permutation(np.concatenate(rounds))[: len(indices)]


def draws(seed: int, epoch: int, indices: NDArray[np.int64], count: int) -> NDArray[np.uint64]:
    """`count` independent 64-bit numbers per index, (n, count): SplitMix64 of (seed, epoch, index).

    Steele, Lea & Flood, 2014, "Fast splittable pseudorandom number generators".
    """
    key = _mix(_mix(np.array([seed], np.uint64)) + np.uint64(epoch))
    own = _mix(key + indices.astype(np.uint64))
    step = np.uint64(0x9E3779B97F4A7C15)
    places = np.arange(1, count + 1, dtype=np.uint64) * step
    return _mix(own[:, None] + places)


def _mix(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def moves(
    indices: NDArray[np.int64], *, kind: Augment, padding: int, seed: int, epoch: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where an epoch cuts its window (n, 2), row and column in the padded picture, and which
    windows it mirrors (n,).
    """
    if kind == "none":
        return np.zeros((len(indices), 2), np.int64), np.zeros(len(indices), bool)
    numbers = draws(seed, epoch, indices, 3)
    places = (numbers[:, :2] % np.uint64(2 * padding + 1)).astype(np.int64)
    flip = (numbers[:, 2] >> np.uint64(63)).astype(bool) & (kind == "crop-flip")
    return places, flip


def augment(
    batch: Tensor, indices: NDArray[np.int64], *, kind: Augment, padding: int, seed: int, epoch: int
) -> Tensor:
    """What an epoch makes of a batch of bytes (n, h, w, c); same shape, on the same device.

    `padding` pixels of black are put around each picture, and a window of the old size is cut at
    one of the (2·padding + 1)² places, each equally likely.
    """
    if kind == "none":
        return batch
    places, flip = moves(indices, kind=kind, padding=padding, seed=seed, epoch=epoch)
    n, height, width, channels = batch.shape
    tall, wide = height + 2 * padding, width + 2 * padding
    padded = batch.new_zeros(n, tall, wide, channels)
    padded[:, padding : padding + height, padding : padding + width] = batch
    rows = places[:, :1] + np.arange(height)
    across = np.where(flip[:, None], np.arange(width)[::-1], np.arange(width))
    columns = places[:, 1:] + across
    cells = (np.arange(n)[:, None, None] * tall + rows[:, :, None]) * wide + columns[:, None, :]
    chosen = torch.from_numpy(cells.reshape(-1)).to(batch.device)
    return padded.view(-1, channels).index_select(0, chosen).view(n, height, width, channels)
