"""GoogLeNet: Szegedy, Liu, Jia & others, 2014, https://arxiv.org/abs/1409.4842.

TABLE is Table 1 of the paper without its columns `depth`, `params` and `ops`, `-` where it has
nothing; `norm` is local response normalization, which only Figure 3 shows, and the softmax belongs
to the loss. A number of filters is that of one convolution: `#3x3 reduce` is a 1x1 convolution
before the 3x3, `pool proj` a 1x1 behind 3x3 max pooling. Every convolution has a bias and a ReLU
(section 5). Pools round up, as the sizes of TABLE have it without padding.

Two auxiliary classifiers read inception (4a) and (4d) while the network trains (section 5).

The paper says neither how weights begin nor with which constants it normalizes. Here filters and
dense layers begin as in He et al., 2015, with n the operands of a unit (`fan_in`), biases at zero:
drawn as was usual in 2014, the response fades in 22 layers of rectifiers. The constants are
AlexNet's.

`googlenet_bn` is torchvision's, and no longer the paper's: batch norm (epsilon 0.001) behind every
convolution and neither biases nor local response normalization, 3x3 filters in place of 5x5, a 2x2
window in pool4, auxiliary classifiers that average to 4x4 whatever the size of the maps and have
batch norm too, weights from N(0, 0.01²). What torchvision calls `transform_input` is no part of it.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from convscope.geometry import output_size
from convscope.layers import LocalResponseNorm, ModelOutput
from convscope.zoo.blocks import dense, run_layers
from convscope.zoo.initialize import gaussian, he
from convscope.zoo.parameter_names import NameMap

TABLE = """
    layer         type            output      #1x1  #3x3 reduce  #3x3  #5x5 reduce  #5x5  pool proj
    conv1         7x7/2 conv      112x112x64  -     -            -     -            -     -
    pool1         3x3/2 max pool  56x56x64    -     -            -     -            -     -
    lrn1          norm            56x56x64    -     -            -     -            -     -
    conv2         3x3/1 conv      56x56x192   -     64           192   -            -     -
    lrn2          norm            56x56x192   -     -            -     -            -     -
    pool2         3x3/2 max pool  28x28x192   -     -            -     -            -     -
    inception_3a  inception       28x28x256   64    96           128   16           32    32
    inception_3b  inception       28x28x480   128   128          192   32           96    64
    pool3         3x3/2 max pool  14x14x480   -     -            -     -            -     -
    inception_4a  inception       14x14x512   192   96           208   16           48    64
    inception_4b  inception       14x14x512   160   112          224   24           64    64
    inception_4c  inception       14x14x512   128   128          256   24           64    64
    inception_4d  inception       14x14x528   112   144          288   32           64    64
    inception_4e  inception       14x14x832   256   160          320   32           128   128
    pool4         3x3/2 max pool  7x7x832     -     -            -     -            -     -
    inception_5a  inception       7x7x832     256   160          320   32           128   128
    inception_5b  inception       7x7x1024    384   192          384   48           128   128
    pool5         7x7/1 avg pool  1x1x1024    -     -            -     -            -     -
    dropout       40% dropout     1x1x1024    -     -            -     -            -     -
    fc            linear          1x1x1000    -     -            -     -            -     -
"""

AUXILIARY = {"inception_4a": "aux_4a", "inception_4d": "aux_4d"}

TORCHVISION: NameMap = (
    (r"conv1\.conv", "conv1"),
    (r"conv1\.bn", "bn1"),
    (r"conv2\.conv", "conv2_reduce"),
    (r"conv2\.bn", "bn2_reduce"),
    (r"conv3\.conv", "conv2"),
    (r"conv3\.bn", "bn2"),
    (r"inception(..)\.branch1\.(conv|bn)", r"inception_\1.\2_1x1"),
    (r"inception(..)\.branch2\.0\.(conv|bn)", r"inception_\1.\2_3x3_reduce"),
    (r"inception(..)\.branch2\.1\.(conv|bn)", r"inception_\1.\2_3x3"),
    (r"inception(..)\.branch3\.0\.(conv|bn)", r"inception_\1.\2_5x5_reduce"),
    (r"inception(..)\.branch3\.1\.(conv|bn)", r"inception_\1.\2_5x5"),
    (r"inception(..)\.branch4\.1\.(conv|bn)", r"inception_\1.\2_pool_proj"),
    (r"aux1\.conv\.(conv|bn)", r"aux_4a.\1"),
    (r"aux2\.conv\.(conv|bn)", r"aux_4d.\1"),
    (r"aux1\.", "aux_4a."),
    (r"aux2\.", "aux_4d."),
)


class GoogLeNet(nn.Sequential):
    """Layers one after the other, with auxiliary classifiers, the children called `aux_`, aside.

    In training mode the auxiliary classifiers read what the layer before them gives, and the answer
    is `ModelOutput(logits, aux_logits)`; in eval mode they are not run, and it is the logits alone.
    """

    def forward(self, input: Tensor) -> Tensor | ModelOutput:  # noqa: A002 -- as in nn.Sequential
        maps, aux_logits = input, list[Tensor]()
        for name, layer in self.named_children():
            if not name.startswith("aux_"):
                maps = layer(maps)
            elif self.training:
                aux_logits.append(layer(maps))
        return ModelOutput(maps, tuple(aux_logits)) if aux_logits else maps


class Inception(nn.Module):
    """Lay the maps that several branches make of the same input one behind the other.

    A branch is layers by name, run in their order. (n, maps, height, width) -> (n, maps of all
    branches, height, width).

    Reference: https://arxiv.org/abs/1409.4842, Figure 2(b).
    """

    branches: tuple[tuple[str, ...], ...]

    def __init__(self, branches: Sequence[Mapping[str, nn.Module]]) -> None:
        super().__init__()
        for branch in branches:
            for name, layer in branch.items():
                self.add_module(name, layer)
        self.branches = tuple(tuple(branch) for branch in branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([run_layers(self, branch, x) for branch in self.branches], dim=1)


def googlenet(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    input_size: tuple[int, int] = (224, 224),
    auxiliary: bool = True,
) -> GoogLeNet:
    """The network of the paper: images (n, in_channels, height, width) -> logits (n, num_classes).

    In training mode it answers `convscope.layers.ModelOutput`, with the logits of the `auxiliary`
    classifiers `aux_4a` and `aux_4d` beside its own. Their dense layers are as wide as `input_size`
    makes them, and need 79x79 or more; without them 31x31 will do.

    Raises RequestError where `input_size` is too small.
    """
    net = _build(num_classes, in_channels, input_size, auxiliary=auxiliary, batch_norm=False)
    he(net)
    return net


def googlenet_bn(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    input_size: tuple[int, int] = (224, 224),
    auxiliary: bool = False,
) -> GoogLeNet:
    """Build torchvision's: images (n, in_channels, height, width) -> logits (n, num_classes).

    `auxiliary` adds its auxiliary classifiers; the network then answers as `googlenet` does. Any
    size from 15x15 up will do.
    """
    net = _build(num_classes, in_channels, input_size, auxiliary=auxiliary, batch_norm=True)
    gaussian(net, 0.01)
    return net


def _build(
    num_classes: int,
    in_channels: int,
    input_size: tuple[int, int],
    *,
    auxiliary: bool,
    batch_norm: bool,
) -> GoogLeNet:
    """The rows of TABLE, as the paper has them or, with `batch_norm`, torchvision.

    Raises ValueError naming a type that no layer can be made of.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    maps, sides = in_channels, list(input_size)
    header, *lines = (re.split(r"\s{2,}", line.strip()) for line in TABLE.strip().splitlines())
    for row in (dict(zip(header, line, strict=True)) for line in lines):
        if batch_norm and row["type"] == "norm":
            continue
        name, (kind, numbers) = row["layer"], _read_type(row["type"])
        match kind, numbers:
            case "conv", [_, kernel, stride]:
                layers |= _convolutions(row, maps, kernel, stride, batch_norm=batch_norm)
                sides = [output_size(n, kernel, stride=stride, padding=kernel // 2) for n in sides]
            case "max pool", [_, kernel, stride]:
                window = 2 if batch_norm and name == "pool4" else kernel
                layers[name] = nn.MaxPool2d(window, stride, ceil_mode=True)
                sides = [output_size(n, window, stride=stride, ceil_mode=True) for n in sides]
            case "inception", []:
                layers[name] = _inception(row, maps, batch_norm=batch_norm)
            case _:
                layers |= _other(row, maps, num_classes)
        maps = int(row["output"].split("x")[-1])
        if auxiliary and name in AUXILIARY:
            layers[AUXILIARY[name]] = _auxiliary(maps, sides, num_classes, batch_norm=batch_norm)
    return GoogLeNet(layers)


def _read_type(cell: str) -> tuple[str, list[int]]:
    """`3x3/2 max pool` is ("max pool", [3, 3, 2])."""
    return re.sub(r"^[\d/x%]+ ", "", cell), [int(number) for number in re.findall(r"\d+", cell)]


def _other(row: Mapping[str, str], maps: int, num_classes: int) -> dict[str, nn.Module]:
    """The layers of a row that has neither filters nor a window."""
    match _read_type(row["type"]):
        case "norm", []:
            return {row["layer"]: LocalResponseNorm()}
        case "avg pool", [_, _, 1]:
            return {row["layer"]: nn.AdaptiveAvgPool2d(1)}
        case "dropout", [percent]:
            return {row["layer"]: nn.Dropout(percent / 100)}
        case "linear", []:
            return {"flatten": nn.Flatten(), row["layer"]: nn.Linear(maps, num_classes)}
        case _:
            raise ValueError(f"TABLE has a type the zoo cannot build: {row['type']!r}")


def _convolutions(
    row: Mapping[str, str], maps: int, kernel: int, stride: int, *, batch_norm: bool
) -> dict[str, nn.Module]:
    """The one convolution of a row of the stem, or two where it is reduced before."""
    place, filters = row["layer"].removeprefix("conv"), int(row["output"].split("x")[-1])
    layers: dict[str, nn.Module] = {}
    if row["#3x3 reduce"] != "-":
        reduced = int(row["#3x3 reduce"])
        layers = _convolution(f"{place}_reduce", maps, reduced, 1, batch_norm=batch_norm)
        maps = reduced
    return layers | _convolution(place, maps, filters, kernel, stride=stride, batch_norm=batch_norm)


def _inception(row: Mapping[str, str], maps: int, *, batch_norm: bool) -> Inception:
    columns = (key for key in row if key not in ("layer", "type", "output"))
    one, reduce3, three, reduce5, five, projection = (int(row[key]) for key in columns)
    bn = batch_norm
    return Inception(
        [
            _convolution("_1x1", maps, one, 1, batch_norm=bn),
            _convolution("_3x3_reduce", maps, reduce3, 1, batch_norm=bn)
            | _convolution("_3x3", reduce3, three, 3, batch_norm=bn),
            _convolution("_5x5_reduce", maps, reduce5, 1, batch_norm=bn)
            | _convolution("_5x5", reduce5, five, 3 if bn else 5, batch_norm=bn),
            {"pool": nn.MaxPool2d(3, 1, padding=1)}
            | _convolution("_pool_proj", maps, projection, 1, batch_norm=bn),
        ]
    )


def _auxiliary(
    maps: int, sides: Sequence[int], num_classes: int, *, batch_norm: bool
) -> nn.Sequential:
    """Averages of 5x5, 128 1x1 filters, 1024 dense units, dropout of 70%, and the classes."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["pool"] = nn.AdaptiveAvgPool2d(4) if batch_norm else nn.AvgPool2d(5, 3)
    height, width = (4 if batch_norm else output_size(side, 5, stride=3) for side in sides)
    layers |= _convolution("", maps, 128, 1, batch_norm=batch_norm)
    layers["flatten"] = nn.Flatten()
    layers |= dense([128 * height * width, 1024, num_classes], dropout=0.7)
    return nn.Sequential(layers)


def _convolution(
    place: str, maps: int, filters: int, kernel: int, *, stride: int = 1, batch_norm: bool
) -> dict[str, nn.Module]:
    """A convolution padded to keep the size, with its ReLU, `place` behind their names."""
    conv = nn.Conv2d(maps, filters, kernel, stride, padding=kernel // 2, bias=not batch_norm)
    layers: dict[str, nn.Module] = {f"conv{place}": conv}
    if batch_norm:
        layers[f"bn{place}"] = nn.BatchNorm2d(filters, eps=0.001)
    return layers | {f"relu{place}": nn.ReLU()}
