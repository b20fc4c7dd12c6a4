"""Gradients of filters by tiles, with the inputs' maps in the lanes in place of the images.

`winograd` holds the 36 sums for each pair of maps as vectors, whose lanes are added up at the end:
of 64x64 maps they are 9 MB, which come from memory and go back for every row of tiles. Here the
transformed inputs are transposed first. Then images and tiles are what is summed over, a sum is one
float, and the 36 products of matrices (outs x images) · (images x ins) stay in the cache.
"""

from convscope.lanes.direct_conv import DirectConv, Epilogue, direct_conv
from convscope.lanes.ir import Function, Target
from convscope.lanes.linear import by_columns, known
from convscope.lanes.memory import View
from convscope.lanes.outer_product import transposed as transposed_lanes
from convscope.lanes.tiles import Cells, blocks_of, transform_inputs, transform_units
from convscope.lanes.tiling import SIDE, filter_matrix, transposed
from convscope.lanes.winograd import ConvGradWeights


def write_turned_grad_weights(name: str, target: Target, spec: ConvGradWeights) -> Function:
    """Add the gradients of filters to those in `%G`."""
    fn, tiling, lanes = Function(name, target), spec.tiling, target.lanes
    across = tiling.ins // lanes
    sums = Cells(spec.scratch, tiling.outs * across, 1)
    with fn.loop(sums.end - sums.start) as i:
        fn.store(fn.constant(0), fn.at("%ws", fn.times(i, lanes), sums.start * lanes))
    for block in blocks_of(fn, tiling, tiling.turned_in_a_row(lanes)):
        inputs = Cells(sums.end, tiling.ins, block.count)
        grads = Cells(inputs.end, tiling.outs, block.count)
        turned = Cells(grads.end, block.count * lanes, across)
        transform_inputs(fn, tiling, spec.source, block, inputs)
        transform_units(fn, tiling, spec.gradient, block, grads)
        _turn(fn, inputs, turned)
        products = DirectConv(
            source=View(turned.start, across, 0, group=turned.apart),
            dest=View(sums.start, across, 0, group=sums.apart),
            outs=tiling.outs,
            ins=block.count * lanes,
            height=1,
            width=across,
            rows=((0, 0),),
            columns=((0, 0),),
            factors="%ws",
            weights=grads.start * lanes,
            per_out=block.count * lanes,
            per_in=1,
            groups=SIDE**2,
            per_group=grads.apart * lanes,
            finish=Epilogue(adds=True),
        )
        direct_conv(fn, products)
    _filters_back(fn, spec, sums)
    return fn


def _turn(fn: Function, cells: Cells, into: Cells) -> None:
    """Vectors of images, one for each map, become vectors of maps, one for each image."""
    lanes = fn.target.lanes
    with fn.loop(SIDE**2) as cell, fn.loop(cells.count) as tile, fn.loop(into.count) as part:
        source = fn.add(
            fn.times(cell, cells.apart * lanes),
            fn.times(tile, lanes),
            fn.times(part, cells.count * lanes * lanes),
        )
        dest = fn.add(
            fn.times(cell, into.apart * lanes),
            fn.times(tile, into.count * lanes * lanes),
            fn.times(part, lanes),
        )
        start = fn.at("%ws", source, cells.start * lanes)
        vectors = [fn.load(fn.at(start, 0, k * cells.count * lanes)) for k in range(lanes)]
        end = fn.at("%ws", dest, into.start * lanes)
        for k, vector in enumerate(transposed_lanes(fn, vectors)):
            fn.store(vector, fn.at(end, 0, k * into.count * lanes))


def _filters_back(fn: Function, spec: ConvGradWeights, cells: Cells) -> None:
    """Gᵀ M G of a map's pairs with as many others as lanes, added to the gradients."""
    lanes, r = fn.target.lanes, spec.tiling.kernel
    matrix = transposed(filter_matrix(r))
    with fn.loop(cells.maps) as pairs:
        grads = fn.at("%G", fn.times(pairs, lanes * r * r), spec.weights)
        level = cells.level(fn, cells.corner(fn, pairs, 0), matrix)
        for x in range(r):
            for y, value in enumerate(by_columns(fn, matrix, [row[x] for row in level])):
                for lane in range(lanes):
                    number = fn.value(f"extractelement {fn.vector} {known(fn, value)}, i64 {lane}")
                    fn.add_to(fn.at(grads, 0, lane * r * r + y * r + x), number)
