"""AlexNet: Krizhevsky, Sutskever & Hinton, 2012, "ImageNet Classification with Deep Convolutional
Neural Networks", NIPS.

TABLE has three networks of that name, side by side.

- `lecture`: as lectures print it, with every filter on all maps below: 62,378,344 parameters. Their
  tables have no response normalization, and neither has this network.
- `towers`: the paper's, for two GPUs: 60,965,224. A filter of conv2, conv4 and conv5 reads only the
  maps on its own GPU, which the paper writes as the depth of its kernels: `256@5x5x48` are 256
  kernels of 5x5x48. Response normalization, `lrnx48` among the 48 maps of one GPU, follows the ReLU
  (section 3.3).
- `2014`: torchvision's, after "One weird trick for parallelizing convolutional neural networks",
  https://arxiv.org/abs/1404.5997, one tower without normalization: 61,100,840. It pools adaptively
  to 6x6, so that its dense layers fit images of any size, and has dropout before fc6 and fc7, not
  after them. In that paper conv4 has 384 filters; here it has torchvision's 256.

`96@11x11/4+2` is 96 filters of 11x11, stride 4, padding 2, followed by a ReLU; `3x3/2` is max
pooling with overlapping windows; a number is a dense layer, followed by a ReLU except for the last.

The paper says 224x224, but its sizes (55, ...) need 227x227, since (224 - 11)/4 + 1 = 54.25.
Weights are initialized from N(0, 0.01²) and biases with the table's `bias` (section 5). The `2014`
network has PyTorch's default, as in torchvision: uniform in ±1/√fan_in.
"""

from collections import OrderedDict
from typing import Literal

from torch import nn

from convscope.layers import LocalResponseNorm
from convscope.zoo.cell_notation import config_column, convolution, pooling
from convscope.zoo.initialize import gaussian
from convscope.zoo.parameter_names import NameMap

Config = Literal["lecture", "towers", "2014"]

TABLE = """
    layer          bias   lecture       towers          2014
    conv1             0   96@11x11/4    96@11x11/4      64@11x11/4+2
    norm1             .   .             lrnx48          .
    pool1             .   3x3/2         3x3/2           3x3/2
    conv2             1   256@5x5+2     256@5x5x48+2    192@5x5+2
    norm2             .   .             lrnx128         .
    pool2             .   3x3/2         3x3/2           3x3/2
    conv3             0   384@3x3+1     384@3x3+1       384@3x3+1
    conv4             1   384@3x3+1     384@3x3x192+1   256@3x3+1
    conv5             1   256@3x3+1     256@3x3x192+1   256@3x3+1
    pool5             .   3x3/2         3x3/2           3x3/2
    avgpool           .   .             .               6x6
    pool5_dropout     .   .             .               0.5
    fc6               1   4096          4096            4096
    fc6_dropout       .   0.5           0.5             0.5
    fc7               1   4096          4096            4096
    fc7_dropout       .   0.5           0.5             .
    fc8               0   classes       classes         classes
"""

TORCHVISION: NameMap = (
    (r"features\.0\.", "conv1."),
    (r"features\.3\.", "conv2."),
    (r"features\.6\.", "conv3."),
    (r"features\.8\.", "conv4."),
    (r"features\.10\.", "conv5."),
    (r"classifier\.1\.", "fc6."),
    (r"classifier\.4\.", "fc7."),
    (r"classifier\.6\.", "fc8."),
)


def alexnet(
    config: Config = "lecture",
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    input_size: tuple[int, int] = (227, 227),
) -> nn.Sequential:
    """Build one column: images (n, in_channels, height, width) -> logits (n, num_classes).

    `input_size` may be anything from 67x67 up, from 63x63 in `2014`: fc6 sees all of the last maps.
    """
    cells = config_column(TABLE, config)
    layers, width = _features(cells, in_channels, input_size)
    layers["flatten"] = nn.Flatten()
    layers |= _classifier(cells, width, num_classes)
    net = nn.Sequential(layers)
    if config != "2014":
        gaussian(net, std=0.01)
        for name, bias in config_column(TABLE, "bias").items():
            nn.init.constant_(net.get_parameter(f"{name}.bias"), float(bias))
    return net


def _features(
    cells: dict[str, str], channels: int, size: tuple[int, int]
) -> tuple[OrderedDict[str, nn.Module], int]:
    """Build the layers below the dense ones; return them and the number of units they leave."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for name, text in cells.items():
        match name.rstrip("0123456789"):
            case "conv":
                cell = convolution(text)
                groups = channels // cell.depth if cell.depth else 1
                layers[name] = nn.Conv2d(
                    channels, cell.filters, cell.size, cell.stride, cell.padding, groups=groups
                )
                layers[f"relu{name[-1]}"] = nn.ReLU()
                channels, size = cell.filters, cell.output_size(size)
            case "norm":
                layers[name] = LocalResponseNorm(groups=channels // int(text.removeprefix("lrnx")))
            case "pool":
                cell = pooling(text)
                layers[name] = nn.MaxPool2d(cell.size, cell.stride)
                size = cell.output_size(size)
            case "avgpool":
                size = pooling(text).size, pooling(text).size
                layers[name] = nn.AdaptiveAvgPool2d(size)
            case "fc" | "pool5_dropout":
                break
            case _:
                raise ValueError(f"TABLE has a row the zoo cannot build: {name!r}")
    return layers, channels * size[0] * size[1]


def _classifier(cells: dict[str, str], width: int, num_classes: int) -> dict[str, nn.Module]:
    layers: dict[str, nn.Module] = {}
    for name, text in cells.items():
        if name.endswith("dropout"):
            layers[name] = nn.Dropout(float(text))
        elif name.startswith("fc"):
            units = num_classes if text == "classes" else int(text)
            layers[name] = nn.Linear(width, units)
            if text != "classes":
                layers[f"{name}_relu"] = nn.ReLU()
            width = units
    return layers
