"""The notation of tables with one row per layer: AlexNet, Network in Network and SqueezeNet."""

import re
from dataclasses import dataclass

from convscope.arithmetic import output_size

POOLING = re.compile(r"(?P<size>\d+)x(?P=size)(/(?P<stride>\d+))?")
CONVOLUTION = re.compile(
    r"(?P<filters>\d+)@(?P<size>\d+)x(?P=size)(x(?P<depth>\d+))?"
    r"(/(?P<stride>\d+))?(\+(?P<padding>\d+))?"
)


@dataclass(frozen=True)
class Cell:
    """A sliding layer. `depth` is the number of input maps of a filter, None for all of them."""

    size: int
    stride: int = 1
    padding: int = 0
    filters: int = 0
    depth: int | None = None

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the (height, width) of the output maps for that of the input maps."""
        height, width = (
            output_size(side, self.size, stride=self.stride, padding=self.padding) for side in size
        )
        return height, width


def config_column(table: str, name: str) -> dict[str, str]:
    """Return the cells of one column by the names of their rows, without the empty ones (`.`)."""
    header, *rows = (line.split() for line in table.strip().splitlines())
    index = header.index(name)
    return {row[0]: row[index] for row in rows if row[index] != "."}


def table_rows(table: str) -> list[dict[str, str]]:
    r"""Return the cells of each row by the names of their columns.

    Two spaces or more separate the columns.

        >>> table_rows("operator  c\n conv2d 1x1  32")
        [{'operator': 'conv2d 1x1', 'c': '32'}]
    """
    header, *rows = (re.split(r"\s{2,}", line.strip()) for line in table.strip().splitlines())
    return [dict(zip(header, row, strict=True)) for row in rows]


def convolution(cell: str) -> Cell:
    """Read `256@5x5x48/4+2`: 256 filters of 5x5, each over 48 maps, stride 4, padding 2.

    The depth, a stride of 1 and a padding of 0 may be left out. Raises ValueError, naming the cell,
    for any other text.

        >>> convolution("256@5x5x48+2")
        Cell(size=5, stride=1, padding=2, filters=256, depth=48)
    """
    return _read(CONVOLUTION, cell)


def pooling(cell: str) -> Cell:
    """Read `3x3/2`: a window of 3x3, stride 2. Raises ValueError, naming the cell."""
    return _read(POOLING, cell)


def _read(pattern: re.Pattern[str], cell: str) -> Cell:
    match = pattern.fullmatch(cell)
    if match is None:
        raise ValueError(f"TABLE has a cell the zoo cannot build: {cell!r}")
    return Cell(**{name: int(digits) for name, digits in match.groupdict().items() if digits})
