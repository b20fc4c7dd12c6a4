"""The notation in which He et al., 2015, and many after them, print a network.

A table has the columns `layer`, `output` (height x width) and one per network, separated by two
spaces or more. A cell is `3x3, 64`, a 3x3 convolution to 64 channels, optionally with `stride 2`,
or with `C=32` for 32 groups (Xie et al., 2017); `3x3 max pool, stride 2`; `average pool`, over the
whole map; or `1000-d fc`, a dense layer, without the softmax, which belongs to the loss.
Convolutions one below the other, followed by `x3`, are a block that is stacked three times, or n
times with `xn`. A line with a single cell spans all networks; `.` means nothing on that line.
"""

import re
from dataclasses import dataclass

from torch import nn


@dataclass
class Row:
    """The cells of one network in one row of a table.

    Attributes:
        name: of the layer, `conv1` or `conv2_x`.
        cells: from top to bottom, without the `x3` of a stack.
        stack: how often the block of `cells` is stacked, `3` or `n`; empty for a single layer.
    """

    name: str
    cells: list[str]
    stack: str = ""


def read_rows(table: str, network: str) -> list[Row]:
    """Read the rows of one network, from the first layer to the last."""
    header, *lines = (re.split(r"\s{2,}", line.strip()) for line in table.strip().splitlines())
    index = header.index(network) - 2
    rows: list[Row] = []
    for line in lines:
        cells = line
        if len(line) > 1 and re.fullmatch(r"\d+x\d+", line[1]):
            rows.append(Row(line[0], []))
            cells = line[2:]
        cell = cells[index] if len(cells) > 1 else cells[0]
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

    def layer(self, in_channels: int, *, stride: int) -> nn.Conv2d:
        """Build the layer: padded to keep the size, without a bias, which batch norm has."""
        return nn.Conv2d(
            in_channels,
            self.filters,
            self.size,
            stride,
            padding=self.size // 2,
            groups=self.groups,
            bias=False,
        )


def read_convolution(cell: str) -> Convolution:
    """Read the cell of a convolution. Raises ValueError, naming the cell, if it is not one."""
    match = re.fullmatch(r"(\d+)x\1, (\d+)(?:, stride (\d+))?(?:, C=(\d+))?", cell)
    if not match:
        raise ValueError(f"The table has a cell the zoo cannot build: {cell!r}")
    return Convolution(*(int(number or 1) for number in match.groups()))


def pooling(cell: str) -> nn.Module | None:
    """Build the layer of `3x3 max pool, stride 2` or `average pool`; None for another cell.

    A window of 3 has a padding of 1, so that it halves the map; a window of 2 needs none.
    """
    if cell == "average pool":
        return nn.AdaptiveAvgPool2d(1)
    match = re.fullmatch(r"(\d+)x\1 (max|average) pool, stride (\d+)", cell)
    if not match:
        return None
    size, stride = int(match[1]), int(match[3])
    layer = nn.MaxPool2d if match[2] == "max" else nn.AvgPool2d
    return layer(size, stride, padding=(size - 1) // 2)


def activation(number: str | int, channels: int) -> dict[str, nn.Module]:
    """Build batch norm and a ReLU, numbered like the convolution beside them."""
    return {f"bn{number}": nn.BatchNorm2d(channels), f"relu{number}": nn.ReLU()}
