"""Gradients of filters by tiles, where many maps meet: the inputs in the lanes, not the images.

`winograd.write_conv_grad_weights` holds a vector for each cell of each pair of maps: with 64 maps
on both sides 4.7 MB, which leave the cache with every row of tiles. Here a cell's transformed
inputs are turned, so that maps lie in the lanes, and the products are summed over tiles and images
as those of a matrix: a number for each pair. They are transformed back once: those of a
micro-batch, or of all micro-batches of a segment.
"""

from dataclasses import dataclass

from convscope.lanes.ir import Function, Index, Target, blocks
from convscope.lanes.linear import by_columns, known
from convscope.lanes.memory import View, spaced
from convscope.lanes.outer_product import transposed as turned_about
from convscope.lanes.tiles import Cells, blocks_of, transform_inputs, transform_units
from convscope.lanes.tiling import SIDE, Tiling, filter_matrix, transposed

_CELLS = SIDE**2
_REGISTERS = 24  # sums that are held at once, of 32 registers


@dataclass(frozen=True, kw_only=True)
class FilterProducts:
    """Of a convolution whose `tiling.ins` are a multiple of the lanes, `in_a_row` tiles at once.

    `scratch` is the vector from which `vectors_at_work` are free, `sums` that from which
    `vectors_of_sums` last until they are transformed back.
    """

    tiling: Tiling
    in_a_row: int
    source: View
    gradient: View
    weights: int
    scratch: int
    sums: int

    def cell(self, fn: Function, cell: Index, o: Index, i: Index) -> str:
        """The address of a cell's sums for output o and the inputs from i on."""
        lanes = fn.target.lanes
        apart = lanes * _apart(self.tiling, lanes)
        index = fn.add(fn.times(cell, apart), fn.times(o, self.tiling.ins), i)
        return fn.at("%ws", index, self.sums * lanes)


def vectors_at_work(tiling: Tiling, in_a_row: int) -> int:
    """Vectors for both sides of these tiles, and for a cell's inputs, turned."""
    one = Cells(0, tiling.ins, in_a_row)
    two = Cells(one.end, tiling.outs, in_a_row)
    return two.end + tiling.ins * in_a_row


def vectors_of_sums(tiling: Tiling, lanes: int) -> int:
    return _CELLS * _apart(tiling, lanes)


def _apart(tiling: Tiling, lanes: int) -> int:
    """Vectors from a cell's sums to the next's."""
    return spaced(tiling.outs * tiling.ins // lanes)


def write_filter_products(name: str, target: Target, spec: FilterProducts) -> Function:
    """A micro-batch's products, added to the sums."""
    fn, tiling = Function(name, target), spec.tiling
    for block in blocks_of(fn, tiling, spec.in_a_row):
        inputs = Cells(spec.scratch, tiling.ins, block.count)
        grads = Cells(inputs.end, tiling.outs, block.count)
        transform_inputs(fn, tiling, spec.source, block, inputs)
        transform_units(fn, tiling, spec.gradient, block, grads)
        with fn.loop(_CELLS) as cell:
            _turn(fn, inputs, cell, grads.end)
            _multiply(fn, spec, grads, cell, grads.end)
    return fn


def _turn(fn: Function, inputs: Cells, cell: Index, turned: int) -> None:
    """A cell of (maps, tiles) vectors of images becomes rows of maps, for each tile and image."""
    lanes = fn.target.lanes
    with fn.loop(inputs.count) as tile, fn.loop(inputs.maps, step=lanes) as i:
        index = fn.add(
            fn.times(cell, inputs.apart * lanes),
            fn.times(i, inputs.count * lanes),
            fn.times(tile, lanes),
        )
        start = fn.at("%ws", index, inputs.start * lanes)
        vectors = [fn.load(fn.at(start, 0, q * inputs.count * lanes)) for q in range(lanes)]
        row = fn.add(fn.times(tile, lanes * inputs.maps), i)
        into = fn.at("%ws", row, turned * lanes)
        for image, vector in enumerate(turned_about(fn, vectors)):
            fn.store(vector, fn.at(into, 0, image * inputs.maps))


def _multiply(fn: Function, spec: FilterProducts, grads: Cells, cell: Index, turned: int) -> None:
    lanes, ins = fn.target.lanes, spec.tiling.ins
    across = min(4, ins // lanes)
    for start, turns, size in blocks(ins // lanes, across):
        with fn.loop(turns) as turn:
            i = fn.times(fn.add(fn.times(turn, size), start), lanes)
            for first, rows, outs in blocks(spec.tiling.outs, _REGISTERS // across):
                with fn.loop(rows) as row:
                    o = fn.add(fn.times(row, outs), first)
                    _sum(fn, spec, grads, (cell, o, i), (outs, size), turned)


def _sum(
    fn: Function,
    spec: FilterProducts,
    grads: Cells,
    at: tuple[Index, Index, Index],
    block: tuple[int, int],
    turned: int,
) -> None:
    """The products of some outputs with some vectors of inputs, over all tiles and images."""
    lanes, ins, (cell, o, i), (outs, size) = fn.target.lanes, spec.tiling.ins, at, block
    sums = [[fn.variable(first=fn.constant(0)) for _ in range(size)] for _ in range(outs)]
    with fn.loop(grads.count) as tile:
        index = fn.add(
            fn.times(cell, grads.apart * lanes),
            fn.times(o, grads.count * lanes),
            fn.times(tile, lanes),
        )
        over = fn.at("%ws", index, grads.start * lanes)
        under = fn.at("%ws", fn.add(fn.times(tile, lanes * ins), i), turned * lanes)
        for image in range(lanes):
            values = [fn.load(fn.at(under, 0, image * ins + q * lanes)) for q in range(size)]
            for j, of_output in enumerate(sums):
                by = fn.spread(fn.at(over, 0, j * grads.count * lanes + image))
                for total, value in zip(of_output, values, strict=True):
                    fn.put(total, fn.fma(value, by, fn.get(total)))
    held = spec.cell(fn, cell, o, i)
    for j, of_output in enumerate(sums):
        for q, total in enumerate(of_output):
            position = fn.at(held, 0, j * ins + q * lanes)
            fn.store(fn.do("fadd", fn.load(position), fn.get(total)), position)


def write_filters_back(name: str, target: Target, spec: FilterProducts) -> Function:
    """Gᵀ M G of every pair of maps, added to the gradients, some inputs at once."""
    fn, tiling, lanes = Function(name, target), spec.tiling, target.lanes
    r, matrix = tiling.kernel, transposed(filter_matrix(tiling.kernel))
    with fn.loop(tiling.outs) as o, fn.loop(tiling.ins, step=lanes) as i:
        start = spec.cell(fn, 0, o, i)
        apart = lanes * _apart(tiling, lanes)
        level = [
            by_columns(
                fn, matrix, [fn.load(fn.at(start, 0, (a * SIDE + b) * apart)) for b in range(SIDE)]
            )
            for a in range(SIDE)
        ]
        pair = fn.at("%G", fn.times(fn.add(fn.times(o, tiling.ins), i), r * r), spec.weights)
        for x in range(r):
            for y, value in enumerate(by_columns(fn, matrix, [row[x] for row in level])):
                total = known(fn, value)
                for lane in range(lanes):
                    number = fn.value(f"extractelement {fn.vector} {total}, i64 {lane}")
                    fn.add_to(fn.at(pair, 0, lane * r * r + y * r + x), number)
    return fn
