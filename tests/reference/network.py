"""What a network does with an image, layer by layer, counted where it happens."""

import torch
from torch import nn

from convscope.layers import LocallyConnected2d, SparseConnectionConv2d


def on_meta(build, size, *, channels=3):
    """A network and an image without a number in memory: for shapes and counts alone."""
    with torch.device("meta"):
        return build().eval(), torch.zeros(1, channels, *size)


def volumes(net, image):
    """The output volume of each layer, by name."""
    seen = {}
    for name, layer in net.named_children():
        layer.register_forward_hook(
            lambda _layer, _x, y, name=name: seen.update({name: tuple(y.shape[1:])})
        )
    net(image)
    return seen


def multiply_adds(net, image):
    """One for each operand of each unit of convolutions and dense layers; biases do not count."""
    total = 0

    def add(layer, _operands, units):
        nonlocal total
        match layer:
            case nn.Conv2d() | nn.Linear():
                total += units[0].numel() * layer.weight[0].numel()
            case SparseConnectionConv2d():
                total += units[0, 0].numel() * layer.weight.numel()
            case LocallyConnected2d():
                total += layer.weight.numel()

    for layer in net.modules():
        layer.register_forward_hook(add)
    net(image)
    return total
