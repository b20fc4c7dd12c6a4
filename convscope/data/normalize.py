"""The last preprocessing step: bytes become floats around zero."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from convscope.card import Card


def normalize(batch: Tensor, card: Card, *, channels_last: bool = True) -> Tensor:
    """Turn bytes (n, h, w, c) into the network's input: float32 (n, c, h, w), around zero.

    (byte/255 - mean) / std of the card, computed as byte · scale + shift. The result has PyTorch's
    channels_last memory format, or the contiguous one if `channels_last` is False.
    """
    scale, shift = scale_and_shift(card)
    device = batch.device
    pixels = torch.addcmul(shift.to(device), batch.to(torch.float32), scale.to(device))
    images = pixels.permute(0, 3, 1, 2)
    return images if channels_last else images.contiguous()


@lru_cache(maxsize=8)
def scale_and_shift(card: Card) -> tuple[Tensor, Tensor]:
    """The scale and the shift of each channel, by which a byte becomes an input of the network."""
    mean, std = np.array(card.mean), np.array(card.std)
    scale, shift = 1 / (255 * std), -mean / std
    return torch.tensor(scale, dtype=torch.float32), torch.tensor(shift, dtype=torch.float32)


def pixel_statistics(pixels: Iterable[Tensor]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of bytes (n, h, w, c) scaled to 0..1.

    Counted exactly, in integers. A constant channel has standard deviation 1, so that dividing by
    it has no effect.
    """
    histogram = None
    for batch in pixels:
        bins = torch.stack(
            [batch[..., c].flatten().bincount(minlength=256) for c in range(batch.shape[3])]
        )
        histogram = bins if histogram is None else histogram + bins
    if histogram is None:
        raise ValueError("pixel_statistics needs at least one batch")
    counts = histogram.double().numpy()
    levels = np.arange(256) / 255
    mean = counts @ levels / counts.sum(1)
    std = np.sqrt(np.maximum(counts @ levels**2 / counts.sum(1) - mean**2, 0))
    return tuple(mean.tolist()), tuple(np.where(std > 1e-6, std, 1).tolist())
