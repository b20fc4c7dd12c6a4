"""RegNet: Radosavovic, Kosaraju, Girshick, He & Dollár, 2020, https://arxiv.org/abs/2003.13678.

TABLE has the parameters of the networks of Tables 5 and 6 (appendix): the depth d, the initial
width w_0, the slope w_a, the quantization w_m and the group width g; the Y networks have squeeze
and excitation in their blocks, with a quarter of the block's input channels. The width of block j
is (equations 2 to 4)

    u_j = w_0 + w_a j,    w_j = w_0 w_m^s_j,    s_j = round(log_{w_m}(u_j / w_0)),

and blocks of one width are a stage. As in the released code, w_j is rounded to a multiple of 8, and
then of g, which is w_j where that is smaller.

Deviation: torchvision, for whose weights these networks are, rounds to multiples of g otherwise: it
has 400 channels in place of the paper's 384 at the end of X-400MF, 784 for 768 at that of Y-800MF,
and 224 for 168 at the beginning of Y-8GF. `rounding="paper"` is the paper's, which timm has.

The zoo has the networks up to 8GF by name: 16GF and 1.6GF are one name in other spellings.

The stem is 3x3 filters to 32 channels with a stride of 2; a block is ResNeXt's with a bottleneck
ratio of 1 (Figure 4), and the first of each stage has a stride of 2. Filters are initialized after
He et al., 2015, with `fan_out` over all groups, the dense layer from N(0, 0.01²), biases with zero,
as in the released code, which also begins with the last batch norm of each block at zero; here, as
in torchvision, it begins as the identity.
"""

import math
from collections import OrderedDict
from itertools import groupby
from typing import Literal

from torch import nn

from convscope.zoo.cell_notation import table_rows
from convscope.zoo.initialize import gaussian_head, he
from convscope.zoo.inverted_residual import round_channels
from convscope.zoo.parameter_names import NameMap, module_names
from convscope.zoo.residual import post_activation
from convscope.zoo.stage_table import Convolution

TABLE = """
    network  d   w_0  w_a    w_m   g    SE
    X-400MF  22  24   24.48  2.54  16   .
    X-800MF  16  56   35.73  2.28  16   .
    X-1.6GF  18  80   34.01  2.25  24   .
    X-3.2GF  25  88   26.31  2.25  48   .
    X-8GF    23  80   49.56  2.88  120  .
    X-16GF   22  216  55.59  2.10  128  .
    X-32GF   23  320  69.86  2.00  168  .
    Y-400MF  16  48   27.89  2.09  8    1/4
    Y-800MF  14  56   38.84  2.40  16   1/4
    Y-1.6GF  27  48   20.71  2.65  24   1/4
    Y-3.2GF  21  80   42.63  2.66  24   1/4
    Y-8GF    17  192  76.82  2.19  56   1/4
    Y-16GF   18  200  106.2  2.48  112  1/4
    Y-32GF   20  232  115.9  2.53  232  1/4
"""

Config = Literal[
    "X-400MF", "X-800MF", "X-1.6GF", "X-3.2GF", "X-8GF", "X-16GF", "X-32GF",
    "Y-400MF", "Y-800MF", "Y-1.6GF", "Y-3.2GF", "Y-8GF", "Y-16GF", "Y-32GF",
]  # fmt: skip

STEM = 32  # channels


Rounding = Literal["torchvision", "paper"]


def stages(config: Config, *, rounding: Rounding = "torchvision") -> list[tuple[int, int, int]]:
    """Return the number of blocks, the width and the group width of each stage.

    >>> [(blocks, width) for blocks, width, _ in stages("X-400MF", rounding="paper")]
    [(1, 32), (2, 64), (7, 160), (12, 384)]
    """
    row = _row(config)
    first, slope, step = (float(row[name]) for name in ("w_0", "w_a", "w_m"))
    widths: list[int] = []
    for block in range(int(row["d"])):
        exponent = round(math.log((first + slope * block) / first) / math.log(step))
        widths.append(8 * round(first * step**exponent / 8))
    found: list[tuple[int, int, int]] = []
    for width, blocks in groupby(widths):
        group = min(int(row["g"]), width)
        nearest = group * round(width / group)
        rounded = nearest if rounding == "paper" else round_channels(width, group)
        found.append((len(list(blocks)), rounded, group))
    return found


def regnet(
    config: Config,
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    input_size: tuple[int, int] = (224, 224),  # noqa: ARG001 -- any size will do
    rounding: Rounding = "torchvision",
) -> nn.Sequential:
    """Build one network: images (n, in_channels, height, width) -> logits (n, num_classes).

    `stage3_2` is the second block of the third stage.
    """
    has_se = _row(config)["SE"] != "."
    layers = OrderedDict[str, nn.Module](
        conv1=nn.Conv2d(in_channels, STEM, 3, 2, padding=1, bias=False),
        bn1=nn.BatchNorm2d(STEM),
        relu1=nn.ReLU(),
    )
    channels = STEM
    for stage, (blocks, width, group) in enumerate(stages(config, rounding=rounding), start=1):
        point = Convolution(1, width, 1, 1)
        bottleneck = [point, Convolution(3, width, 1, width // group), point]
        for index in range(blocks):
            layers[f"stage{stage}_{index + 1}"] = post_activation(
                bottleneck,
                channels,
                1 if index else 2,
                squeezed=round(channels / 4) if has_se else 0,
            )
            channels = width
    layers |= {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    layers["fc"] = nn.Linear(channels, num_classes)
    net = nn.Sequential(layers)
    he(net, fan="fan_out", dense=False)
    gaussian_head(net, std=0.01)
    return net


def _row(config: Config) -> dict[str, str]:
    return next(row for row in table_rows(TABLE) if row["network"] == config)


_BLOCK = (
    *(("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3")),
    *(("se.fc1", "se.fc2"), ("shortcut.conv", "shortcut.bn")),
)
"""Our modules of a block, in pairs."""

_MOST_BLOCKS = 27  # of a stage: no network has more in all


def _names(
    block: str, parts: tuple[tuple[str, str], ...], ends: dict[str, str], *, first: int
) -> dict[str, str]:
    """Our names of a library's modules, whose blocks are counted from `first`."""
    found = dict(ends)
    for stage in range(1, 5):
        for index in range(_MOST_BLOCKS):
            theirs, ours = block.format(stage, index + first), f"stage{stage}_{index + 1}"
            for their_pair, our_pair in zip(parts, _BLOCK, strict=True):
                for their, our in zip(their_pair, our_pair, strict=True):
                    found[f"{theirs}.{their}"] = f"{ours}.{our}"
    return found


def _torchvision() -> dict[str, str]:
    """`trunk_output.block2.block2-0` is the first block of stage 2."""
    theirs = (("f.a.0", "f.a.1"), ("f.b.0", "f.b.1"), ("f.c.0", "f.c.1"))
    parts = (*theirs, ("f.se.fc1", "f.se.fc2"), ("proj.0", "proj.1"))
    ends = {"stem.0": "conv1", "stem.1": "bn1", "fc": "fc"}
    return _names("trunk_output.block{0}.block{0}-{1}", parts, ends, first=0)


def _timm() -> dict[str, str]:
    """`s2.b1` is the first block of stage 2."""
    theirs = tuple((f"conv{index}.conv", f"conv{index}.bn") for index in (1, 2, 3))
    parts = (*theirs, ("se.fc1", "se.fc2"), ("downsample.conv", "downsample.bn"))
    ends = {"stem.conv": "conv1", "stem.bn": "bn1", "head.fc": "fc"}
    return _names("s{0}.b{1}", parts, ends, first=1)


TORCHVISION: NameMap = module_names(_torchvision)
TIMM: NameMap = module_names(_timm)
