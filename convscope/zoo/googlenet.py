"""GoogLeNet: Szegedy, Liu, Jia & others, 2014, https://arxiv.org/abs/1409.4842.

TABLE is Table 1 of the paper without its columns `depth`, `params` and `ops`, with `-` for empty
cells; `norm` is local response normalization, which only Figure 3 shows, and the softmax belongs to
the loss. Each number of filters belongs to one convolution: `#3x3 reduce` is a 1x1 convolution
before the 3x3, `pool proj` a 1x1 after 3x3 max pooling. Every convolution has a bias and a ReLU
(section 5). Pooling rounds up, which the sizes of TABLE need without padding.

Two auxiliary classifiers read inception (4a) and (4d) in training mode (section 5).

The paper gives neither the initialization of the weights nor the constants of the normalization.
Here filters and dense layers are initialized after He et al., 2015, with `fan_in`, biases with
zero: with the initialization usual in 2014 the signal fades in 22 layers of rectifiers. The
constants are AlexNet's.

`googlenet_bn` is torchvision's, which differs from the paper: batch norm (epsilon 0.001) after
every convolution, neither biases nor local response normalization, 3x3 filters instead of 5x5, a
2x2 window in pool4, auxiliary classifiers that pool to 4x4 whatever the size of the maps and have
batch norm too, weights from N(0, 0.01²). torchvision's `transform_input` is not part of it.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from convscope.arithmetic import output_size
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
    """Layers in sequence, with auxiliary classifiers, the children named `aux_`, on the side.

    In training mode the auxiliary classifiers read the output of the layer before them, and the
    network returns `ModelOutput(logits, aux_logits)`; in eval mode it skips them and returns the
    logits.
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
    """Concatenate the maps of several branches that read the same input.

    A branch maps names to layers, which run in that order. (n, channels, height, width) ->
    (n, channels of all branches, height, width).

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
    """Build the paper's: images (n, in_channels, height, width) -> logits (n, num_classes).

    In training mode it returns `convscope.layers.ModelOutput`, with its logits and those of the
    `auxiliary` classifiers `aux_4a` and `aux_4d`. Their dense layers depend on `input_size` and
    need 79x79 or more; without them 31x31 is enough.

    Raises RequestError if `input_size` is too small.
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

    `auxiliary` adds its auxiliary classifiers; the network then returns what `googlenet` does.
    `input_size` may be anything from 15x15 up.
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
    """Build the rows of TABLE, as in the paper or, with `batch_norm`, as in torchvision.

    Raises ValueError, naming the type, for a row of an unknown type.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels, sides = in_channels, list(input_size)
    header, *lines = (re.split(r"\s{2,}", line.strip()) for line in TABLE.strip().splitlines())
    for row in (dict(zip(header, line, strict=True)) for line in lines):
        if batch_norm and row["type"] == "norm":
            continue
        name, (kind, numbers) = row["layer"], _read_type(row["type"])
        match kind, numbers:
            case "conv", [_, kernel, stride]:
                layers |= _convolutions(row, channels, kernel, stride, batch_norm=batch_norm)
                sides = [output_size(n, kernel, stride=stride, padding=kernel // 2) for n in sides]
            case "max pool", [_, kernel, stride]:
                window = 2 if batch_norm and name == "pool4" else kernel
                layers[name] = nn.MaxPool2d(window, stride, ceil_mode=True)
                sides = [output_size(n, window, stride=stride, ceil_mode=True) for n in sides]
            case "inception", []:
                layers[name] = _inception(row, channels, batch_norm=batch_norm)
            case _:
                layers |= _other(row, channels, num_classes)
        channels = int(row["output"].split("x")[-1])
        if auxiliary and name in AUXILIARY:
            layers[AUXILIARY[name]] = _auxiliary(
                channels, sides, num_classes, batch_norm=batch_norm
            )
    return GoogLeNet(layers)


def _read_type(cell: str) -> tuple[str, list[int]]:
    """Split a type: `3x3/2 max pool` gives ("max pool", [3, 3, 2])."""
    return re.sub(r"^[\d/x%]+ ", "", cell), [int(number) for number in re.findall(r"\d+", cell)]


def _other(row: Mapping[str, str], channels: int, num_classes: int) -> dict[str, nn.Module]:
    """Build the layers of a row that has neither filters nor a sliding window."""
    match _read_type(row["type"]):
        case "norm", []:
            return {row["layer"]: LocalResponseNorm()}
        case "avg pool", [_, _, 1]:
            return {row["layer"]: nn.AdaptiveAvgPool2d(1)}
        case "dropout", [percent]:
            return {row["layer"]: nn.Dropout(percent / 100)}
        case "linear", []:
            return {"flatten": nn.Flatten(), row["layer"]: nn.Linear(channels, num_classes)}
        case _:
            raise ValueError(f"TABLE has a type the zoo cannot build: {row['type']!r}")


def _convolutions(
    row: Mapping[str, str], channels: int, kernel: int, stride: int, *, batch_norm: bool
) -> dict[str, nn.Module]:
    """Build the convolution of a row of the stem, with the one that reduces its input, if any."""
    suffix, filters = row["layer"].removeprefix("conv"), int(row["output"].split("x")[-1])
    layers: dict[str, nn.Module] = {}
    if row["#3x3 reduce"] != "-":
        reduced = int(row["#3x3 reduce"])
        layers = _convolution(f"{suffix}_reduce", channels, reduced, 1, batch_norm=batch_norm)
        channels = reduced
    return layers | _convolution(
        suffix, channels, filters, kernel, stride=stride, batch_norm=batch_norm
    )


def _inception(row: Mapping[str, str], channels: int, *, batch_norm: bool) -> Inception:
    columns = (key for key in row if key not in ("layer", "type", "output"))
    one, reduce3, three, reduce5, five, projection = (int(row[key]) for key in columns)
    bn = batch_norm
    return Inception(
        [
            _convolution("_1x1", channels, one, 1, batch_norm=bn),
            _convolution("_3x3_reduce", channels, reduce3, 1, batch_norm=bn)
            | _convolution("_3x3", reduce3, three, 3, batch_norm=bn),
            _convolution("_5x5_reduce", channels, reduce5, 1, batch_norm=bn)
            | _convolution("_5x5", reduce5, five, 3 if bn else 5, batch_norm=bn),
            {"pool": nn.MaxPool2d(3, 1, padding=1)}
            | _convolution("_pool_proj", channels, projection, 1, batch_norm=bn),
        ]
    )


def _auxiliary(
    channels: int, sides: Sequence[int], num_classes: int, *, batch_norm: bool
) -> nn.Sequential:
    """Build average pooling of 5x5, 128 1x1 filters, 1024 dense units, dropout and the logits."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["pool"] = nn.AdaptiveAvgPool2d(4) if batch_norm else nn.AvgPool2d(5, 3)
    height, width = (4 if batch_norm else output_size(side, 5, stride=3) for side in sides)
    layers |= _convolution("", channels, 128, 1, batch_norm=batch_norm)
    layers["flatten"] = nn.Flatten()
    layers |= dense([128 * height * width, 1024, num_classes], dropout=0.7)
    return nn.Sequential(layers)


def _convolution(
    suffix: str, channels: int, filters: int, kernel: int, *, stride: int = 1, batch_norm: bool
) -> dict[str, nn.Module]:
    """Build a convolution that keeps the size, and its ReLU; both names end in `suffix`."""
    conv = nn.Conv2d(channels, filters, kernel, stride, padding=kernel // 2, bias=not batch_norm)
    layers: dict[str, nn.Module] = {f"conv{suffix}": conv}
    if batch_norm:
        layers[f"bn{suffix}"] = nn.BatchNorm2d(filters, eps=0.001)
    return layers | {f"relu{suffix}": nn.ReLU()}
