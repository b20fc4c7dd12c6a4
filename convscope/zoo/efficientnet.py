"""EfficientNet: Tan & Le, 2019, https://arxiv.org/abs/1905.11946.

TABLE is Table 1 of the paper, the baseline B0: the input resolution of each stage, the number of
its output channels, and its number of layers. `MBConv6, k5x5` is the inverted residual block of
`inverted_residual.py`, expanded six times, with 5x5 depthwise filters, swish (SiLU), and squeeze
and excitation with a quarter of the block's input channels. The first layer of a stage has the
stride by which the resolution of the next stage is smaller. SCALING has the coefficients of
compound scaling (equation 3) and the dropout of the released code for B0 to B7: channels are
multiplied by `width` and rounded to a multiple of 8, layers by `depth` and rounded up.

Branches are dropped with a probability that rises linearly to 0.2 over the blocks (stochastic
depth, section 5.2). Filters are initialized as in the released code: from N(0, 2/n), where n is
k·k·output channels, of a group in depthwise convolutions; biases are zero.

Deviations. The dense layer has PyTorch's initialization, uniform in ±1/sqrt(fan_in): the released
code's ±1/sqrt(classes) is near it for 1000 classes, and begins with a large loss for a few. As in
torchvision, the batch norm of B0 to B4 has PyTorch's eps of 1e-5 and momentum of
0.1, with which the published weights were trained; B5 to B7 have the paper's 0.001 and 0.01.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Literal

from torch import nn

from convscope.zoo.cell_notation import table_rows
from convscope.zoo.initialize import he
from convscope.zoo.inverted_residual import (
    InvertedResidual,
    Norm,
    block_names,
    normed,
    round_channels,
    stem,
)
from convscope.zoo.parameter_names import NameMap, module_names

TABLE = """
    stage  operator                resolution  channels  layers
    1      Conv3x3                 224x224     32        1
    2      MBConv1, k3x3           112x112     16        1
    3      MBConv6, k3x3           112x112     24        2
    4      MBConv6, k5x5           56x56       40        2
    5      MBConv6, k3x3           28x28       80        3
    6      MBConv6, k5x5           14x14       112       3
    7      MBConv6, k5x5           14x14       192       4
    8      MBConv6, k3x3           7x7         320       1
    9      Conv1x1 & Pooling & FC  7x7         1280      1
"""

SCALING = """
    network  width  depth  resolution  dropout
    b0       1.0    1.0    224         0.2
    b1       1.0    1.1    240         0.2
    b2       1.1    1.2    260         0.3
    b3       1.2    1.4    300         0.3
    b4       1.4    1.8    380         0.4
    b5       1.6    2.2    456         0.4
    b6       1.8    2.6    528         0.5
    b7       2.0    3.1    600         0.5
"""

Config = Literal["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"]


def efficientnet(
    config: Config,
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    input_size: tuple[int, int] = (224, 224),  # noqa: ARG001 -- any size will do
    drop_path: float = 0.2,
) -> nn.Sequential:
    """Build one network of SCALING: images (n, in_channels, height, width) -> logits.

    `mbconv3_2` is the second block of stage 3; `drop_path` is the probability with which the branch
    behind the last block would be dropped.
    """
    scale = _scale(config)
    norm: Norm = nn.BatchNorm2d
    if config in ("b5", "b6", "b7"):
        norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
    first, *_, last = (_filters(row, scale["width"]) for row in table_rows(TABLE))
    layers = OrderedDict(stem(in_channels, first, norm=norm, activation=nn.SiLU))
    blocks = list(_blocks(config))
    for index, (name, block) in enumerate(blocks):
        layers[name] = block.build(
            norm=norm,
            activation=nn.SiLU,
            excitation=(nn.SiLU, nn.Sigmoid),
            drop=drop_path * index / len(blocks),
        )
    conv9 = nn.Conv2d(blocks[-1][1].filters, last, 1, bias=False)
    layers |= normed("conv9", conv9, norm, nn.SiLU)
    layers |= {"pool9": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    layers |= {"dropout": nn.Dropout(scale["dropout"]), "fc": nn.Linear(last, num_classes)}
    net = nn.Sequential(layers)
    he(net, fan="fan_out", per_group=True, dense=False)
    return net


def _scale(config: Config) -> dict[str, float]:
    row = next(row for row in table_rows(SCALING) if row.pop("network") == config)
    return {name: float(number) for name, number in row.items()}


def _filters(row: dict[str, str], width: float) -> int:
    return round_channels(int(row["channels"]) * width)


def _blocks(config: Config) -> Iterator[tuple[str, InvertedResidual]]:
    """Yield every block with its name."""
    scale, rows = _scale(config), table_rows(TABLE)
    channels = _filters(rows[0], scale["width"])
    for row, following in pairwise(rows[1:]):
        filters = _filters(row, scale["width"])
        side, smaller = (int(each["resolution"].partition("x")[0]) for each in (row, following))
        expansion, size = int(row["operator"][len("MBConv")]), int(row["operator"][-1])
        for index in range(math.ceil(int(row["layers"]) * scale["depth"])):
            block = InvertedResidual(
                channels=channels,
                filters=filters,
                expanded=channels * expansion,
                size=size,
                stride=1 if index else side // smaller,
                squeezed=channels // 4,
            )
            yield f"mbconv{row['stage']}_{index + 1}", block
            channels = filters


def _torchvision() -> dict[str, str]:
    """`features.2.1.block.0` belongs to the second block of stage 3; B7 has the blocks of all."""
    found = {"features.0.0": "conv1", "features.0.1": "conv1_bn", "classifier.1": "fc"}
    for name, block in _blocks("b7"):
        stage, _, index = name.removeprefix("mbconv").partition("_")
        found |= block_names(f"features.{int(stage) - 1}.{int(index) - 1}.block", name, block)
    return found | {"features.8.0": "conv9", "features.8.1": "conv9_bn"}


TORCHVISION: NameMap = module_names(_torchvision)
