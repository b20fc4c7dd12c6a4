"""TinyVGG: the lecture's small ConvNet, ten 3x3 filters in every convolution.

    [conv - relu - conv - relu - pool] x 3, dense

A convolution keeps the size with a padding of 1 and 2x2 max pooling with stride 2 halves it, so
32x32 becomes 4x4 before the dense layer. Filters are initialized after He et al. (2015), normal
with variance 2/fan_in, biases with zero: with PyTorch's default six convolutions in a row hardly
start to learn. The first convolution has the lecture's 280 parameters, the network 6,440 for ten
classes. (CNN Explainer's network of the same name has two stages, no padding and 64x64 images.)
"""

from collections import OrderedDict

from torch import nn

STAGES = 3
FILTERS = 10


def tinyvgg(
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    input_size: tuple[int, int] = (32, 32),
) -> nn.Sequential:
    """Build the network: images (n, in_channels, height, width) -> logits (n, num_classes).

    `conv2_1` is the first convolution of the second stage. `input_size` may be anything from 8x8
    up; the dense layer is connected to all of the last maps.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = in_channels
    for stage in range(1, STAGES + 1):
        for index in (1, 2):
            conv = nn.Conv2d(channels, FILTERS, 3, padding=1)
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.get_parameter("bias"))
            layers[f"conv{stage}_{index}"] = conv
            layers[f"relu{stage}_{index}"] = nn.ReLU()
            channels = FILTERS
        layers[f"pool{stage}"] = nn.MaxPool2d(2)
    height, width = (side // 2**STAGES for side in input_size)
    layers["flatten"] = nn.Flatten()
    layers["fc"] = nn.Linear(FILTERS * height * width, num_classes)
    return nn.Sequential(layers)
