"""LeNet-5 of 1998: LeCun, Bottou, Bengio & Haffner, "Gradient-Based Learning Applied to Document
Recognition", Proceedings of the IEEE 86, section II.B. (`lenet5` is what lectures make of it.)

TABLE is Figure 2 of the paper: `6@28x28` are six maps of 28x28, each unit of which sees a
neighborhood in the maps below. C is a convolution, S subsampling with a trainable coefficient and
bias for each map, F dense; all are squashed by 1.7159 tanh(2x/3). CONNECTIONS is the paper's
Table I: which maps of S2 (rows) each map of C3 (columns) sees. Together 60,000 trainable parameters
and 340,908 connections.

OUTPUT has one radial basis function for each class, the distance to its code: the +1 and -1 of a
stylized picture of 7x12. Deviations, all here: CODES are drawings of our own, not the paper's; any
number of classes but ten has random codes, always the same; and a logit is minus the distance.

Weights and biases begin uniform in ±2.4/F, F the inputs of their unit (appendix A); the paper is
silent about biases.
"""

import random
from collections import OrderedDict

import torch
from torch import Tensor, nn

from convscope.geometry import output_size
from convscope.layers import RadialBasis, ScaledTanh, SparseConnectionConv2d, Subsampling2d

TABLE = """
    layer    maps       neighborhood
    C1       6@28x28    5x5
    S2       6@14x14    2x2
    C3       16@10x10   5x5
    S4       16@5x5     2x2
    C5       120@1x1    5x5
    F6       84         .
    OUTPUT   10         .
"""

CONNECTIONS = """
        0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
    0   X  .  .  .  X  X  X  .  .  X  X  X  X  .  X  X
    1   X  X  .  .  .  X  X  X  .  .  X  X  X  X  .  X
    2   X  X  X  .  .  .  X  X  X  .  .  X  .  X  X  X
    3   .  X  X  X  .  .  X  X  X  X  .  .  X  .  X  X
    4   .  .  X  X  X  .  .  X  X  X  X  .  X  X  .  X
    5   .  .  .  X  X  X  .  .  X  X  X  X  .  X  X  X
"""

CODES = """
    ..###..  ...#...  ..###..  .#####.  .....#.  #######  ...###.  #######  ..###..  ..###..
    .#...#.  ..##...  .#...#.  #.....#  ....##.  #......  ..#....  ......#  .#...#.  .#...#.
    #.....#  .#.#...  #.....#  ......#  ...#.#.  #......  .#.....  ......#  #.....#  #.....#
    #.....#  #..#...  ......#  ......#  ..#..#.  #......  #......  .....#.  #.....#  #.....#
    #.....#  ...#...  ......#  .....#.  .#...#.  #.###..  #.###..  .....#.  .#...#.  #.....#
    #.....#  ...#...  .....#.  ..###..  #....#.  ##...#.  ##...#.  ....#..  ..###..  .#...##
    #.....#  ...#...  ....#..  .....#.  #....#.  ......#  #.....#  ....#..  .#...#.  ..###.#
    #.....#  ...#...  ...#...  ......#  #######  ......#  #.....#  ...#...  #.....#  ......#
    #.....#  ...#...  ..#....  ......#  .....#.  ......#  #.....#  ...#...  #.....#  ......#
    #.....#  ...#...  .#.....  ......#  .....#.  #.....#  #.....#  ..#....  #.....#  .....#.
    .#...#.  ...#...  #......  #.....#  .....#.  .#...#.  .#...#.  ..#....  .#...#.  ....#..
    ..###..  .#####.  #######  .#####.  .....#.  ..###..  ..###..  ..#....  ..###..  .###...
"""


def lenet5_1998(
    *,
    num_classes: int = 10,
    in_channels: int = 1,
    input_size: tuple[int, int] = (32, 32),
) -> nn.Sequential:
    """The network of TABLE: images (n, in_channels, height, width) -> logits (n, num_classes).

    At `input_size` (32, 32), its native size and the smallest, C5 leaves maps of 1x1. Larger images
    leave larger maps, all of which F6 sees.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    seen, (height, width) = in_channels, input_size
    *below, (f6, wide, _), (output, _, _) = (row.split() for row in TABLE.strip().splitlines()[1:])
    for name, cell, neighborhood in below:
        maps, size = int(cell.partition("@")[0]), int(neighborhood.partition("x")[0])
        match name:
            case "C3":
                layers[name] = SparseConnectionConv2d(seen, connections(), size)
            case "C1" | "C5":
                layers[name] = nn.Conv2d(seen, maps, size)
            case "S2" | "S4":
                layers[name] = Subsampling2d(maps, size)
            case _:
                raise ValueError(f"TABLE has a row the zoo cannot build: {name!r}")
        layers[f"{name}_tanh"] = ScaledTanh()
        stride = 1 if name[0] == "C" else size
        height, width = (output_size(side, size, stride=stride) for side in (height, width))
        seen = maps
    layers["flatten"] = nn.Flatten()
    layers |= {f6: nn.Linear(seen * height * width, int(wide)), f"{f6}_tanh": ScaledTanh()}
    layers[output] = RadialBasis(codes(num_classes))
    for layer in layers.values():
        _begin(layer)
    return nn.Sequential(layers)


def connections() -> list[list[int]]:
    """The maps of S2 that each map of C3 sees.

    >>> connections()[:3]
    [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    """
    _, *rows = (line.split() for line in CONNECTIONS.strip().splitlines())
    columns = zip(*(row[1:] for row in rows), strict=True)
    return [[seen for seen, mark in enumerate(marks) if mark == "X"] for marks in columns]


def codes(num_classes: int) -> Tensor:
    """The codes (classes, 84) of ±1: ten are the digits, another number of them is random."""
    words = CODES.split()
    pictures = ["".join(words[digit::10]) for digit in range(10)]
    if num_classes != len(pictures):
        dice = random.Random(1998)  # noqa: S311 -- dice, not secrets
        pictures = ["".join(dice.choices("#.", k=len(pictures[0]))) for _ in range(num_classes)]
    return torch.tensor([[1.0 if dot == "#" else -1.0 for dot in picture] for picture in pictures])


@torch.no_grad()
def _begin(layer: nn.Module) -> None:
    """Draw the parameters of every unit uniformly in ±2.4/F, F the inputs of the unit."""
    match layer:
        case SparseConnectionConv2d():
            links = torch.tensor([len(row) for row in layer.table])
            inputs = links * layer.weight[0].numel()
            drawn = {"weight": inputs[layer.links[0], None, None], "bias": inputs}
        case Subsampling2d():
            window = layer.kernel_size[0] * layer.kernel_size[1]
            drawn = {"coefficient": window, "bias": window}
        case nn.Conv2d() | nn.Linear():
            drawn = dict.fromkeys(("weight", "bias"), layer.weight[0].numel())
        case _:
            return
    for name, inputs in drawn.items():
        layer.get_parameter(name).uniform_(-2.4, 2.4).div_(inputs)
