"""LeNet-5: LeCun, Bottou, Bengio & Haffner, 1998, as lectures print it today.

TABLE is that lecture table: 61,706 parameters. It differs from the network of 1998 as follows:
pooling has no parameters (1998: a gain and a bias per map), every map of conv2 is connected to
every map of conv1 (1998: 60 chosen pairs), the activation is a plain tanh (1998: 1.7159
tanh(2x/3)), and the output is dense, for a softmax (1998: radial basis functions). The softmax
belongs to the loss. Weights have PyTorch's initialization, uniform in ±1/sqrt(fan_in), where 1998
has ±2.4/fan_in.
"""

from collections import OrderedDict

from torch import nn

TABLE = """
    layer   filters   size   stride   activation
    conv1         6      5        1   tanh
    pool1         .      2        2   .
    conv2        16      5        1   tanh
    pool2         .      2        2   .
    conv3       120      5        1   tanh
    fc1          84      .        .   tanh
    fc2     classes      .        .   .
"""


def lenet5(
    *,
    num_classes: int = 10,
    in_channels: int = 1,
    input_size: tuple[int, int] = (32, 32),
) -> nn.Sequential:
    """Build the network: images (n, in_channels, height, width) -> logits (n, num_classes).

    At `input_size` (32, 32), the native size and the smallest, conv3 leaves maps of 1x1. Larger
    images leave larger maps, and fc1 is connected to all of them.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    (height, width), channels = input_size, in_channels
    for row in TABLE.strip().splitlines()[1:]:
        name, filters, size, stride, activation = row.split()
        kind, index = name[:-1], name[-1]
        match kind:
            case "conv":
                layers[name] = nn.Conv2d(channels, int(filters), int(size), int(stride))
                channels, height, width = (
                    int(filters),
                    height - int(size) + 1,
                    width - int(size) + 1,
                )
            case "pool":
                layers[name] = nn.AvgPool2d(int(size), int(stride))
                height, width = height // int(stride), width // int(stride)
            case _:
                if "flatten" not in layers:
                    layers["flatten"] = nn.Flatten()
                    channels *= height * width
                units = num_classes if filters == "classes" else int(filters)
                layers[name] = nn.Linear(channels, units)
                channels = units
        if activation == "tanh":
            layers[f"tanh{index}" if kind == "conv" else f"{name}_tanh"] = nn.Tanh()
    return nn.Sequential(layers)
