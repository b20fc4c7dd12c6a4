"""The notation in which He et al., 2015, and many after them, print a network.

A table has the columns `layer`, `output` (height x width) and one per network; two spaces part
them. A cell is `3x3, 64`, a 3x3 convolution to 64 maps, where the paper has it with `stride 2`, or
`C=32` for 32 groups (Xie et al., 2017); `3x3 max pool, stride 2`; `average pool`, over the whole
map; `1000-d fc`, a dense layer, without the softmax, which belongs to the loss. Convolutions one
below the other, and under them `x3`, are a block that is stacked three times, or, with `xn`, n
times. A line of one cell spans all networks; `.` stands where a network has nothing on a line.
"""

import re
from dataclasses import dataclass

from torch import nn


@dataclass
class Row:
    """What one network has in one row of a table.

    Attributes:
        name: of the layer, `conv1` or `conv2_x`.
        cells: from top to bottom, without the last one of a stack.
        stack: how often the block of `cells` is stacked, `3` or `n`; empty for a single layer.
    """

    name: str
    cells: list[str]
    stack: str = ""


def read_rows(table: str, network: str) -> list[Row]:
    """The rows of one network, from the first layer to the last."""
    header, *lines = (re.split(r"\s{2,}", line.strip()) for line in table.strip().splitlines())
    place = header.index(network) - 2
    rows: list[Row] = []
    for line in lines:
        cells = line
        if len(line) > 1 and re.fullmatch(r"\d+x\d+", line[1]):
            rows.append(Row(line[0], []))
            cells = line[2:]
        cell = cells[place] if len(cells) > 1 else cells[0]
        if stack := re.fullmatch(r"x(n|\d+)", cell):
            rows[-1].stack = stack[1]
        elif cell != ".":
            rows[-1].cells.append(cell)
    return rows


@dataclass(frozen=True)
class Convolution:
    """A cell `3x3, 64`, with or without `stride 2` and `C=32`."""

    size: int
    filters: int
    stride: int
    groups: int

    def layer(self, maps: int, *, stride: int) -> nn.Conv2d:
        """The layer on `maps` input maps, padded to keep the size, the bias left to batch norm."""
        return nn.Conv2d(
            maps,
            self.filters,
            self.size,
            stride,
            padding=self.size // 2,
            groups=self.groups,
            bias=False,
        )


def read_convolution(cell: str) -> Convolution:
    """The convolution of a cell. Raises ValueError, naming the cell, where it is none."""
    found = re.fullmatch(r"(\d+)x\1, (\d+)(?:, stride (\d+))?(?:, C=(\d+))?", cell)
    if not found:
        raise ValueError(f"The table has a cell the zoo cannot build: {cell!r}")
    return Convolution(*(int(number or 1) for number in found.groups()))


def pooling(cell: str) -> nn.Module | None:
    """The layer of `3x3 max pool, stride 2` or `average pool`; None for another cell.

    A window of 3 stands on padding of 1, so that it halves the map; one of 2 needs none.
    """
    if cell == "average pool":
        return nn.AdaptiveAvgPool2d(1)
    found = re.fullmatch(r"(\d+)x\1 (max|average) pool, stride (\d+)", cell)
    if not found:
        return None
    size, stride = int(found[1]), int(found[3])
    layer = nn.MaxPool2d if found[2] == "max" else nn.AvgPool2d
    return layer(size, stride, padding=(size - 1) // 2)


def activation(place: str | int, maps: int) -> dict[str, nn.Module]:
    """Batch norm and a ReLU, with the number of their place."""
    return {f"bn{place}": nn.BatchNorm2d(maps), f"relu{place}": nn.ReLU()}
