"""Reproducible randomness: the order of an epoch, and the augmentation of each image.

The order depends on (seed, epoch) alone, the augmentation of an image on (seed, epoch, index)
alone. So neither the batch size, nor the number of workers, nor a restart changes what a network
is trained on.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.data.augment_kinds import SHIFTED, CropPadding, Kind, Sampling, flip_probability

POSITION, FLIP, WINDOW = 0, 2, 3
"""Which of an image's random numbers decide what: two for where a window lies, one for whether it
is mirrored, and from the fourth on pairs for the area and the ratio of a resized one.
"""


def epoch_order(
    indices: NDArray[np.int64],
    labels: NDArray[np.int64],
    *,
    seed: int,
    epoch: int,
    sampling: Sampling = "shuffle",
) -> NDArray[np.int64]:
    """The indices of one epoch in their order, as many as there are `indices`.

    `shuffle` has each index exactly once. `balanced` has every class equally often (to within
    one): the images of a rare class are repeated, each of them equally often (to within one).
    """
    random = np.random.default_rng([seed, epoch])
    if sampling == "shuffle":
        return random.permutation(indices)
    classes = [indices[labels[indices] == label] for label in np.unique(labels[indices])]
    quota = -(-len(indices) // len(classes))
    rounds = [
        np.concatenate([random.permutation(one) for _ in range(-(-quota // len(one)))])[:quota]
        for one in classes
    ]
    return random.permutation(np.concatenate(rounds))[: len(indices)]


def random_bits(
    seed: int, epoch: int, indices: NDArray[np.int64], count: int, *, first: int = 0
) -> NDArray[np.uint64]:
    """`count` independent 64-bit numbers per index (n, count): SplitMix64 of (seed, epoch, index).

    They are numbers `first`, `first` + 1, ... of the index's sequence.

    Steele, Lea & Flood, 2014, "Fast splittable pseudorandom number generators".
    """
    key = _mix(_mix(np.array([seed], np.uint64)) + np.uint64(epoch))
    states = _mix(key + indices.astype(np.uint64))
    gamma = np.uint64(0x9E3779B97F4A7C15)
    offsets = np.arange(first + 1, first + count + 1, dtype=np.uint64) * gamma
    return _mix(states[:, None] + offsets)


def unit_interval(bits: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Numbers uniform in [0, 1), of 64-bit ones of any shape."""
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def crop_and_flip_params(
    indices: NDArray[np.int64],
    *,
    kind: Kind,
    padding: int,
    seed: int,
    epoch: int,
    flip: float | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The corner (row, column) of each image's window in the padded image (n, 2), and whether the
    window is mirrored (n,), with probability `flip`: by default that of the kind.
    """
    probability = flip_probability(kind) if flip is None else flip
    border = padding if kind in SHIFTED else 0
    if not border and not probability:
        return np.zeros((len(indices), 2), np.int64), np.zeros(len(indices), bool)
    numbers = random_bits(seed, epoch, indices, 3)
    corners = (numbers[:, POSITION : POSITION + 2] % np.uint64(2 * border + 1)).astype(np.int64)
    return corners, is_flipped(numbers, probability)


def is_flipped(numbers: NDArray[np.uint64], probability: float) -> NDArray[np.bool_]:
    """Whether each image is mirrored (n,), by its numbers (n, 3 or more)."""
    return unit_interval(numbers[:, FLIP]) >= 1 - probability


def augment(
    batch: Tensor,
    indices: NDArray[np.int64],
    *,
    kind: Kind,
    padding: int,
    seed: int,
    epoch: int,
    flip: float | None = None,
) -> Tensor:
    """Shift and mirror a batch of bytes (n, h, w, c), as `crop_and_flip_params` draws it."""
    corners, flipped = crop_and_flip_params(
        indices, kind=kind, padding=padding, seed=seed, epoch=epoch, flip=flip
    )
    border = padding if kind in SHIFTED else 0
    return crop_and_flip(batch, corners, flipped, padding=border)


def crop_and_flip(
    batch: Tensor,
    corners: NDArray[np.int64],
    flipped: NDArray[np.bool_],
    *,
    padding: int,
    mode: CropPadding = "constant",
) -> Tensor:
    """Augment a batch of bytes (n, h, w, c) on the CPU; the result has the same shape.

    Each image gets a border of `padding` pixels, see `bordered`, and is cropped to its old size at
    its corner (n, 2), one of (2·padding + 1)² positions. A row of a window is copied as one item,
    as its pixels lie side by side. `batch` itself is returned where nothing happens.
    """
    if padding:
        windows = _shifted(batch, corners, padding, mode)
    elif flipped.any():
        windows = batch.numpy().copy()
    else:
        return batch
    if flipped.any():
        mirrored = torch.from_numpy(windows[flipped]).permute(0, 3, 1, 2).flip(3)
        windows[flipped] = mirrored.permute(0, 2, 3, 1).numpy()
    return torch.from_numpy(windows)


def bordered(
    pixels: NDArray[np.uint8], padding: int, mode: CropPadding = "constant"
) -> NDArray[np.uint8]:
    """Images (n, h, w, c) with a border of `padding` pixels: black, or mirrored at the edge."""
    if not padding:
        return pixels
    n, height, width, channels = pixels.shape
    padded = np.zeros((n, height + 2 * padding, width + 2 * padding, channels), np.uint8)
    inside = slice(padding, padding + height)
    padded[:, inside, padding : padding + width] = pixels
    if mode == "reflect":  # rows of the middle first, then whole columns, and so the corners
        for distance in range(1, padding + 1):
            top, bottom = padding, padding + height - 1
            padded[:, top - distance] = padded[:, top + distance]
            padded[:, bottom + distance] = padded[:, bottom - distance]
        for distance in range(1, padding + 1):
            left, right = padding, padding + width - 1
            padded[:, :, left - distance] = padded[:, :, left + distance]
            padded[:, :, right + distance] = padded[:, :, right - distance]
    return padded


def _shifted(
    batch: Tensor, corners: NDArray[np.int64], padding: int, mode: CropPadding
) -> NDArray[np.uint8]:
    """The windows of padded images with these corners (n, 2)."""
    n, height, width, channels = batch.shape
    padded_height, padded_width = height + 2 * padding, width + 2 * padding
    padded = bordered(batch.numpy(), padding, mode)
    first = (np.arange(n) * padded_height + corners[:, 0]) * padded_width + corners[:, 1]
    starts = first[:, None] + np.arange(height) * padded_width
    row = np.dtype(f"V{width * channels}")
    rows = np.ndarray((padded.size // channels - width + 1,), row, padded, 0, (channels,))
    return rows[starts].view(np.uint8).reshape(batch.shape)
