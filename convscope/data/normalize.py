"""The last preprocessing step: bytes become floats around zero."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from convscope.card import Card


def normalize(
    batch: Tensor, card: Card, *, channels_last: bool = True, out: Tensor | None = None
) -> Tensor:
    """Turn bytes (n, h, w, c) into the network's input: float32 (n, c, h, w), around zero.

    (byte/255 - mean) / std of the card, computed as byte · scale + shift. The result has PyTorch's
    channels_last memory format, or the contiguous one if `channels_last` is False. It lies in
    `out`, as many numbers of float32, where that is given.

    Numbers are computed in long rows, which takes a fifth of the time of pixels with their few
    channels: whole planes where each has one scale and shift, else rows of pixels.
    """
    n, height, width, channels = batch.shape
    memory = torch.empty(batch.numel(), device=batch.device) if out is None else out
    if channels == 1:
        pixels = memory.view(batch.shape).copy_(batch)
        return _scaled(pixels, card, 0).permute(0, 3, 1, 2)
    if channels_last:
        rows = memory.view(n * height, width * channels)
        rows.copy_(batch.reshape(rows.shape))
        scales, shifts = _scales_and_shifts_of_row(card, width, batch.device)
        torch.addcmul(shifts, rows, scales, out=rows)
        return rows.view(batch.shape).permute(0, 3, 1, 2)
    images = memory.view(n, channels, height, width)
    images.copy_(batch.permute(0, 3, 1, 2).contiguous())
    for channel, planes in enumerate(images.unbind(1)):
        _scaled(planes, card, channel)
    return images


def _scaled(planes: Tensor, card: Card, channel: int) -> Tensor:
    """Scale and shift what is all of one channel, in place; with the bits of `addcmul`."""
    scale, shift = scale_and_shift(card)
    return torch.add(shift[channel], planes, alpha=scale[channel].item(), out=planes)


class Normalizer:
    """`normalize` for one batch after the other, in memory that is used again.

    A batch of photographs is larger than what an allocator keeps: new memory for each costs more
    time, for clearing its pages, than the arithmetic.
    """

    def __init__(self, card: Card, *, channels_last: bool = True) -> None:
        self.card, self.channels_last = card, channels_last
        self._memory = torch.empty(0)

    def __call__(self, batch: Tensor) -> Tensor:
        """The network's input for bytes (n, h, w, c); its values hold until the next call."""
        size = batch.numel()
        if self._memory.numel() < size or self._memory.device != batch.device:
            self._memory = torch.empty(size, device=batch.device)
        return normalize(
            batch, self.card, channels_last=self.channels_last, out=self._memory[:size]
        )


@lru_cache(maxsize=8)
def scale_and_shift(card: Card) -> tuple[Tensor, Tensor]:
    """The scale and the shift of each channel, by which a byte becomes an input of the network."""
    mean, std = np.array(card.mean), np.array(card.std)
    scale, shift = 1 / (255 * std), -mean / std
    return torch.tensor(scale, dtype=torch.float32), torch.tensor(shift, dtype=torch.float32)


@lru_cache(maxsize=8)
def _scales_and_shifts_of_row(
    card: Card, width: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Scale and shift of each number in a row of pixels, (width · channels,)."""
    scale, shift = scale_and_shift(card)
    return scale.repeat(width).to(device), shift.repeat(width).to(device)


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
