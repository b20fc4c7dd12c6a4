"""FractalNet: Larsson, Maire & Shakhnarovich, 2017, https://arxiv.org/abs/1605.07648.

TABLE has the five blocks of section 4: the size of their maps, their filters in the wide network of
20 layers (three columns) and in the narrow ones of Table 3 (40 layers: four columns), and their
dropout. A block of C columns is the fractal f_C of equation 1,

    f_1(z) = conv(z),    f_C(z) = join(f_{C-1}(f_{C-1}(z)), conv(z)),

in which consecutive joins are merged into one, the mean of all columns that end there: column 1 is
a single convolution, column C has 2^(C-1) in sequence. 2x2 max pooling follows each block (Figure
1), and a dense layer reads all the maps of the last one.

A convolution is 3x3, followed by batch norm and ReLU, with dropout before the batch norm as in the
authors' code. In training, drop-path (section 3) is local in half of the mini-batches: a join drops
each of its inputs with probability 0.15; in the other half it is global: a single column of the
network runs. Weights are initialized after Glorot & Bengio, 2010.

Deviations from the authors' code, where the paper says nothing: convolutions have no bias, which
the batch norm would subtract again; a block is pooled after its last join, not column by column
before it; the variance of the weights is Glorot's 2/(fan_in + fan_out), not Caffe's 1/fan_in.
"""

from collections import OrderedDict
from typing import Any, Literal

from torch import Tensor, nn

from convscope.arithmetic import output_size
from convscope.layers import DropPathSampler, FractalJoin
from convscope.zoo.initialize import glorot

TABLE = """
    block      1     2     3     4     5
    output    32    16     8     4     2
    wide      64   128   256   512   512
    narrow    16    32    64   128   128
    dropout  0.0   0.1   0.2   0.3   0.4
"""

POOL = 2


class Draw(nn.Module):
    """Draw once per forward pass which columns of the network run; the identity for its input."""

    sampler: DropPathSampler

    def __init__(self, sampler: DropPathSampler) -> None:
        super().__init__()
        self.sampler = sampler

    def forward(self, x: Tensor) -> Tensor:
        self.sampler.draw(training=self.training)
        return x


class FractalBlock(nn.Module):
    """Run columns of convolutions on the same maps and join them where they end.

    `conv3_2` is the second convolution of column 3, `join4` the join after the fourth convolution
    of the longest column. (n, channels, height, width) -> (n, filters, height, width). An inactive
    column is not computed.

    Reference: https://arxiv.org/abs/1605.07648, equation 1 and Figure 1.
    """

    sampler: DropPathSampler

    def __init__(
        self, channels: int, filters: int, *, sampler: DropPathSampler, dropout: float
    ) -> None:
        super().__init__()
        self.sampler = sampler
        for row, ending in self._rows():
            for column, index in ending.items():
                width = channels if index == 1 else filters
                self.add_module(f"conv{column}_{index}", _convolution(width, filters, dropout))
            if len(ending) > 1:
                self.add_module(f"join{row}", FractalJoin(tuple(ending), sampler))

    def forward(self, x: Tensor) -> Tensor:
        columns: dict[int, Any]  # None after a join without an active column
        columns = dict.fromkeys(range(1, self.sampler.columns + 1), x)
        for row, ending in self._rows():
            for column, index in ending.items():
                if self.sampler.is_active(column):
                    columns[column] = getattr(self, f"conv{column}_{index}")(columns[column])
            if len(ending) > 1:
                joined = getattr(self, f"join{row}")([columns[column] for column in ending])
                columns |= dict.fromkeys(ending, joined)
        return columns[self.sampler.columns]

    def _rows(self) -> list[tuple[int, dict[int, int]]]:
        """List the columns with a convolution ending in each row, and its index in the column."""
        longest = 2 ** (self.sampler.columns - 1)
        spans = {column: longest >> column - 1 for column in range(1, self.sampler.columns + 1)}
        return [
            (row, {column: row // span for column, span in spans.items() if row % span == 0})
            for row in range(1, longest + 1)
        ]


def _convolution(channels: int, filters: int, dropout: float) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["conv"] = nn.Conv2d(channels, filters, 3, padding=1, bias=False)
    if dropout:
        layers["dropout"] = nn.Dropout(dropout)
    layers |= {"bn": nn.BatchNorm2d(filters), "relu": nn.ReLU()}
    return nn.Sequential(layers)


def fractalnet(
    filters: Literal["wide", "narrow"],
    *,
    columns: int,
    num_classes: int = 10,
    in_channels: int = 3,
    input_size: tuple[int, int] = (32, 32),
    drop_path: float = 0.15,
) -> nn.Sequential:
    """Build one row of TABLE: images (n, in_channels, height, width) -> logits (n, num_classes).

    With C = `columns` the longest path has 5 · 2^(C-1) convolutions. `drop_path` is the probability
    that a join drops an input; `net.draw.sampler.only = 3` runs column 3 alone, the plain network
    that the paper extracts from a trained one. 32x32 is the smallest size that five poolings allow.
    """
    table = {name: cells for name, *cells in map(str.split, TABLE.strip().splitlines())}
    sampler = DropPathSampler(columns, drop_prob=drop_path)
    layers: OrderedDict[str, nn.Module] = OrderedDict(draw=Draw(sampler))
    (height, width), channels = input_size, in_channels
    for block, count, dropout in zip(table["block"], table[filters], table["dropout"], strict=True):
        layers[f"block{block}"] = FractalBlock(
            channels, int(count), sampler=sampler, dropout=float(dropout)
        )
        layers[f"pool{block}"] = nn.MaxPool2d(POOL)
        channels = int(count)
        height, width = (output_size(side, POOL, stride=POOL) for side in (height, width))
    layers["flatten"] = nn.Flatten()
    layers["fc"] = nn.Linear(channels * height * width, num_classes)
    net = nn.Sequential(layers)
    glorot(net)
    return net
