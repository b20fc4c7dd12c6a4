"""A training step in plain PyTorch, as a peer of ours."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

RATE, MOMENTUM = 0.01, 0.9
Step = Callable[[], float]


def torch_step(net: nn.Module, images: Tensor, labels: Tensor, **how: Any) -> Step:
    """Steps of SGD on one batch; `how` is told to the optimizer."""
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM, **how)

    def step() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
