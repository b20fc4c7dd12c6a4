"""What a step minimises and by which rule: class weights, and the optimiser in one fused kernel."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.train.settings import Settings


def make_optimiser(net: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """The optimiser of the settings over all weights that can be trained, in one fused kernel."""
    weights = [weight for weight in net.parameters() if weight.requires_grad]
    fused = all(weight.device.type in ("cpu", "cuda") for weight in weights)
    rate, decay = settings.peak_lr, settings.weight_decay
    if settings.optimiser == "adamw":
        return torch.optim.AdamW(weights, lr=rate, weight_decay=decay, fused=fused)
    momentum = settings.momentum
    return torch.optim.SGD(weights, rate, momentum, weight_decay=decay, fused=fused)


def class_weights(
    counts: NDArray[np.int64], settings: Settings, device: torch.device
) -> Tensor | None:
    """Weights that make every class count the same in the loss: n / (classes · count)."""
    if settings.class_weights == "none":
        return None
    weights = counts.sum() / (len(counts) * np.maximum(counts, 1))
    return torch.tensor(weights, dtype=torch.float32, device=device)
