"""VGG, 11 to 19 weight layers: Simonyan & Zisserman, 2014, https://arxiv.org/abs/1409.1556.

TABLE is Table 1 of the paper in the paper's own notation. `conv3-64` is a 3x3 convolution to 64
channels that keeps the size, followed by a ReLU; `maxpool` halves height and width; `fc-4096` is a
dense layer. A row with one cell spans all columns; `.` means that a column does not have the row.

Weights are initialized after Glorot & Bengio (2010), biases with zero. The paper drew those of A
from a normal distribution and initialized the deeper networks with A's; section 3.1 says that
Glorot's initialization makes this unnecessary. Batch normalization is younger than the paper: only
the networks named `_bn` have it, before each ReLU.
"""

from collections import OrderedDict
from typing import Literal

from torch import nn

from convscope.layers import LocalResponseNorm
from convscope.zoo.blocks import dense
from convscope.zoo.initialize import glorot
from convscope.zoo.parameter_names import NameMap

Config = Literal["A", "A-LRN", "B", "C", "D", "E"]

TABLE = """
    A          A-LRN      B          C          D          E
    conv3-64   conv3-64   conv3-64   conv3-64   conv3-64   conv3-64
    .          lrn        conv3-64   conv3-64   conv3-64   conv3-64
                               maxpool
    conv3-128  conv3-128  conv3-128  conv3-128  conv3-128  conv3-128
    .          .          conv3-128  conv3-128  conv3-128  conv3-128
                               maxpool
    conv3-256  conv3-256  conv3-256  conv3-256  conv3-256  conv3-256
    conv3-256  conv3-256  conv3-256  conv3-256  conv3-256  conv3-256
    .          .          .          conv1-256  conv3-256  conv3-256
    .          .          .          .          .          conv3-256
                               maxpool
    conv3-512  conv3-512  conv3-512  conv3-512  conv3-512  conv3-512
    conv3-512  conv3-512  conv3-512  conv3-512  conv3-512  conv3-512
    .          .          .          conv1-512  conv3-512  conv3-512
    .          .          .          .          .          conv3-512
                               maxpool
    conv3-512  conv3-512  conv3-512  conv3-512  conv3-512  conv3-512
    conv3-512  conv3-512  conv3-512  conv3-512  conv3-512  conv3-512
    .          .          .          conv1-512  conv3-512  conv3-512
    .          .          .          .          .          conv3-512
                               maxpool
                               fc-4096
                               fc-4096
                               fc-1000
"""


def config_column(config: Config) -> list[str]:
    """Return the cells of one configuration, from top to bottom."""
    header, *rows = (line.split() for line in TABLE.strip().splitlines())
    index = header.index(config)
    cells = (row[index] if len(row) > 1 else row[0] for row in rows)
    return [cell for cell in cells if cell != "."]


def layer_names(config: Config, *, batch_norm: bool) -> list[tuple[str, str]]:
    """Name every layer below the dense ones, by stage and position; pairs of a name and a cell."""
    layers: list[tuple[str, str]] = []
    stage, index = 1, 1
    for cell in config_column(config):
        if cell == "maxpool":
            layers.append((f"pool{stage}", cell))
            stage, index = stage + 1, 1
        elif cell == "lrn":
            layers.append((f"lrn{stage}", cell))
        elif not cell.startswith("fc-"):
            layers.append((f"conv{stage}_{index}", cell))
            layers += [(f"bn{stage}_{index}", "bn")] * batch_norm
            layers.append((f"relu{stage}_{index}", "relu"))
            index += 1
    return layers


def vgg(
    config: Config,
    *,
    batch_norm: bool = False,
    num_classes: int = 1000,
    in_channels: int = 3,
    input_size: tuple[int, int] = (224, 224),
    dropout: float = 0.5,
) -> nn.Sequential:
    """Build one column: images (n, in_channels, height, width) -> logits (n, num_classes).

    `conv3_2` is the second convolution of the third stage. `num_classes` replaces the 1000 of the
    last row; `dropout` follows the first two dense layers, 0.5 in the paper (section 3.1).
    `input_size` may be anything from 32x32 up: fc1 is connected to all of the last maps.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels, (height, width) = in_channels, input_size
    for name, cell in layer_names(config, batch_norm=batch_norm):
        kind, _, filters = cell.partition("-")
        match kind:
            case "conv1" | "conv3":
                size = int(kind[-1])
                layers[name] = nn.Conv2d(channels, int(filters), size, padding=size // 2)
                channels = int(filters)
            case "bn":
                layers[name] = nn.BatchNorm2d(channels)
            case "relu":
                layers[name] = nn.ReLU()
            case "lrn":  # section 2.1: its constants are AlexNet's
                layers[name] = LocalResponseNorm()
            case "maxpool":
                layers[name] = nn.MaxPool2d(2)
                height, width = height // 2, width // 2
            case _:
                raise ValueError(f"TABLE has a cell the zoo cannot build: {cell!r}")
    layers["flatten"] = nn.Flatten()
    *hidden, _ = (
        int(cell.removeprefix("fc-")) for cell in config_column(config) if cell[:2] == "fc"
    )
    layers |= dense([channels * height * width, *hidden, num_classes], dropout=dropout)
    net = nn.Sequential(layers)
    glorot(net)
    return net


def torchvision_names(config: Config, *, batch_norm: bool = False) -> NameMap:
    """Map torchvision's names: `features` counts all layers, `classifier` three per dense layer."""
    features = [
        (rf"features\.{index}\.", f"{name}.")
        for index, (name, _) in enumerate(layer_names(config, batch_norm=batch_norm))
        if name.startswith(("conv", "bn"))
    ]
    heads = sum(cell.startswith("fc-") for cell in config_column(config))
    classifier = [(rf"classifier\.{3 * index}\.", f"fc{index + 1}.") for index in range(heads)]
    return (*features, *classifier)
