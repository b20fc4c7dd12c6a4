"""Shares of a score, added up over regions of the image."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from convscope.attribution.layer_choice import Grid
from convscope.attribution.raw_map import RawMap

_SIDE = 7  # regions along a side, where pixels are added up


@dataclass(frozen=True)
class Region:
    """A part of the network's input, and its share of the score.

    Attributes:
        top, left, bottom, right: in pixels of the network's input; of a cell, the part of the image
            that is nearer to its middle than to that of another cell.
        share: positive where it speaks for the target.
    """

    top: int
    left: int
    bottom: int
    right: int
    share: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        rows, columns = (self.top, self.bottom - 1), (self.left, self.right - 1)
        return f"rows {rows[0]}-{rows[1]}, columns {columns[0]}-{columns[1]}"


def regions(raw: RawMap, size: tuple[int, int]) -> list[Region]:
    """The regions of an image of (height, width), row by row; their shares add up to the map's.

    The cells of a layer, or of a map of pixels at most 7x7 blocks.
    """
    values = raw.values
    if raw.where is not None:
        rows, columns = (
            cell_edges(grid, pixels) for grid, pixels in zip(raw.where, size, strict=True)
        )
        shares = values
    else:
        rows, columns = (_even_edges(pixels) for pixels in size)
        shares = np.add.reduceat(np.add.reduceat(values, rows[:-1], 0), columns[:-1], 1)
    return [
        Region(rows[y], columns[x], rows[y + 1], columns[x + 1], float(shares[y, x]))
        for y in range(len(rows) - 1)
        for x in range(len(columns) - 1)
    ]


def cell_edges(grid: Grid, pixels: int) -> Sequence[int]:
    """Where the cells of a layer meet, halfway between their middles; the ends are the image's.

    >>> cell_edges(Grid(3, 2.0, 4.0), 12)
    [0, 4, 8, 12]
    """
    inner = [grid.first + grid.step * (n + 0.5) for n in range(grid.count - 1)]
    return [0, *(min(max(round(at), 0), pixels) for at in inner), pixels]


def _even_edges(pixels: int) -> Sequence[int]:
    count = min(_SIDE, pixels)
    return [round(pixels * n / count) for n in range(count + 1)]


def largest(found: Sequence[Region], count: int) -> list[Region]:
    """The regions that speak most for the target, the largest share first."""
    return sorted((each for each in found if each.share > 0), key=lambda each: -each.share)[:count]
