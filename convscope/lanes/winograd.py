"""Winograd's convolutions as code: tiles transformed, multiplied cell by cell, transformed back."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from convscope.lanes.direct_conv import DirectConv, Epilogue, direct_conv
from convscope.lanes.ir import Function, Index, Target
from convscope.lanes.linear import by_columns, by_rows, known
from convscope.lanes.memory import View
from convscope.lanes.tiles import (
    Block,
    Cells,
    blocks_of,
    corner_of,
    transform_inputs,
    transform_units,
)
from convscope.lanes.tiling import (
    SIDE,
    Tiling,
    filter_matrix,
    transposed,
    units_matrix,
)
from convscope.lanes.weights import Correlation, correlate

_CELLS = SIDE**2
_PLAIN = Epilogue()


@dataclass(frozen=True, kw_only=True)
class ConvForward:
    """dest[o] = finish(bias[o] + Σ_i source[i] under the filter), by tiles.

    `source` begins at the first unit's window. `filters` is the float of the workspace where the
    transformed filters begin, `scratch` the vector where `tiling.scratch` vectors are free.
    """

    tiling: Tiling
    source: View
    dest: View
    filters: int
    scratch: int
    bias: int | None = None
    finish: Epilogue = _PLAIN


def write_conv_forward(name: str, target: Target, spec: ConvForward) -> Function:
    fn, tiling = Function(name, target), spec.tiling
    for block in blocks_of(fn, tiling, tiling.at_once):
        inputs = Cells(spec.scratch, tiling.ins, block.count)
        sums = Cells(inputs.end, tiling.outs, block.count)
        transform_inputs(fn, tiling, spec.source, block, inputs)
        products = DirectConv(
            source=inputs.view,
            dest=sums.view,
            outs=tiling.outs,
            ins=tiling.ins,
            height=1,
            width=block.count,
            rows=((0, 0),),
            columns=((0, 0),),
            factors="%ws",
            weights=spec.filters,
            per_out=tiling.ins,
            per_in=1,
            groups=_CELLS,
            per_group=tiling.per_cell,
        )
        direct_conv(fn, products)
        _transform_back(fn, spec, block, sums)
    return fn


@dataclass(frozen=True, kw_only=True)
class ConvGradWeights:
    """The gradients of filters, added to where `Correlation` adds them.

    `scratch` is the vector where `tiling.scratch_for_weights` vectors are free.
    """

    tiling: Tiling
    source: View
    gradient: View
    weights: int
    lanes_at: int | None
    scratch: int


def write_conv_grad_weights(name: str, target: Target, spec: ConvGradWeights) -> Function:
    fn, tiling, lanes = Function(name, target), spec.tiling, target.lanes
    sums = Cells(spec.scratch, tiling.outs * tiling.ins, 1)
    with fn.loop(sums.end - sums.start) as i:
        fn.store(fn.constant(0), fn.at("%ws", fn.times(i, lanes), sums.start * lanes))
    for block in blocks_of(fn, tiling, tiling.in_a_row):
        inputs = Cells(sums.end, tiling.ins, block.count)
        grads = Cells(inputs.end, tiling.outs, block.count)
        transform_inputs(fn, tiling, spec.source, block, inputs)
        transform_units(fn, tiling, spec.gradient, block, grads)
        products = Correlation(
            source=inputs.view,
            gradient=grads.view,
            outs=tiling.outs,
            ins=tiling.ins,
            height=1,
            width=block.count,
            taps=(0,),
            weights=0,
            groups=_CELLS,
            per_group=sums.apart,
            lanes_at=sums.start,
        )
        correlate(fn, products)
    _filters_back(fn, spec, sums)
    return fn


def write_filters(
    name: str, target: Target, tiling: Tiling, *, weights: int, turned: bool, filters: int
) -> Function:
    """The transformed filters U[cell, o, i], floats of the workspace, from the parameters.

    `turned` for the way back: upside down and back to front, outputs and inputs exchanged. Some
    inputs' filters lie in the lanes; the last lanes' inputs may be done twice.
    """
    fn, r, lanes = Function(name, target), tiling.kernel, target.lanes
    count, ins = tiling.kernel**2, tiling.ins
    per_out, per_in = (count, tiling.outs * count) if turned else (ins * count, count)
    width = lanes if ins >= lanes else 1
    with fn.loop(tiling.outs) as o:
        for i in _in_lanes(fn, ins, width):
            position = fn.at("%P", fn.add(fn.times(o, per_out), fn.times(i, per_in)), weights)
            taps = [
                fn.packed([fn.at(position, 0, k + lane * per_in) for lane in range(width)])
                for k in range(count)
            ]
            taps = taps[::-1] if turned else taps
            own = fn.at("%ws", fn.add(fn.times(o, ins), i), filters)
            upright = [by_rows(fn, filter_matrix(r), taps[k::r]) for k in range(r)]
            for a in range(SIDE):
                row = by_rows(fn, filter_matrix(r), [column[a] for column in upright])
                for b, value in enumerate(row):
                    cell = fn.at(own, 0, (a * SIDE + b) * tiling.per_cell)
                    if width == 1:
                        fn.store_first(known(fn, value), cell)
                    else:
                        fn.store(known(fn, value), cell, align=4)
    return fn


def _in_lanes(fn: Function, count: int, width: int) -> Iterator[Index]:
    """The first of every `width` things; the last ones' first may lie before the end of others."""
    with fn.loop(count // width) as turn:
        yield fn.times(turn, width)
    if count % width:
        yield count - width


def _transform_back(fn: Function, spec: ConvForward, block: Block, cells: Cells) -> None:
    """Aᵀ M A of every map, biased and finished."""
    tiling, dest, lanes = spec.tiling, spec.dest, fn.target.lanes
    matrix, results = transposed(units_matrix(tiling.kernel)), spec.finish.results
    with fn.loop(tiling.outs) as o:
        bias = fn.spread(fn.at("%P", o, spec.bias)) if spec.bias is not None else None
        for tile, columns in block.tiles(fn, tiling.step):
            into = corner_of(fn, tiling, dest, block, o, tile)
            held = corner_of(fn, tiling, results, block, o, tile) if results else ""
            level = cells.level(fn, cells.corner(fn, o, tile), matrix[:columns])

            def result(view: View, y: int, x: int, held: str = held) -> str:
                return fn.load(fn.at(held, 0, (y * view.row + x * view.pixel) * lanes))

            for x in range(columns):
                units = by_columns(fn, matrix[: block.rows], [row[x] for row in level])
                for y, unit in enumerate(units):
                    total = known(fn, unit)
                    total = fn.do("fadd", total, bias) if bias else total
                    position = fn.at(into, 0, (y * dest.row + x * dest.pixel) * lanes)
                    spec.finish.done(fn, total, position, partial(result, y=y, x=x))


def _filters_back(fn: Function, spec: ConvGradWeights, cells: Cells) -> None:
    """Gᵀ M G of every pair of maps, added to the gradients."""
    tiling, lanes, r = spec.tiling, fn.target.lanes, spec.tiling.kernel
    matrix = transposed(filter_matrix(r))
    with fn.loop(tiling.outs * tiling.ins) as pair:
        level = cells.level(fn, cells.corner(fn, pair, 0), matrix)
        for x in range(r):
            for y, value in enumerate(by_columns(fn, matrix, [row[x] for row in level])):
                total, tap = known(fn, value), y * r + x
                if spec.lanes_at is None:
                    fn.add_to(
                        fn.at("%G", fn.times(pair, r * r), spec.weights + tap), fn.total(total)
                    )
                else:
                    position = fn.at(
                        "%ws", fn.times(pair, r * r * lanes), (spec.lanes_at + tap) * lanes
                    )
                    fn.store(fn.do("fadd", fn.load(position), total), position)
