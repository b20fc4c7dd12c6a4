"""Tiles on their way through a transform: where they lie, and what becomes of their cells."""

from collections.abc import Iterator
from dataclasses import dataclass

from convscope.lanes.ir import Function, Index, blocks
from convscope.lanes.linear import Values, by_columns, by_rows, known, same_up_to_scale
from convscope.lanes.memory import View, spaced
from convscope.lanes.tiling import SIDE, Matrix, Tiling, inputs_matrix, units_matrix


@dataclass(frozen=True)
class Cells:
    """Transformed tiles from vector `start` on: cell by cell, `count` tiles of each of the maps."""

    start: int
    maps: int
    count: int

    @property
    def apart(self) -> int:
        """Vectors from one cell to the next."""
        return spaced(self.maps * self.count)

    @property
    def end(self) -> int:
        return self.start + SIDE**2 * self.apart

    @property
    def view(self) -> View:
        """The cells as groups of channels, the tiles as positions."""
        return View(self.start, self.count, 0, group=self.apart)

    def corner(self, fn: Function, channel: Index, tile: Index) -> str:
        """The address of a tile's first cell."""
        lanes = fn.target.lanes
        index = fn.add(fn.times(channel, self.count * lanes), fn.times(tile, lanes))
        return fn.at("%ws", index, self.start * lanes)

    def position(self, fn: Function, corner: str, row: int, column: int) -> str:
        """The address of a cell of that tile."""
        return fn.at(corner, 0, (row * SIDE + column) * self.apart * fn.target.lanes)

    def keep(self, fn: Function, corner: str, row: int, values: Values) -> None:
        """Store a row of cells."""
        for column, value in enumerate(values):
            fn.store(known(fn, value), self.position(fn, corner, row, column))

    def level(self, fn: Function, corner: str, matrix: Matrix) -> list[Values]:
        """The rows of cells, each times the matrix."""
        return [
            by_columns(fn, matrix, [fn.load(self.position(fn, corner, a, b)) for b in range(SIDE)])
            for a in range(SIDE)
        ]


@dataclass(frozen=True)
class Block:
    """`count` tiles side by side, from tile (`y`, `x`) on: the units of each that lie inside.

    The last one has only `rest` columns of units, where that is not 0.
    """

    y: Index
    x: Index
    count: int
    rows: int
    rest: int = 0

    def tiles(self, fn: Function, step: int) -> Iterator[tuple[Index, int]]:
        """Each tile's number and its columns of units."""
        whole = self.count - (self.rest > 0)
        if whole:
            with fn.loop(whole) as tile:
                yield tile, step
        if self.rest:
            yield whole, self.rest


def blocks_of(fn: Function, tiling: Tiling, most: int) -> Iterator[Block]:
    """Loops over whole tiles, and code of their own for those that reach beyond the edge."""
    for y, rows in _edges(fn, tiling.height, tiling.step):
        whole, rest = divmod(tiling.width, tiling.step)
        alone = whole % most if rest else 0  # whole tiles that go with the last one
        for start, turns, size in blocks(whole - alone, most) if whole > alone else []:
            with fn.loop(turns) as turn:
                x = fn.add(fn.times(turn, size), start)
                yield Block(y, x, size, rows)
        if rest:
            yield Block(y, whole - alone, alone + 1, rows, rest)


def _edges(fn: Function, side: int, step: int) -> Iterator[tuple[Index, int]]:
    if side >= step:
        with fn.loop(side // step) as y:
            yield y, step
    if side % step:
        yield side // step, side % step


def corner_of(
    fn: Function, tiling: Tiling, view: View, block: Block, channel: Index, tile: Index
) -> str:
    """The address of a tile's first cell."""
    lanes = fn.target.lanes
    index = fn.add(
        fn.times(block.y, tiling.step * view.row * lanes),
        fn.times(fn.add(block.x, tile), tiling.step * view.pixel * lanes),
        fn.times(channel, view.channel * lanes),
    )
    return fn.at(view.space, index, view.base * lanes)


def transform_inputs(fn: Function, tiling: Tiling, source: View, block: Block, into: Cells) -> None:
    """Bᵀ d B of every map: cell by cell, map by map, tile by tile.

    Rows of the result that share their terms are made together, from cells that are loaded anew, so
    that what is held at once fits into registers.
    """
    lanes, matrix, halo = fn.target.lanes, inputs_matrix(), tiling.kernel - 1
    with fn.loop(tiling.ins) as i:
        for tile, columns in block.tiles(fn, tiling.step):
            corner = corner_of(fn, tiling, source, block, i, tile)
            own = into.corner(fn, i, tile)
            for rows in same_up_to_scale(matrix):
                reads = [any(matrix[a][y] for a in rows) for y in range(SIDE)]
                upright: list[Values] = []
                for x in range(SIDE):
                    cells = [
                        fn.load(fn.at(corner, 0, (y * source.row + x * source.pixel) * lanes))
                        if reads[y] and y < block.rows + halo and x < columns + halo
                        else None
                        for y in range(SIDE)
                    ]
                    upright.append(by_rows(fn, [matrix[a] for a in rows], cells))
                for turn, a in enumerate(rows):
                    values = by_rows(fn, matrix, [column[turn] for column in upright])
                    into.keep(fn, own, a, values)


def transform_units(
    fn: Function, tiling: Tiling, gradient: View, block: Block, into: Cells
) -> None:
    """A dY Aᵀ of every map."""
    lanes, matrix = fn.target.lanes, units_matrix(tiling.kernel)
    with fn.loop(tiling.outs) as o:
        for tile, columns in block.tiles(fn, tiling.step):
            corner = corner_of(fn, tiling, gradient, block, o, tile)
            own = into.corner(fn, o, tile)
            upright: list[Values] = []
            for x in range(tiling.step):
                cells = [
                    fn.load(fn.at(corner, 0, (y * gradient.row + x * gradient.pixel) * lanes))
                    if y < block.rows and x < columns
                    else None
                    for y in range(tiling.step)
                ]
                upright.append(by_rows(fn, matrix, cells))
            for a in range(SIDE):
                values = by_rows(fn, matrix, [column[a] for column in upright])
                into.keep(fn, own, a, values)
