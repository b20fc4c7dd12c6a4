"""DenseNet: Huang, Liu, van der Maaten & Weinberger, 2017, https://arxiv.org/abs/1608.06993.

TABLE is Table 1 of the paper, the ImageNet networks with their growth rates k. CIFAR has section 3
on CIFAR ("Implementation Details") in the same notation, that of `stage_table.py`, with k for the
growth rate and n for the number of layers in a block. 161 is from the released code and
torchvision, 264 from the paper's last version.

`3x3, k` is batch norm, ReLU and a 3x3 convolution to k channels; below `1x1, 4k` it reads the
output of that (BC's bottleneck). Each such layer reads the maps of all layers before it in its
block (equation 2). `theta=0.5` is batch norm, ReLU and a 1x1 convolution to half of the channels.
Batch norm and ReLU follow the last block, and on ImageNet the first convolution; on CIFAR the first
block follows it directly.

Filters are initialized as in the released code: after He et al., 2015, with `fan_out`, the dense
layer with PyTorch's default, biases with zero.
"""

import re
from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from convscope.errors import RequestError
from convscope.zoo.initialize import he
from convscope.zoo.parameter_names import NameMap
from convscope.zoo.stage_table import Convolution, activation, pooling, read_convolution, read_rows

TABLE = """
    layer        output   121 (k=32)  161 (k=48)  169 (k=32)  201 (k=32)  264 (k=32)
    conv1        112x112                  7x7, 2k, stride 2
    pool1        56x56                  3x3 max pool, stride 2
    block1       56x56                         1x1, 4k
                                               3x3, k
                          x6          x6          x6          x6          x6
    transition1  28x28                        theta=0.5
                                     2x2 average pool, stride 2
    block2       28x28                         1x1, 4k
                                               3x3, k
                          x12         x12         x12         x12         x12
    transition2  14x14                        theta=0.5
                                     2x2 average pool, stride 2
    block3       14x14                         1x1, 4k
                                               3x3, k
                          x24         x36         x32         x48         x64
    transition3  7x7                          theta=0.5
                                     2x2 average pool, stride 2
    block4       7x7                           1x1, 4k
                                               3x3, k
                          x16         x24         x32         x32         x48
    pool5        1x1                         average pool
    fc           1x1                          1000-d fc
"""

CIFAR = """
    layer        output   plain    BC
    conv1        32x32    3x3, 16  3x3, 2k
    block1       32x32    .        1x1, 4k
                          3x3, k   3x3, k
                          xn       xn
    transition1  16x16    theta=1  theta=0.5
                          2x2 average pool, stride 2
    block2       16x16    .        1x1, 4k
                          3x3, k   3x3, k
                          xn       xn
    transition2  8x8      theta=1  theta=0.5
                          2x2 average pool, stride 2
    block3       8x8      .        1x1, 4k
                          3x3, k   3x3, k
                          xn       xn
    pool4        1x1      average pool
    fc           1x1      10-d fc
"""

Config = Literal["121 (k=32)", "161 (k=48)", "169 (k=32)", "201 (k=32)", "264 (k=32)"]

TORCHVISION: NameMap = (
    (r"features\.denseblock(\d)\.denselayer(\d+)\.norm\.?", r"block\1.layer\2.bn"),
    (r"features\.denseblock(\d)\.denselayer(\d+)\.conv\.?", r"block\1.layer\2.conv"),
    (r"features\.transition(\d)\.norm", r"transition\1.bn"),
    (r"features\.transition(\d)\.conv", r"transition\1.conv"),
    (r"features\.conv0", "conv1"),
    (r"features\.norm0", "bn1"),
    (r"features\.norm5", "bn5"),
    (r"classifier", "fc"),
)
"""Its weight files have `norm.1` where its code has `norm1`: both are accepted."""


class DenseBlock(nn.Module):
    """Feed every layer the maps of all layers before it: x_l = layer_l([x_0, x_1, ... x_{l-1}]).

    The brackets are concatenation, x_0 is the input (n, channels, height, width), and the output is
    the concatenation of all of them: (n, channels + layers · k, height, width).

    Reference: https://arxiv.org/abs/1608.06993, equation 2.
    """

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        for index, layer in enumerate(layers, start=1):
            self.add_module(f"layer{index}", layer)

    def forward(self, x: Tensor) -> Tensor:
        maps = x
        for layer in self.children():
            maps = torch.cat((maps, layer(maps)), dim=1)
        return maps


def densenet(
    config: Config,
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    input_size: tuple[int, int] = (224, 224),  # noqa: ARG001 -- any size from 29x29 up
) -> nn.Sequential:
    """Build one column: images (n, in_channels, height, width) -> logits (n, num_classes).

    `block2.layer3.conv1` is the 1x1 convolution of the third layer of the second block.
    """
    growth = int(config.partition("k=")[2].rstrip(")"))
    return _from_table(
        TABLE, config, num_classes=num_classes, in_channels=in_channels, growth=growth
    )


def densenet_cifar(
    depth: int,
    growth: int,
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    input_size: tuple[int, int] = (32, 32),  # noqa: ARG001 -- any size from 4x4 up
    bottleneck: bool = False,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Build the DenseNet (L = depth, k = growth) of CIFAR, or with `bottleneck` DenseNet-BC.

    Images (n, in_channels, height, width) -> logits (n, num_classes). `dropout` follows every
    convolution except the first: 0.2 where the paper trains without augmentation (section 4.2).

    Raises RequestError for a depth that is not 3n+4, or 6n+4 with bottlenecks.
    """
    per_layer = 2 if bottleneck else 1
    layers, left = divmod(depth - 4, 3 * per_layer)
    if left or layers < 1:
        form = "DenseNet-BC for CIFAR has 6n+4" if bottleneck else "DenseNet for CIFAR has 3n+4"
        examples = "10, 16, 22" if bottleneck else "7, 10, 13"
        raise RequestError(f"A {form} layers: {examples} ..., not {depth}.")
    return _from_table(
        CIFAR,
        "BC" if bottleneck else "plain",
        num_classes=num_classes,
        in_channels=in_channels,
        growth=growth,
        layers_per_block=layers,
        dropout=dropout,
    )


def _from_table(
    table: str,
    network: str,
    *,
    num_classes: int,
    in_channels: int,
    growth: int,
    layers_per_block: int = 1,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Build the network of one column, with k = `growth` and n = `layers_per_block`."""
    numbers = re.sub(r", (\d*)k\b", lambda cell: f", {int(cell[1] or 1) * growth}", table)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = in_channels
    for row in read_rows(numbers, network):
        if row.name.startswith("transition"):
            layers[row.name], channels = _transition(row.cells, channels, dropout=dropout)
        elif row.stack:
            convolutions = [read_convolution(cell) for cell in row.cells]
            inside: list[nn.Module] = []
            for _ in range(layers_per_block if row.stack == "n" else int(row.stack)):
                inside.append(_layer(convolutions, channels, dropout=dropout))
                channels += growth
            layers[row.name] = DenseBlock(inside)
        elif pool := pooling(row.cells[0]):
            layers |= {**activation(row.name[-1], channels), row.name: pool}
        elif row.cells[0].endswith("-d fc"):
            layers |= {"flatten": nn.Flatten(), row.name: nn.Linear(channels, num_classes)}
        else:
            conv = read_convolution(row.cells[0])
            layers[row.name] = conv.layer(channels, stride=conv.stride)
            channels = conv.filters
    net = nn.Sequential(layers)
    he(net, fan="fan_out", dense=False)
    return net


def _layer(convolutions: Sequence[Convolution], channels: int, *, dropout: float) -> nn.Sequential:
    """Build batch norm, ReLU and convolution for each of `convolutions`."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for index, conv in enumerate(convolutions, start=1):
        layers |= {**activation(index, channels), f"conv{index}": conv.layer(channels, stride=1)}
        if dropout:
            layers[f"dropout{index}"] = nn.Dropout(dropout)
        channels = conv.filters
    return nn.Sequential(layers)


def _transition(
    cells: Sequence[str], channels: int, *, dropout: float
) -> tuple[nn.Sequential, int]:
    """Build `theta=0.5` and a pooling; return them and the number of channels that they leave."""
    theta, pool = re.fullmatch(r"theta=([\d.]+)", cells[0]), pooling(cells[-1])
    if not theta or not pool:
        raise ValueError(f"The table has a transition the zoo cannot build: {cells!r}")
    left = int(channels * float(theta[1]))
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        bn=nn.BatchNorm2d(channels), relu=nn.ReLU(), conv=nn.Conv2d(channels, left, 1, bias=False)
    )
    if dropout:
        layers["dropout"] = nn.Dropout(dropout)
    layers["pool"] = pool
    return nn.Sequential(layers), left
