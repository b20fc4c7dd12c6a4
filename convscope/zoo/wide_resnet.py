"""Wide ResNet: Zagoruyko & Komodakis, 2016, https://arxiv.org/abs/1605.07146.

CIFAR is Table 1 of the paper in the notation of `stage_table.py`: n blocks in each row, k times as
wide as ResNet's, 6n+4 layers of weights; WRN-28-10 has n = 4 and k = 10. Its blocks are
pre-activation blocks (He et al., 2016, https://arxiv.org/abs/1603.05027). Where the number of
channels or the size changes, the shortcut is a 1x1 convolution without batch norm, which reads the
output of the first batch norm and ReLU; batch norm and ReLU follow the last block. All of this is
as in the released code, and so is the initialization: filters after He et al., 2015, with
`fan_out`, the dense layer with PyTorch's default, biases with zero.

TABLE has WRN-50-2 (section 3), ResNet-50 with 3x3 convolutions of twice the width, and 101-2, which
is torchvision's and not in the paper. As in torchvision, the ReLU of a block follows the sum,
shortcuts are projections with batch norm where the number of channels or the size changes, and the
3x3 convolution has the stride.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Literal

from torch import nn

from convscope.errors import RequestError
from convscope.zoo.residual import Residual, from_table
from convscope.zoo.stage_table import Convolution, activation

CIFAR = """
    layer    output   6n+4
    conv1    32x32    3x3, 16
    conv2_x  32x32    3x3, 16k
                      3x3, 16k
                      xn
    conv3_x  16x16    3x3, 32k
                      3x3, 32k
                      xn
    conv4_x  8x8      3x3, 64k
                      3x3, 64k
                      xn
    pool4    1x1      average pool
    fc       1x1      10-d fc
"""

TABLE = """
    layer    output   50-2       101-2
    conv1    112x112  7x7, 64, stride 2
    pool1    56x56    3x3 max pool, stride 2
    conv2_x  56x56    1x1, 128   1x1, 128
                      3x3, 128   3x3, 128
                      1x1, 256   1x1, 256
                      x3         x3
    conv3_x  28x28    1x1, 256   1x1, 256
                      3x3, 256   3x3, 256
                      1x1, 512   1x1, 512
                      x4         x4
    conv4_x  14x14    1x1, 512   1x1, 512
                      3x3, 512   3x3, 512
                      1x1, 1024  1x1, 1024
                      x6         x23
    conv5_x  7x7      1x1, 1024  1x1, 1024
                      3x3, 1024  3x3, 1024
                      1x1, 2048  1x1, 2048
                      x3         x3
    pool5    1x1      average pool
    fc       1x1      1000-d fc
"""

Config = Literal["50-2", "101-2"]


def wide_resnet_cifar(
    depth: int,
    widen: int,
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    input_size: tuple[int, int] = (32, 32),  # noqa: ARG001 -- any size will do
    dropout: float = 0.0,
) -> nn.Sequential:
    """Build WRN-depth-widen: images (n, in_channels, height, width) -> logits (n, num_classes).

    `dropout` stands between the two convolutions of every block, in the paper's variant 0.3 on
    CIFAR (section 2.4).

    Raises RequestError for a depth that is not 6n+4.
    """
    blocks, left = divmod(depth - 4, 6)
    if left or blocks < 1:
        raise RequestError(f"A Wide ResNet has 6n+4 layers: 10, 16, 22 ..., not {depth}.")
    table = re.sub(r"(\d+)k\b", lambda width: str(widen * int(width[1])), CIFAR)
    return from_table(
        table,
        "6n+4",
        num_classes=num_classes,
        in_channels=in_channels,
        block=partial(pre_activation, dropout=dropout),
        blocks=blocks,
        preactivation=True,
    )


def pre_activation(
    convolutions: Sequence[Convolution], channels: int, stride: int, *, dropout: float = 0.0
) -> Residual:
    """Build batch norm, ReLU and 3x3 convolution, twice; the first one has the stride."""
    first, second = convolutions
    opening, changes = activation(1, channels), channels != second.filters
    branch = {"conv1": first.layer(channels, stride=stride), **activation(2, first.filters)}
    if dropout:
        branch["dropout"] = nn.Dropout(dropout)
    branch["conv2"] = second.layer(first.filters, stride=1)
    if not changes:
        return Residual(opening | branch)
    shortcut = nn.Conv2d(channels, second.filters, 1, stride, bias=False)
    return Residual(branch, before=opening, shortcut=shortcut)


def wide_resnet(
    config: Config,
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    input_size: tuple[int, int] = (224, 224),  # noqa: ARG001 -- any size will do
) -> nn.Sequential:
    """Build one column: images (n, in_channels, height, width) -> logits (n, num_classes)."""
    return from_table(TABLE, config, num_classes=num_classes, in_channels=in_channels)
