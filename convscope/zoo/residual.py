"""Residual blocks, and networks of them that are read from a table."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from torch import Tensor, nn

from convscope.zoo.blocks import run_layers
from convscope.zoo.initialize import he
from convscope.zoo.parameter_names import NameMap
from convscope.zoo.squeeze_excitation import SqueezeExcitation
from convscope.zoo.stage_table import Convolution, activation, pooling, read_convolution, read_rows

Shortcut = Literal["A", "B", "C", "average"]


class Residual(nn.Module):
    """Add the output of a branch to its input: y = after(branch(s) + shortcut(s)).

    s = before(x). `branch`, `before` and `after` map names to layers, which run in that order; the
    shortcut defaults to the identity. x is (n, channels, height, width), and branch and shortcut
    must return the same shape.

    Reference: He, Zhang, Ren & Sun, 2015, https://arxiv.org/abs/1512.03385, equations 1 and 2.
    """

    before: tuple[str, ...]
    branch: tuple[str, ...]
    after: tuple[str, ...]
    shortcut: nn.Module

    def __init__(
        self,
        branch: Mapping[str, nn.Module],
        *,
        shortcut: nn.Module | None = None,
        before: Mapping[str, nn.Module] | None = None,
        after: Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        before, after = before or {}, after or {}
        self.before, self.branch, self.after = tuple(before), tuple(branch), tuple(after)
        layers = {**before, **branch, "shortcut": shortcut or nn.Identity(), **after}
        for name, layer in layers.items():
            self.add_module(name, layer)

    def extend(self, name: str, layer: nn.Module) -> None:
        """Append a layer to the branch."""
        self.add_module(name, layer)
        self.branch = (*self.branch, name)

    def forward(self, x: Tensor) -> Tensor:
        shared = run_layers(self, self.before, x)
        total = run_layers(self, self.branch, shared) + self.shortcut(shared)
        return run_layers(self, self.after, total)


Block = Callable[[Sequence[Convolution], int, int], Residual]
"""Builds a block from its convolutions, its number of input channels and its stride."""


def post_activation(
    convolutions: Sequence[Convolution],
    channels: int,
    stride: int,
    *,
    stride_in_1x1: bool = False,
    shortcut: Shortcut = "B",
    squeezed: int = 0,
) -> Residual:
    """Build the block of 2015: convolutions with batch norm, ReLU between them and after the sum.

    The first 3x3 convolution takes the stride or, with `stride_in_1x1`, the first 1x1 one. Where
    `squeezed` is not 0, squeeze and excitation of that width stands before the last convolution.
    """
    strided = [conv.size for conv in convolutions].index(1 if stride_in_1x1 else 3)
    branch: dict[str, nn.Module] = {}
    width = channels
    for index, conv in enumerate(convolutions):
        if index:
            branch[f"relu{index}"] = nn.ReLU()
        if squeezed and index == len(convolutions) - 1:
            branch["se"] = SqueezeExcitation(width, squeezed)
        branch[f"conv{index + 1}"] = conv.layer(width, stride=stride if index == strided else 1)
        branch[f"bn{index + 1}"] = nn.BatchNorm2d(conv.filters)
        width = conv.filters
    return Residual(
        branch, shortcut=_shortcut(shortcut, channels, width, stride), after={"relu": nn.ReLU()}
    )


def _shortcut(kind: Shortcut, channels: int, filters: int, stride: int) -> nn.Module:
    """Build an option of section 3.3: A pads with zeros, B projects on a change, C everywhere.

    B projects where the number of channels or the size changes. With stride 2, A takes every second
    unit; `average` is A with the mean of 2x2 units.
    """
    if kind != "C" and channels == filters and stride == 1:
        return nn.Identity()
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if kind in ("B", "C"):
        layers["conv"] = nn.Conv2d(channels, filters, 1, stride, bias=False)
        layers["bn"] = nn.BatchNorm2d(filters)
    else:
        is_plain = kind == "A"  # no window of one unit is cut, and exporters trip over ceil_mode
        layers["pool"] = nn.AvgPool2d(1 if is_plain else stride, stride, ceil_mode=not is_plain)
        layers["pad"] = nn.ZeroPad3d(
            (0, 0, 0, 0, 0, filters - channels)
        )  # its third axis: channels
    return nn.Sequential(layers)


def from_table(
    table: str,
    network: str,
    *,
    num_classes: int,
    in_channels: int,
    block: Block = post_activation,
    blocks: int = 1,
    preactivation: bool = False,
) -> nn.Sequential:
    """Build one column: images (n, in_channels, height, width) -> logits (n, num_classes).

    `conv3_2` is the second block of the row `conv3_x`. The first block of every such row except the
    first has stride 2. `blocks` is the n of `xn`. Batch norm and ReLU follow conv1, or the last
    block where the blocks start with them (`preactivation`). Filters are initialized after He et
    al., 2015, with `fan_out`.

    Raises ValueError, naming the cell, for a cell of an unknown layer.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels, stride = in_channels, 1
    for row in read_rows(table, network):
        if row.stack:
            convolutions = [read_convolution(cell) for cell in row.cells]
            for index in range(blocks if row.stack == "n" else int(row.stack)):
                layers[f"{row.name[:-1]}{index + 1}"] = block(convolutions, channels, stride)
                channels, stride = convolutions[-1].filters, 1
            stride = 2
        elif pool := pooling(row.cells[0]):
            if preactivation:
                layers |= activation(row.name[-1], channels)
            layers[row.name] = pool
        elif row.cells[0].endswith("-d fc"):
            layers |= {"flatten": nn.Flatten(), row.name: nn.Linear(channels, num_classes)}
        else:
            conv = read_convolution(row.cells[0])
            layers[row.name] = conv.layer(channels, stride=conv.stride)
            channels = conv.filters
            if not preactivation:
                layers |= activation(row.name[-1], channels)
    net = nn.Sequential(layers)
    he(net, fan="fan_out", dense=False)
    return net


def torchvision_names(table: str, network: str) -> NameMap:
    """Map torchvision's names of the parameters of one column to ours: `layer1.0` is conv2_1."""
    pairs: list[tuple[str, str]] = []
    stages = [int(row.stack) for row in read_rows(table, network) if row.stack]
    for stage, blocks in enumerate(stages, start=1):
        for index in range(blocks):
            torchvision, ours = rf"layer{stage}\.{index}\.", f"conv{stage + 1}_{index + 1}."
            pairs += [
                (rf"{torchvision}downsample\.0\.", f"{ours}shortcut.conv."),
                (rf"{torchvision}downsample\.1\.", f"{ours}shortcut.bn."),
                (torchvision, ours),
            ]
    return tuple(pairs)
