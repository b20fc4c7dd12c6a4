"""Images without information: what covers a pixel, and where integrated gradients begin."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from convscope.card import Card

Baseline = Literal["mean", "black", "white", "blur"]
"""What stands for a part of an image that is taken away: the mean color of the card, which is 0 for
the network; black; white; the image itself, blurred."""

_BLUR = 0.12  # standard deviation of the blur, as a fraction of the shorter side


def baseline_image(kind: Baseline, image: Tensor, card: Card) -> Tensor:
    """The baseline (1, c, h, w) of a network's input."""
    if kind == "mean":
        return torch.zeros_like(image)
    if kind == "blur":
        return blurred(image)
    mean, std = (image.new_tensor(values).reshape(1, -1, 1, 1) for values in (card.mean, card.std))
    value = 1.0 if kind == "white" else 0.0
    return ((value - mean) / std).expand_as(image).clone()


def blurred(image: Tensor) -> Tensor:
    """An image under a Gaussian, its border repeated outside."""
    sigma = max(1.0, _BLUR * min(image.shape[2:]))
    radius = min(round(3 * sigma), min(image.shape[2:]) - 1)
    at = torch.arange(-radius, radius + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-at.square() / (2 * sigma**2))
    kernel /= kernel.sum()
    channels = image.shape[1]
    padded = F.pad(image, (radius, radius, radius, radius), mode="replicate")
    across = kernel.reshape(1, 1, 1, -1).expand(channels, 1, 1, -1)
    down = kernel.reshape(1, 1, -1, 1).expand(channels, 1, -1, 1)
    return F.conv2d(F.conv2d(padded, across, groups=channels), down, groups=channels)
