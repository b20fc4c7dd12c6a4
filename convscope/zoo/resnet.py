"""ResNet: He, Zhang, Ren & Sun, 2015, https://arxiv.org/abs/1512.03385.

TABLE is Table 1 of the paper, the ImageNet networks, in the notation of `stage_table.py`. The first
max pooling has a row of its own, the last row of the paper is split in two, and the softmax belongs
to the loss. CIFAR is the table of section 4.2 in the same notation, with n blocks in each of the
three rows and 6n+2 layers of weights in total.

Deviations. In a block that halves its maps the 3x3 convolution has the stride of 2, as in
torchvision and most published weights (ResNet v1.5); the paper's own bottlenecks have it in the
first 1x1, and so does `stride_in_1x1=True`: the same parameters, and 3.86 instead of 4.09 G
multiply-adds in 50 layers. Where the maps of an ImageNet network change, the shortcut is a
projection in every column (option B), as in torchvision; the paper also tries option A with 18 and
34 layers.

Filters are initialized after He et al., 2015 (section 3.4), with `fan_out` as in Facebook's code
for Torch; the paper says nothing about the dense layer, which has PyTorch's default, and about
biases, which are zero.
"""

from functools import partial
from typing import Literal

from torch import nn

from convscope.errors import RequestError
from convscope.zoo.residual import (
    Shortcut,
    from_table,
    post_activation,
)

TABLE = """
    layer    output   18-layer  34-layer  50-layer   101-layer  152-layer
    conv1    112x112                  7x7, 64, stride 2
    pool1    56x56                  3x3 max pool, stride 2
    conv2_x  56x56    3x3, 64   3x3, 64   1x1, 64    1x1, 64    1x1, 64
                      3x3, 64   3x3, 64   3x3, 64    3x3, 64    3x3, 64
                      .         .         1x1, 256   1x1, 256   1x1, 256
                      x2        x3        x3         x3         x3
    conv3_x  28x28    3x3, 128  3x3, 128  1x1, 128   1x1, 128   1x1, 128
                      3x3, 128  3x3, 128  3x3, 128   3x3, 128   3x3, 128
                      .         .         1x1, 512   1x1, 512   1x1, 512
                      x2        x4        x4         x4         x8
    conv4_x  14x14    3x3, 256  3x3, 256  1x1, 256   1x1, 256   1x1, 256
                      3x3, 256  3x3, 256  3x3, 256   3x3, 256   3x3, 256
                      .         .         1x1, 1024  1x1, 1024  1x1, 1024
                      x2        x6        x6         x23        x36
    conv5_x  7x7      3x3, 512  3x3, 512  1x1, 512   1x1, 512   1x1, 512
                      3x3, 512  3x3, 512  3x3, 512   3x3, 512   3x3, 512
                      .         .         1x1, 2048  1x1, 2048  1x1, 2048
                      x2        x3        x3         x3         x3
    pool5    1x1                         average pool
    fc       1x1                          1000-d fc
"""

CIFAR = """
    layer    output   6n+2
    conv1    32x32    3x3, 16
    conv2_x  32x32    3x3, 16
                      3x3, 16
                      xn
    conv3_x  16x16    3x3, 32
                      3x3, 32
                      xn
    conv4_x  8x8      3x3, 64
                      3x3, 64
                      xn
    pool4    1x1      average pool
    fc       1x1      10-d fc
"""

Depth = Literal[18, 34, 50, 101, 152]


def resnet(
    depth: Depth,
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    input_size: tuple[int, int] = (224, 224),  # noqa: ARG001 -- any size will do
    stride_in_1x1: bool = False,
    shortcut: Shortcut = "B",
) -> nn.Sequential:
    """Build one column: images (n, in_channels, height, width) -> logits (n, num_classes).

    `conv3_2` is the second block of the third row. With `stride_in_1x1` the first
    convolution of a bottleneck takes the stride, else its 3x3 one; `shortcut` is the paper's
    option: A pads with zeros, B projects where the maps change, C projects everywhere. The paper's
    deep networks have B (section 4.1).

    Raises RequestError for `stride_in_1x1` with 18 or 34 layers, which have no bottlenecks.
    """
    if stride_in_1x1 and depth in (18, 34):
        raise RequestError(
            f"The blocks of ResNet-{depth} are two 3x3 convolutions: there is no 1x1 to take the "
            "stride. Leave stride_in_1x1 out."
        )
    block = partial(post_activation, stride_in_1x1=stride_in_1x1, shortcut=shortcut)
    return from_table(
        TABLE, f"{depth}-layer", num_classes=num_classes, in_channels=in_channels, block=block
    )


def resnet_cifar(
    depth: int,
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    input_size: tuple[int, int] = (32, 32),  # noqa: ARG001 -- any size will do
    shortcut: Shortcut = "A",
) -> nn.Sequential:
    """Build CIFAR's network with `depth` layers: images (n, in_channels, height, width) -> logits.

    The paper's shortcuts on CIFAR are A, which has no parameters (section 4.2). `average` is A with
    the mean of 2x2 units instead of every second unit.

    Raises RequestError for a depth that is not 6n+2.
    """
    blocks, left = divmod(depth - 2, 6)
    if left or blocks < 1:
        raise RequestError(f"A ResNet for CIFAR has 6n+2 layers: 8, 14, 20 ..., not {depth}.")
    block = partial(post_activation, shortcut=shortcut)
    return from_table(
        CIFAR, "6n+2", num_classes=num_classes, in_channels=in_channels, block=block, blocks=blocks
    )
