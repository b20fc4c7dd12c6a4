"""Eval mode with gradients by the input alone."""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def eval_mode(net: nn.Module) -> Generator[None]:
    """Run in eval mode, with gradients, but none by weights; all is as before afterwards."""
    modes = {module: module.training for module in net.modules()}
    wants = {parameter: parameter.requires_grad for parameter in net.parameters()}
    try:
        net.eval()
        for parameter in wants:
            parameter.requires_grad_(False)  # noqa: FBT003 -- torch's own argument
        with torch.inference_mode(mode=False), torch.enable_grad():
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for parameter, wanted in wants.items():
            parameter.requires_grad_(wanted)
