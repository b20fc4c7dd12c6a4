"""MobileNetV3: Howard et al., 2019, https://arxiv.org/abs/1905.02244.

LARGE and SMALL are Tables 1 and 2 of the paper: the number of channels between (exp size) and of
the output (#out), squeeze and excitation (SE), the nonlinearity (NL, h-swish or ReLU) and the
stride s. `bneck` is the inverted residual block of `inverted_residual.py`. Squeeze and excitation
has a quarter of the expanded channels (section 5.3), rounded to a multiple of 8 as in the released
code, and a hard sigmoid for its gate. The layers without batch norm (NBN) are dense, as they read
one unit; h-swish follows the first.

Deviations, as in torchvision and the released code: the last convolution of SMALL, for which Table
2 marks SE, has none. Batch norm has an eps of 0.001 and a momentum of 0.01 (section 6.1: 0.99 for
the average). The paper states no initialization: filters are drawn after He et al., 2015, with
`fan_out`, dense weights from N(0, 0.01²), biases are zero. The dropout of 0.2 is the paper's 0.8 of
what is kept.
"""

from collections import OrderedDict
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Literal

from torch import nn

from convscope.zoo.cell_notation import table_rows
from convscope.zoo.initialize import gaussian_head, he
from convscope.zoo.inverted_residual import (
    Activation,
    InvertedResidual,
    block_names,
    normed,
    round_channels,
    stem,
)
from convscope.zoo.parameter_names import NameMap, module_names

LARGE = """
    layer    input        operator          exp size  #out  SE   NL  s
    conv1    224x224x3    conv2d, 3x3       .         16    .    HS  2
    bneck2   112x112x16   bneck, 3x3        16        16    .    RE  1
    bneck3   112x112x16   bneck, 3x3        64        24    .    RE  2
    bneck4   56x56x24     bneck, 3x3        72        24    .    RE  1
    bneck5   56x56x24     bneck, 5x5        72        40    yes  RE  2
    bneck6   28x28x40     bneck, 5x5        120       40    yes  RE  1
    bneck7   28x28x40     bneck, 5x5        120       40    yes  RE  1
    bneck8   28x28x40     bneck, 3x3        240       80    .    HS  2
    bneck9   14x14x80     bneck, 3x3        200       80    .    HS  1
    bneck10  14x14x80     bneck, 3x3        184       80    .    HS  1
    bneck11  14x14x80     bneck, 3x3        184       80    .    HS  1
    bneck12  14x14x80     bneck, 3x3        480       112   yes  HS  1
    bneck13  14x14x112    bneck, 3x3        672       112   yes  HS  1
    bneck14  14x14x112    bneck, 5x5        672       160   yes  HS  2
    bneck15  7x7x160      bneck, 5x5        960       160   yes  HS  1
    bneck16  7x7x160      bneck, 5x5        960       160   yes  HS  1
    conv17   7x7x160      conv2d, 1x1       .         960   .    HS  1
    pool17   7x7x960      pool, 7x7         .         .     .    .   1
    fc1      1x1x960      conv2d 1x1, NBN   .         1280  .    HS  1
    fc2      1x1x1280     conv2d 1x1, NBN   .         k     .    .   1
"""

SMALL = """
    layer    input        operator          exp size  #out  SE   NL  s
    conv1    224x224x3    conv2d, 3x3       .         16    .    HS  2
    bneck2   112x112x16   bneck, 3x3        16        16    yes  RE  2
    bneck3   56x56x16     bneck, 3x3        72        24    .    RE  2
    bneck4   28x28x24     bneck, 3x3        88        24    .    RE  1
    bneck5   28x28x24     bneck, 5x5        96        40    yes  HS  2
    bneck6   14x14x40     bneck, 5x5        240       40    yes  HS  1
    bneck7   14x14x40     bneck, 5x5        240       40    yes  HS  1
    bneck8   14x14x40     bneck, 5x5        120       48    yes  HS  1
    bneck9   14x14x48     bneck, 5x5        144       48    yes  HS  1
    bneck10  14x14x48     bneck, 5x5        288       96    yes  HS  2
    bneck11  7x7x96       bneck, 5x5        576       96    yes  HS  1
    bneck12  7x7x96       bneck, 5x5        576       96    yes  HS  1
    conv13   7x7x96       conv2d, 1x1       .         576   .    HS  1
    pool13   7x7x576      pool, 7x7         .         .     .    .   1
    fc1      1x1x576      conv2d 1x1, NBN   .         1024  .    HS  1
    fc2      1x1x1024     conv2d 1x1, NBN   .         k     .    .   1
"""

Config = Literal["large", "small"]

_NONLINEARITIES: dict[str, Activation] = {"HS": nn.Hardswish, "RE": nn.ReLU}
_BatchNorm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)


def mobilenet_v3(
    config: Config,
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    input_size: tuple[int, int] = (224, 224),  # noqa: ARG001 -- any size will do
    dropout: float = 0.2,
) -> nn.Sequential:
    """Build LARGE or SMALL: images (n, in_channels, height, width) -> logits (n, num_classes)."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = in_channels
    for row in _rows(config):
        name, operator, filters = row["layer"], row["operator"], row["#out"]
        activation = _NONLINEARITIES.get(row["NL"])
        match operator:
            case "conv2d, 3x3" if activation:
                layers |= stem(channels, int(filters), norm=_BatchNorm, activation=activation)
            case "conv2d, 1x1":
                conv = nn.Conv2d(channels, int(filters), 1, bias=False)
                layers |= normed(name, conv, _BatchNorm, activation)
            case "bneck, 3x3" | "bneck, 5x5" if activation:
                block = _block(row, channels)
                layers[name] = block.build(
                    norm=_BatchNorm, activation=activation, excitation=(nn.ReLU, nn.Hardsigmoid)
                )
            case "pool, 7x7":
                layers |= {name: nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
                continue
            case "conv2d 1x1, NBN" if activation:
                layers[name] = nn.Linear(channels, int(filters))
                layers |= {f"{name}_act": activation(), "dropout": nn.Dropout(dropout)}
            case "conv2d 1x1, NBN":
                layers[name] = nn.Linear(channels, num_classes)
                break
            case _:
                raise ValueError(f"The table has a row the zoo cannot build: {row!r}")
        channels = int(filters)
    net = nn.Sequential(layers)
    he(net, fan="fan_out", dense=False)
    gaussian_head(net, std=0.01)
    return net


def _rows(config: Config) -> list[dict[str, str]]:
    return table_rows(LARGE if config == "large" else SMALL)


def _block(row: dict[str, str], channels: int) -> InvertedResidual:
    expanded = int(row["exp size"])
    return InvertedResidual(
        channels=channels,
        filters=int(row["#out"]),
        expanded=expanded,
        size=int(row["operator"][-1]),
        stride=int(row["s"]),
        squeezed=round_channels(expanded // 4) if row["SE"] == "yes" else 0,
    )


def _blocks(config: Config) -> Iterator[tuple[str, InvertedResidual]]:
    """Yield every block of the table with its name."""
    for before, row in pairwise(_rows(config)):
        if row["operator"].startswith("bneck"):
            yield row["layer"], _block(row, int(before["#out"]))


def torchvision_names(config: Config) -> NameMap:
    """Map torchvision's names: `features.3.block.1.0` is the second part of the third block."""

    def names() -> dict[str, str]:
        last = "conv17" if config == "large" else "conv13"
        found = {"features.0.0": "conv1", "features.0.1": "conv1_bn"}
        blocks = list(_blocks(config))
        for index, (name, block) in enumerate(blocks, start=1):
            found |= block_names(f"features.{index}.block", name, block)
        end = f"features.{len(blocks) + 1}"
        found |= {f"{end}.0": last, f"{end}.1": f"{last}_bn"}
        return found | {"classifier.0": "fc1", "classifier.3": "fc2"}

    return module_names(names)
