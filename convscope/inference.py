"""Evaluation without a trace: eval mode and no gradients, then every mode as it was."""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def inference_mode(net: nn.Module) -> Generator[None]:
    """Inference in eval mode; afterwards every module is in the mode in which it was."""
    modes = {module: module.training for module in net.modules()}
    try:
        net.eval()
        with torch.inference_mode():
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode
