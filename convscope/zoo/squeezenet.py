"""SqueezeNet: Iandola et al., 2016, https://arxiv.org/abs/1602.07360.

TABLE is Table 1 of the paper, and next to it version 1.1 as its authors published it,
https://github.com/forresti/SqueezeNet: a smaller conv1 and earlier pooling, at less than half of
the cost. `96@7x7/2` is 96 filters of 7x7, stride 2, followed by a ReLU; `3x3/2` is max pooling with
stride 2, whose last window may extend beyond the edge; `16-64-64` is a fire module with 16 filters
of 1x1 in its squeeze layer, 64 of 1x1 and 64 of 3x3 in its expand layer; `0.5` is dropout.

The table prints 224x224 for the input, but its sizes (111, ...) are those of the 227x227 that the
authors trained on; torchvision uses 224x224. Their file for Caffe pads the 1x1 filters of conv10
by 1, which contradicts the table's 13x13.

Weights are initialized as in the authors' files: uniform with variance 1/fan_in (Caffe's "xavier"),
those of conv10 from N(0, 0.01²), biases with zero. The paper does not mention initialization.
"""

from collections import OrderedDict
from typing import Literal

import torch
from torch import Tensor, nn

from convscope.zoo.cell_notation import config_column, convolution, pooling
from convscope.zoo.parameter_names import NameMap

Config = Literal["1.0", "1.1"]
Bypass = Literal["none", "simple"]

TABLE = """
    layer      1.0            1.1
    conv1      96@7x7/2       64@3x3/2
    maxpool1   3x3/2          3x3/2
    fire2      16-64-64       16-64-64
    fire3      16-64-64       16-64-64
    maxpool3   .              3x3/2
    fire4      32-128-128     32-128-128
    maxpool4   3x3/2          .
    fire5      32-128-128     32-128-128
    maxpool5   .              3x3/2
    fire6      48-192-192     48-192-192
    fire7      48-192-192     48-192-192
    fire8      64-256-256     64-256-256
    maxpool8   3x3/2          .
    fire9      64-256-256     64-256-256
    dropout9   0.5            0.5
    conv10     classes@1x1    classes@1x1
    avgpool10  average        average
"""


class Fire(nn.Module):
    """Squeeze the channels with 1x1 filters, then expand them with parallel 1x1 and 3x3 filters.

    (n, channels, h, w) -> (n, expand1x1 + expand3x3, h, w). With `bypass` the input is added to the
    result, which must have as many channels.

    Reference: sections 3.2 and 6.
    """

    bypass: bool

    def __init__(
        self, channels: int, *, squeeze: int, expand1x1: int, expand3x3: int, bypass: bool = False
    ) -> None:
        super().__init__()
        self.bypass = bypass
        self.squeeze = nn.Conv2d(channels, squeeze, 1)
        self.squeeze_relu = nn.ReLU()
        self.expand1x1 = nn.Conv2d(squeeze, expand1x1, 1)
        self.expand1x1_relu = nn.ReLU()
        self.expand3x3 = nn.Conv2d(squeeze, expand3x3, 3, padding=1)
        self.expand3x3_relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        squeezed = self.squeeze_relu(self.squeeze(x))
        small = self.expand1x1_relu(self.expand1x1(squeezed))
        large = self.expand3x3_relu(self.expand3x3(squeezed))
        expanded = torch.cat([small, large], dim=1)
        return x + expanded if self.bypass else expanded

    def extra_repr(self) -> str:
        return f"bypass={self.bypass}"


def squeezenet(
    config: Config = "1.0",
    *,
    bypass: Bypass = "none",
    num_classes: int = 1000,
    in_channels: int = 3,
    input_size: tuple[int, int] = (227, 227),  # noqa: ARG001 -- any size will do
) -> nn.Sequential:
    """Build one column: images (n, in_channels, height, width) -> logits (n, num_classes).

    `bypass="simple"` adds the input to the result of every fire module that keeps the number of
    channels: fire3, 5, 7 and 9 (figure 2, middle). Images may have any size from 21x21 up, from
    17x17 in `1.1`.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = in_channels
    for name, text in config_column(TABLE, config).items():
        match name.rstrip("0123456789"):
            case "conv":
                cell = convolution(text.replace("classes", str(num_classes)))
                layers[name] = nn.Conv2d(channels, cell.filters, cell.size, cell.stride)
                layers[f"relu{name.removeprefix('conv')}"] = nn.ReLU()
                channels = cell.filters
            case "fire":
                layers[name], channels = _fire(text, channels, bypass)
            case "maxpool":
                cell = pooling(text)
                layers[name] = nn.MaxPool2d(cell.size, cell.stride, ceil_mode=True)
            case "dropout":
                layers[name] = nn.Dropout(float(text))
            case "avgpool":
                layers[name] = nn.AdaptiveAvgPool2d(1)
            case _:
                raise ValueError(f"TABLE has a row the zoo cannot build: {name!r}")
    layers["flatten"] = nn.Flatten()
    net = nn.Sequential(layers)
    _initialize(net)
    return net


def _fire(text: str, channels: int, bypass: Bypass) -> tuple[Fire, int]:
    """Build the fire module of a cell; return it and its number of output channels."""
    squeeze, small, large = (int(filters) for filters in text.split("-"))
    added = bypass == "simple" and channels == small + large
    fire = Fire(channels, squeeze=squeeze, expand1x1=small, expand3x3=large, bypass=added)
    return fire, small + large


def _initialize(net: nn.Sequential) -> None:
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="linear")
            nn.init.zeros_(layer.get_parameter("bias"))
    nn.init.normal_(net.get_parameter("conv10.weight"), std=0.01)


def torchvision_names(config: Config) -> NameMap:
    """Map torchvision's names: `features` counts all layers, including the ReLU of conv1."""
    rows = [name for name in config_column(TABLE, config) if name.startswith(("maxpool", "fire"))]
    fires = [
        (rf"features\.{index}\.", f"{name}.")
        for index, name in enumerate(rows, start=2)
        if name.startswith("fire")
    ]
    return ((r"features\.0\.", "conv1."), *fires, (r"classifier\.1\.", "conv10."))
