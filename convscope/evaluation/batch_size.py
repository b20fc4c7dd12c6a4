"""How many images are evaluated at a time.

The memory of activations is reused from layer to layer and from batch to batch as long as the C
library keeps it: up to 32 MiB in one piece. Beyond that the system clears every page anew, and
caches hold less and less of it. ResNet-18 at 224x224 is fastest with 8 to 32 images at a time,
LeNet-5, whose activations are small, with hundreds.
"""

from contextlib import ExitStack, suppress

import torch
from torch import Tensor, nn

from convscope.card import Card
from convscope.forward import like_parameters
from convscope.inference import inference_mode
from convscope.zoo.check import reads_channels_last, unchanged

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
    channels_last = reads_channels_last(
        net, in_channels=card.in_channels, input_size=card.input_size
    )
    if device.type != "cpu":
        return channels_last, LARGEST
    image = torch.zeros(1, *card.input_size, card.in_channels).permute(0, 3, 1, 2)
    image = image if channels_last else image.contiguous()
    return channels_last, batch_size(_largest_activation(net, image))


def batch_size(activation: int) -> int:
    """Images at a time, a power of two, where the largest activation of one takes so many bytes.

    >>> batch_size(64 * 112 * 112 * 4)  # ResNet-18 at 224x224
    8
    """
    fitting = max(_BYTES // activation, 1)
    return min(max(1 << (fitting.bit_length() - 1), SMALLEST), LARGEST)


def _largest_activation(net: nn.Module, image: Tensor) -> int:
    """Bytes of the largest tensor that goes into the network or out of one of its modules."""
    largest = image.nbytes

    def measure(_module: nn.Module, _args: object, output: object) -> None:
        nonlocal largest
        if isinstance(output, Tensor):
            largest = max(largest, output.nbytes)

    # What is wrong with somebody's network is said where its images are evaluated.
    with ExitStack() as hooks, suppress(Exception), unchanged(net), inference_mode(net):
        for module in net.modules():
            hooks.callback(module.register_forward_hook(measure).remove)
        net(like_parameters(net, image))
    return largest
