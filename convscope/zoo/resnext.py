"""ResNeXt: Xie, Girshick, Dollár, Tu & He, 2017, https://arxiv.org/abs/1611.05431.

TABLE has ResNeXt-50 (32x4d) from Table 1 of the paper, and the 101 layers of section 5.1 in the
same form: a block is Figure 3(c), with a 3x3 convolution in C groups, whose width doubles with each
row. CIFAR has the networks of section 5.3. The notation is that of `stage_table.py`. 101 (32x8d) is
torchvision's, not the paper's.

The ReLU of a block follows the sum, as in the paper and the released code; shortcuts are
projections where the number of channels or the size changes (section 4), and the 3x3 convolution
has the stride (Table 1). Filters are initialized as in the released code: after He et al., 2015,
with `fan_out` over all groups, the dense layer with PyTorch's default, biases with zero.
"""

from typing import Literal

from torch import nn

from convscope.zoo.residual import from_table

TABLE = """
    layer    output   50 (32x4d)       101 (32x8d)      101 (64x4d)
    conv1    112x112                7x7, 64, stride 2
    pool1    56x56                3x3 max pool, stride 2
    conv2_x  56x56    1x1, 128         1x1, 256         1x1, 256
                      3x3, 128, C=32   3x3, 256, C=32   3x3, 256, C=64
                      1x1, 256         1x1, 256         1x1, 256
                      x3               x3               x3
    conv3_x  28x28    1x1, 256         1x1, 512         1x1, 512
                      3x3, 256, C=32   3x3, 512, C=32   3x3, 512, C=64
                      1x1, 512         1x1, 512         1x1, 512
                      x4               x4               x4
    conv4_x  14x14    1x1, 512         1x1, 1024        1x1, 1024
                      3x3, 512, C=32   3x3, 1024, C=32  3x3, 1024, C=64
                      1x1, 1024        1x1, 1024        1x1, 1024
                      x6               x23              x23
    conv5_x  7x7      1x1, 1024        1x1, 2048        1x1, 2048
                      3x3, 1024, C=32  3x3, 2048, C=32  3x3, 2048, C=64
                      1x1, 2048        1x1, 2048        1x1, 2048
                      x3               x3               x3
    pool5    1x1                     average pool
    fc       1x1                      1000-d fc
"""

CIFAR = """
    layer    output   29 (8x64d)      29 (16x64d)
    conv1    32x32             3x3, 64
    conv2_x  32x32    1x1, 512        1x1, 1024
                      3x3, 512, C=8   3x3, 1024, C=16
                      1x1, 256        1x1, 256
                      x3              x3
    conv3_x  16x16    1x1, 1024       1x1, 2048
                      3x3, 1024, C=8  3x3, 2048, C=16
                      1x1, 512        1x1, 512
                      x3              x3
    conv4_x  8x8      1x1, 2048       1x1, 4096
                      3x3, 2048, C=8  3x3, 4096, C=16
                      1x1, 1024       1x1, 1024
                      x3              x3
    pool4    1x1             average pool
    fc       1x1              10-d fc
"""

Config = Literal["50 (32x4d)", "101 (32x8d)", "101 (64x4d)", "29 (8x64d)", "29 (16x64d)"]


def resnext(
    config: Config,
    *,
    num_classes: int,
    in_channels: int = 3,
    input_size: tuple[int, int] = (224, 224),  # noqa: ARG001 -- any size will do
) -> nn.Sequential:
    """Build one column: images (n, in_channels, height, width) -> logits (n, num_classes).

    The networks with 29 layers are from CIFAR, the others from TABLE.
    """
    table = CIFAR if config.startswith("29") else TABLE
    return from_table(table, config, num_classes=num_classes, in_channels=in_channels)
