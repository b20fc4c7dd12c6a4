"""Small networks whose filters are made by hand, and images in which patterns are planted."""

from collections import OrderedDict

import numpy as np
import torch
from torch import nn

from convscope.card import Card


def gray_card(size=(24, 24), classes=("a", "b")):
    return Card(
        classes=classes,
        input_size=size,
        in_channels=1,
        resize_mode="stretch",
        mean=(0.0,),
        std=(1.0,),
    )


def network_of(filters, biases=None, *, padding=0, size=24, classes=2):
    """conv (the filters) -> ReLU -> fc, on gray images of size x size."""
    weight = torch.tensor(np.stack(filters), dtype=torch.float32)[:, None]
    side = size + 2 * padding - weight.shape[2] + 1
    torch.manual_seed(0)
    net = nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(1, len(weight), weight.shape[2], padding=padding),
            relu=nn.ReLU(),
            flat=nn.Flatten(),
            fc=nn.Linear(len(weight) * side * side, classes),
        )
    )
    with torch.no_grad():
        net.conv.weight.copy_(weight)
        net.conv.bias.copy_(torch.zeros(len(weight)) if biases is None else torch.tensor(biases))
    return net.eval()


def noise(count, size=24, low=90, high=110, seed=0):
    return np.random.default_rng(seed).integers(low, high, (count, size, size, 1), dtype=np.uint8)
