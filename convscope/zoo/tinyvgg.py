"""TinyVGG: the lecture's small ConvNet, ten 3x3 filters in every convolution.

    [conv - relu - conv - relu - pool] x 3, dense

Padding of 1 keeps the size through a convolution and 2x2 max pooling with stride 2 halves it, so
32x32 becomes 4x4 before the dense layer. Filters begin as He et al. (2015) draw them for
rectifiers, normal with variance 2/fan-in, biases at zero: with PyTorch's own beginning six
convolutions in a row hardly start to learn. The first convolution has the lecture's 280 parameters,
the whole network 6,440 for ten classes. (CNN Explainer's network of the same name has two stages,
no padding and 64x64 images.)
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
    """The network above: images (n, in_channels, height, width) -> logits (n, num_classes).

    `conv2_1` is the first convolution of the second stage. `input_size` may be anything from 8x8
    up; the dense layer is connected to all of the last maps.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    maps = in_channels
    for stage in range(1, STAGES + 1):
        for place in (1, 2):
            conv = nn.Conv2d(maps, FILTERS, 3, padding=1)
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.get_parameter("bias"))
            layers[f"conv{stage}_{place}"] = conv
            layers[f"relu{stage}_{place}"] = nn.ReLU()
            maps = FILTERS
        layers[f"pool{stage}"] = nn.MaxPool2d(2)
    height, width = (side // 2**STAGES for side in input_size)
    layers["flatten"] = nn.Flatten()
    layers["fc"] = nn.Linear(FILTERS * height * width, num_classes)
    return nn.Sequential(layers)
