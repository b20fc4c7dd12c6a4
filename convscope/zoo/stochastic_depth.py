"""Stochastic depth: Huang, Sun, Liu, Sedra & Weinberger, 2016, https://arxiv.org/abs/1603.09382.

The network is ResNet for CIFAR (section 4). In training, block l of L is dropped on each mini-batch
with probability 1 - p_l, and only its shortcut remains (equation 2, where b is 0 or 1):

    H_l = ReLU(b_l f_l(H_{l-1}) + id(H_{l-1})),    p_l = 1 - l/L (1 - p_L),    p_L = 0.5

In evaluation every block is active, its branch multiplied by p_l (equation 5). Where the size
changes, id is the mean of 2x2 units, with zeros for the new channels (section 4).

Deviation: a dropped block is computed all the same, so training is not a quarter faster, as the
paper measured, and its batch norm is updated on every mini-batch.
"""

from torch import nn

from convscope.layers import DropPath, linear_decay
from convscope.zoo.residual import Residual
from convscope.zoo.resnet import resnet_cifar


def stochastic_depth(
    depth: int,
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    input_size: tuple[int, int] = (32, 32),
    last: float = 0.5,
) -> nn.Sequential:
    """Build ResNet for CIFAR with `depth` layers, whose blocks are dropped at random in training.

    `last` is p_L, the survival probability of the last block; a block's `drop_path` is the last
    layer of its branch.

    Raises RequestError for a depth that is not 6n+2 or a probability outside (0, 1].
    """
    net = resnet_cifar(
        depth,
        num_classes=num_classes,
        in_channels=in_channels,
        input_size=input_size,
        shortcut="average",
    )
    blocks = [layer for layer in net if isinstance(layer, Residual)]
    for block, survival in zip(blocks, linear_decay(len(blocks), last=last), strict=True):
        block.extend("drop_path", DropPath(1 - survival))
    return net
