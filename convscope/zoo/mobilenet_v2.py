"""MobileNetV2: Sandler, Howard, Zhu, Zhmoginov & Chen, 2018, https://arxiv.org/abs/1801.04381.

TABLE is Table 2 of the paper: the expansion t, the number of channels c, the number of blocks n,
and the stride s of the first of them. `bottleneck` is the inverted residual block of
`inverted_residual.py`; every convolution is followed by batch norm and ReLU6, except the
projections, which are linear. The paper's last convolution, over one unit, is the dense layer `fc`.

Deviations, as in torchvision. Batch norm has PyTorch's eps of 1e-5 and momentum of 0.1; the
released code has 1e-3. The paper states no initialization: filters are drawn after He et al., 2015,
with `fan_out`, the weights of the dense layer from N(0, 0.01²), biases are zero. The dropout of 0.2
is that of the released code.
"""

from collections import OrderedDict
from collections.abc import Iterator

from torch import nn

from convscope.zoo.cell_notation import table_rows
from convscope.zoo.initialize import gaussian_head, he
from convscope.zoo.inverted_residual import InvertedResidual, normed, round_channels, stem
from convscope.zoo.parameter_names import NameMap, module_names

TABLE = """
    layer        input        operator     t  c     n  s
    conv1        224x224x3    conv2d       .  32    1  2
    bottleneck2  112x112x32   bottleneck   1  16    1  1
    bottleneck3  112x112x16   bottleneck   6  24    2  2
    bottleneck4  56x56x24     bottleneck   6  32    3  2
    bottleneck5  28x28x32     bottleneck   6  64    4  2
    bottleneck6  14x14x64     bottleneck   6  96    3  1
    bottleneck7  14x14x96     bottleneck   6  160   3  2
    bottleneck8  7x7x160      bottleneck   6  320   1  1
    conv9        7x7x320      conv2d 1x1   .  1280  1  1
    pool9        7x7x1280     avgpool 7x7  .  .     1  .
    fc           1x1x1280     conv2d 1x1   .  k     .  .
"""


def mobilenet_v2(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    input_size: tuple[int, int] = (224, 224),  # noqa: ARG001 -- any size will do
    width: float = 1.0,
    dropout: float = 0.2,
) -> nn.Sequential:
    """Build the network: images (n, in_channels, height, width) -> logits (n, num_classes).

    `bottleneck3_2` is the second block of the third row. `width` multiplies the number of channels,
    which is rounded to a multiple of 8; below 1 the last convolution keeps its 1280 (section 4).
    """
    first, last = _filters("conv1", width), _filters("conv9", max(1.0, width))
    layers = OrderedDict(stem(in_channels, first, norm=nn.BatchNorm2d, activation=nn.ReLU6))
    channels = first
    for name, block in _blocks(width):
        layers[name] = block.build(norm=nn.BatchNorm2d, activation=nn.ReLU6)
        channels = block.filters
    conv9 = nn.Conv2d(channels, last, 1, bias=False)
    layers |= normed("conv9", conv9, nn.BatchNorm2d, nn.ReLU6)
    layers["pool9"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["dropout"] = nn.Dropout(dropout)
    layers["fc"] = nn.Linear(last, num_classes)
    net = nn.Sequential(layers)
    he(net, fan="fan_out", dense=False)
    gaussian_head(net, std=0.01)
    return net


def _filters(layer: str, width: float) -> int:
    row = next(row for row in table_rows(TABLE) if row["layer"] == layer)
    return round_channels(int(row["c"]) * width)


def _blocks(width: float = 1.0) -> Iterator[tuple[str, InvertedResidual]]:
    """Yield every block of the table with its name."""
    channels = _filters("conv1", width)
    for row in table_rows(TABLE):
        if row["operator"] != "bottleneck":
            continue
        filters = round_channels(int(row["c"]) * width)
        for index in range(int(row["n"])):
            block = InvertedResidual(
                channels=channels,
                filters=filters,
                expanded=channels * int(row["t"]),
                stride=1 if index else int(row["s"]),
            )
            yield f"{row['layer']}_{index + 1}", block
            channels = filters


def _torchvision() -> dict[str, str]:
    names = {"features.0.0": "conv1", "features.0.1": "conv1_bn"}
    index = 0
    for index, (name, block) in enumerate(_blocks(), start=1):
        for place, part in enumerate(block.parts):
            theirs = f"features.{index}.conv.{place}"
            is_last = part == "project"  # whose batch norm is beside it, as it has no activation
            names[theirs if is_last else f"{theirs}.0"] = f"{name}.{part}"
            norm = f"features.{index}.conv.{place + 1}" if is_last else f"{theirs}.1"
            names[norm] = f"{name}.{part}_bn"
    names |= {f"features.{index + 1}.0": "conv9", f"features.{index + 1}.1": "conv9_bn"}
    return names | {"classifier.1": "fc"}


def _timm() -> dict[str, str]:
    names = {"conv_stem": "conv1", "bn1": "conv1_bn", "conv_head": "conv9", "bn2": "conv9_bn"}
    for name, block in _blocks():
        stage, _, index = name.removeprefix("bottleneck").partition("_")
        theirs = f"blocks.{int(stage) - 2}.{int(index) - 1}"
        convs = (
            ["conv_pw", "conv_dw", "conv_pwl"]
            if "expand" in block.parts
            else ["conv_dw", "conv_pw"]
        )
        for place, (conv, part) in enumerate(zip(convs, block.parts, strict=True), start=1):
            names[f"{theirs}.{conv}"] = f"{name}.{part}"
            names[f"{theirs}.bn{place}"] = f"{name}.{part}_bn"
    return names | {"classifier": "fc"}


TORCHVISION: NameMap = module_names(_torchvision)
TIMM: NameMap = module_names(_timm)
