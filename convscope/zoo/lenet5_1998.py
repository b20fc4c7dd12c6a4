"""LeNet-5 of 1998: LeCun, Bottou, Bengio & Haffner, "Gradient-Based Learning Applied to Document
Recognition", Proceedings of the IEEE 86, section II.B. (`lenet5` is the version of lectures.)

TABLE is Figure 2 of the paper: `6@28x28` are six maps of 28x28, each unit of which is connected to
a neighborhood in the maps below. C is a convolution, S subsampling with a trainable coefficient and
bias per map, F a dense layer; each is followed by 1.7159 tanh(2x/3). CONNECTIONS is the paper's
Table I: the maps of S2 (rows) that each map of C3 (columns) is connected to. In total there are
60,000 trainable parameters and 340,908 connections.

OUTPUT has one radial basis function per class, the distance to its code: the +1 and -1 of a
stylized image of 7x12. All deviations: CODES are our own drawings, not the paper's; with another
number of classes than ten the codes are random, but always the same; and a logit is the negative
distance.

Weights and biases are initialized uniformly in ±2.4/F with F inputs per unit (appendix A); the
paper says nothing about biases.
"""

import random
from collections import OrderedDict

import torch
from torch import Tensor, nn

from convscope.arithmetic import output_size
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
    """Build the network: images (n, in_channels, height, width) -> logits (n, num_classes).

    At `input_size` (32, 32), the native size and the smallest, C5 leaves maps of 1x1. Larger images
    leave larger maps, and F6 is connected to all of them.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels, (height, width) = in_channels, input_size
    *below, (f6, units, _), (output, _, _) = (row.split() for row in TABLE.strip().splitlines()[1:])
    for name, cell, neighborhood in below:
        maps, size = int(cell.partition("@")[0]), int(neighborhood.partition("x")[0])
        match name:
            case "C3":
                layers[name] = SparseConnectionConv2d(channels, connections(), size)
            case "C1" | "C5":
                layers[name] = nn.Conv2d(channels, maps, size)
            case "S2" | "S4":
                layers[name] = Subsampling2d(maps, size)
            case _:
                raise ValueError(f"TABLE has a row the zoo cannot build: {name!r}")
        layers[f"{name}_tanh"] = ScaledTanh()
        stride = 1 if name[0] == "C" else size
        height, width = (output_size(side, size, stride=stride) for side in (height, width))
        channels = maps
    layers["flatten"] = nn.Flatten()
    layers |= {f6: nn.Linear(channels * height * width, int(units)), f"{f6}_tanh": ScaledTanh()}
    layers[output] = RadialBasis(codes(num_classes))
    for layer in layers.values():
        _initialize(layer)
    return nn.Sequential(layers)


def connections() -> list[list[int]]:
    """List the maps of S2 that each map of C3 is connected to.

    >>> connections()[:3]
    [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    """
    _, *rows = (line.split() for line in CONNECTIONS.strip().splitlines())
    columns = zip(*(row[1:] for row in rows), strict=True)
    return [[index for index, mark in enumerate(marks) if mark == "X"] for marks in columns]


def codes(num_classes: int) -> Tensor:
    """Return the codes (num_classes, 84) of ±1: the drawn digits for ten classes, else random."""
    rows = CODES.split()
    drawings = ["".join(rows[digit::10]) for digit in range(10)]
    if num_classes != len(drawings):
        rng = random.Random(1998)  # noqa: S311 -- not for cryptography
        drawings = ["".join(rng.choices("#.", k=len(drawings[0]))) for _ in range(num_classes)]
    return torch.tensor([[1.0 if dot == "#" else -1.0 for dot in drawing] for drawing in drawings])


@torch.no_grad()
def _initialize(layer: nn.Module) -> None:
    """Draw the parameters of every unit uniformly in ±2.4/F, with F inputs of the unit."""
    match layer:
        case SparseConnectionConv2d():
            links = torch.tensor([len(row) for row in layer.table])
            inputs = links * layer.weight[0].numel()
            fan_in = {"weight": inputs[layer.links[0], None, None], "bias": inputs}
        case Subsampling2d():
            window = layer.kernel_size[0] * layer.kernel_size[1]
            fan_in = {"coefficient": window, "bias": window}
        case nn.Conv2d() | nn.Linear():
            fan_in = dict.fromkeys(("weight", "bias"), layer.weight[0].numel())
        case _:
            return
    for name, inputs in fan_in.items():
        layer.get_parameter(name).uniform_(-2.4, 2.4).div_(inputs)
