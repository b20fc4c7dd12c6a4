"""VGG, 11 to 19 weight layers: Simonyan & Zisserman, 2014, https://arxiv.org/abs/1409.1556.

TABLE is Table 1 of the paper in the paper's own notation. `conv3-64` is a 3x3 convolution to 64
channels, stride 1, size kept, then a ReLU; `maxpool` halves height and width; `fc-4096` is dense.
A row of one cell spans every column; `.` is a row its column does not have.

Weights begin as Glorot & Bengio (2010) draw them, biases at zero. The paper drew those of A from a
normal distribution and began the deeper networks with A's, and says in section 3.1 that Glorot's
way makes this needless. Batch normalization is younger than the paper: it stands in the networks of
that name only, before each ReLU.
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
    """The cells of one configuration, top to bottom."""
    header, *rows = (line.split() for line in TABLE.strip().splitlines())
    place = header.index(config)
    cells = (row[place] if len(row) > 1 else row[0] for row in rows)
    return [cell for cell in cells if cell != "."]


def layer_names(config: Config, *, batch_norm: bool) -> list[tuple[str, str]]:
    """The name of every layer below the dense ones and its cell, counted by stages of a pooling."""
    layers: list[tuple[str, str]] = []
    stage, place = 1, 1
    for cell in config_column(config):
        if cell == "maxpool":
            layers.append((f"pool{stage}", cell))
            stage, place = stage + 1, 1
        elif cell == "lrn":
            layers.append((f"lrn{stage}", cell))
        elif not cell.startswith("fc-"):
            layers.append((f"conv{stage}_{place}", cell))
            layers += [(f"bn{stage}_{place}", "bn")] * batch_norm
            layers.append((f"relu{stage}_{place}", "relu"))
            place += 1
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
    """One column of TABLE: images (n, in_channels, height, width) -> logits (n, num_classes).

    `conv3_2` is the second convolution of the third stage. `num_classes` replaces the 1000 of the
    last row; `dropout` follows the first two dense layers, 0.5 in the paper (section 3.1).
    `input_size` may be anything from 32x32 up: fc1 is connected to all of the last maps.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    maps, (height, width) = in_channels, input_size
    for name, cell in layer_names(config, batch_norm=batch_norm):
        kind, _, filters = cell.partition("-")
        match kind:
            case "conv1" | "conv3":
                size = int(kind[-1])
                layers[name] = nn.Conv2d(maps, int(filters), size, padding=size // 2)
                maps = int(filters)
            case "bn":
                layers[name] = nn.BatchNorm2d(maps)
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
    layers |= dense([maps * height * width, *hidden, num_classes], dropout=dropout)
    net = nn.Sequential(layers)
    glorot(net)
    return net


def torchvision_names(config: Config, *, batch_norm: bool = False) -> NameMap:
    """torchvision's: `features` counts every layer, `classifier` three to a dense one."""
    features = [
        (rf"features\.{place}\.", f"{name}.")
        for place, (name, _) in enumerate(layer_names(config, batch_norm=batch_norm))
        if name.startswith(("conv", "bn"))
    ]
    heads = sum(cell.startswith("fc-") for cell in config_column(config))
    classifier = [(rf"classifier\.{3 * place}\.", f"fc{place + 1}.") for place in range(heads)]
    return (*features, *classifier)
