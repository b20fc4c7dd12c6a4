"""ConvNeXt: Liu, Mao, Wu, Feichtenhofer, Darrell & Xie, 2022, https://arxiv.org/abs/2201.03545.

TABLE has the networks of section 3: the numbers of channels C and of blocks B in each stage, and
the rates of stochastic depth from Table 5. The stem is a 4x4 convolution with a stride of 4, and
between stages stands a 2x2 convolution with a stride of 2, each with a layer normalization (section
2.6). A block is Figure 4: a 7x7 depthwise convolution, layer normalization, 1x1 filters to four
times the channels, GELU, and 1x1 filters back, scaled channel by channel (layer scale).

Filters are initialized from N(0, 0.02²), cut off at ±2, biases with zero, and layer scale with 1e-6
(Appendix A). As in the released code, the 1x1 filters are dense layers over channels that lie last,
which computes the same faster.
"""

from collections import OrderedDict
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convscope.layers import DropPath
from convscope.zoo.cell_notation import table_rows
from convscope.zoo.parameter_names import NameMap, module_names

TABLE = """
    network  C                     B            stochastic depth
    T        96, 192, 384, 768     3, 3, 9, 3   0.1
    S        96, 192, 384, 768     3, 3, 27, 3  0.4
    B        128, 256, 512, 1024   3, 3, 27, 3  0.5
    L        192, 384, 768, 1536   3, 3, 27, 3  0.5
"""

Config = Literal["T", "S", "B", "L"]


class LayerNorm2d(nn.Module):
    """Normalize the channels at each position of maps (n, channels, h, w).

    y = gain · (x - mean) / sqrt(variance + eps) + bias, with a gain and a bias for each channel.

    Reference: Ba, Kiros & Hinton, 2016, https://arxiv.org/abs/1607.06450.
    """

    eps: float

    def __init__(self, channels: int, *, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        last = x.permute(0, 2, 3, 1)
        normed = F.layer_norm(last, self.weight.shape, self.weight, self.bias, self.eps)
        return normed.permute(0, 3, 1, 2)

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, eps={self.eps}"


class ConvNeXtBlock(nn.Module):
    """Add what the block computes, scaled by `layer_scale`, to its input: Figure 4.

    Input and output are (n, channels, h, w). In training the branch is dropped with the probability
    `drop`.
    """

    def __init__(self, channels: int, *, drop: float = 0.0, layer_scale: float = 1e-6) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand = nn.Linear(channels, 4 * channels)
        self.gelu = nn.GELU()
        self.project = nn.Linear(4 * channels, channels)
        self.layer_scale = nn.Parameter(torch.full((channels, 1, 1), layer_scale))
        self.drop_path = DropPath(drop, per="sample", scale_by_keep=True) if drop else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        last = self.depthwise(x).permute(0, 2, 3, 1)
        mixed = self.project(self.gelu(self.expand(self.norm(last))))
        return self.drop_path(self.layer_scale * mixed.permute(0, 3, 1, 2)) + x


def convnext(
    config: Config,
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    input_size: tuple[int, int] = (224, 224),  # noqa: ARG001 -- any size from 32x32 up
    drop_path: float | None = None,
    layer_scale: float = 1e-6,
) -> nn.Sequential:
    """Build one network: images (n, in_channels, height, width) -> logits (n, num_classes).

    `stage3_2` is the second block of the third stage, `downsample3` the convolution before the
    first. `drop_path` is the probability of dropping the last branch in training, by default that
    of the table; it rises linearly from 0.
    """
    widths, depths, rate = _row(config)
    last = rate if drop_path is None else drop_path
    layers = OrderedDict[str, nn.Module](
        stem=nn.Conv2d(in_channels, widths[0], 4, 4), stem_norm=LayerNorm2d(widths[0])
    )
    index = 0
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True), start=1):
        if stage > 1:
            narrow = widths[stage - 2]
            layers[f"downsample{stage}_norm"] = LayerNorm2d(narrow)
            layers[f"downsample{stage}"] = nn.Conv2d(narrow, width, 2, 2)
        for block in range(depth):
            layers[f"stage{stage}_{block + 1}"] = ConvNeXtBlock(
                width, drop=last * index / (sum(depths) - 1), layer_scale=layer_scale
            )
            index += 1
    layers |= {"pool": nn.AdaptiveAvgPool2d(1), "norm": LayerNorm2d(widths[-1])}
    layers |= {"flatten": nn.Flatten(), "fc": nn.Linear(widths[-1], num_classes)}
    net = nn.Sequential(layers)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.get_parameter("bias"))
    return net


def _row(config: Config) -> tuple[list[int], list[int], float]:
    """The channels and blocks of each stage, and the rate of stochastic depth."""
    row = next(row for row in table_rows(TABLE) if row["network"] == config)
    widths, depths = ([int(number) for number in row[name].split(", ")] for name in "CB")
    return widths, depths, float(row["stochastic depth"])


def _torchvision() -> dict[str, str]:
    """`features.3.1.block.0` belongs to the second block of stage 2; L has the blocks of all."""
    found = {"features.0.0": "stem", "features.0.1": "stem_norm"}
    parts = {"0": "depthwise", "2": "norm", "3": "expand", "5": "project"}
    for stage, depth in enumerate(_row("L")[1], start=1):
        before = f"features.{2 * stage - 2}"
        if stage > 1:
            found[f"{before}.0"] = f"downsample{stage}_norm"
            found[f"{before}.1"] = f"downsample{stage}"
        for block in range(depth):
            theirs, ours = f"features.{2 * stage - 1}.{block}", f"stage{stage}_{block + 1}"
            found |= {f"{theirs}.block.{place}": f"{ours}.{part}" for place, part in parts.items()}
            found[theirs] = ours
    return found | {"classifier.0": "norm", "classifier.2": "fc"}


def _timm() -> dict[str, str]:
    """`stages.1.blocks.1` is the second block of stage 2; L has the blocks of all."""
    found = {"stem.0": "stem", "stem.1": "stem_norm", "head.norm": "norm", "head.fc": "fc"}
    parts = {"conv_dw": "depthwise", "norm": "norm", "mlp.fc1": "expand", "mlp.fc2": "project"}
    for stage, depth in enumerate(_row("L")[1], start=1):
        before = f"stages.{stage - 1}"
        found[f"{before}.downsample.0"] = f"downsample{stage}_norm"
        found[f"{before}.downsample.1"] = f"downsample{stage}"
        for block in range(depth):
            theirs, ours = f"{before}.blocks.{block}", f"stage{stage}_{block + 1}"
            found |= {f"{theirs}.{their}": f"{ours}.{part}" for their, part in parts.items()}
            found[f"{theirs}.gamma"] = f"{ours}.layer_scale"
    return found


TORCHVISION: NameMap = module_names(_torchvision)
TIMM: NameMap = module_names(_timm)
