"""How many images are evaluated at a time.

The memory of activations is reused from layer to layer and from batch to batch as long as the C
library keeps it: up to 32 MiB in one piece. Beyond that the system clears every page anew, and
caches hold less and less of it. ResNet-18 at 224x224 is fastest with 8 to 32 images at a time,
LeNet-5, whose activations are small, with hundreds.
"""

import math
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress

import torch
from torch import Tensor, nn

from convscope.card import Card
from convscope.forward import like_parameters
from convscope.inference import inference_mode
from convscope.zoo.check import TRIED, reads_channels_last, unchanged

SMALLEST = 4
"""Images at a time at least: with fewer, reading the weights takes longer than the arithmetic."""

LARGEST = 256
"""Images at a time at most."""

_BYTES = 32 << 20  # of the largest activation


def choose_feeding(net: nn.Module, card: Card, device: torch.device) -> tuple[bool, int]:
    """Whether a network on this device reads images channels-last, and how many at a time.

    Validations and the test of a training, `evaluate` and `predict` all follow it, for the last
    bits of a logit can depend on how many images it was computed with. So it depends on the network
    and the size of its input alone, never on free memory or threads. The network stays unchanged.
    """
    with unchanged(net), _largest_activation(net) as largest:
        channels_last = reads_channels_last(
            net, in_channels=card.in_channels, input_size=card.input_size
        )
        if not channels_last and device.type == "cpu":  # the trial may have ended early
            images = torch.zeros(TRIED, card.in_channels, *card.input_size)
            # What is wrong with somebody's network is said where its images are evaluated.
            with suppress(Exception), inference_mode(net):
                net(like_parameters(net, images))
    if device.type != "cpu":
        return channels_last, LARGEST
    of_images = 4 * card.in_channels * math.prod(card.input_size)
    return channels_last, batch_size(max(of_images, largest[0] // TRIED))


def batch_size(activation: int) -> int:
    """Images at a time, a power of two, where the largest activation of one takes so many bytes.

    >>> batch_size(64 * 112 * 112 * 4)  # ResNet-18 at 224x224
    8
    """
    fitting = max(_BYTES // activation, 1)
    return min(max(1 << (fitting.bit_length() - 1), SMALLEST), LARGEST)


@contextmanager
def _largest_activation(net: nn.Module) -> Generator[list[int]]:
    """Bytes of the largest tensor that comes out of one of a network's modules in the block."""
    largest = [0]

    def measure(_module: nn.Module, _args: object, output: object) -> None:
        if isinstance(output, Tensor):
            largest[0] = max(largest[0], output.nbytes)

    with ExitStack() as hooks:
        for module in net.modules():
            with suppress(RuntimeError):  # TorchScript takes no hooks
                hooks.callback(module.register_forward_hook(measure).remove)
        yield largest
