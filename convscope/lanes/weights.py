"""Gradients of weights: products of inputs and units' gradients, over places and images."""

from dataclasses import dataclass

from convscope.lanes.direct_conv import Tap, tile
from convscope.lanes.ir import Function, Index, Target, blocks
from convscope.lanes.memory import WORKSPACE, View


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """G[weights + o·ins·taps + i·taps + tap] += Σ_y Σ_x gradient[o, y, x] · source under the tap.

    `taps` are in the order of the weights, the vector of each from the window's origin; the weights
    of a group begin `per_group` after those of the one before. With `lanes_at` the sums stay
    vectors, at that vector of the workspace, one for each weight, over all images of a thread; else
    their lanes are added up for every few images.
    """

    source: View
    gradient: View
    outs: int
    ins: int
    height: int
    width: int
    taps: tuple[int, ...]
    weights: int
    groups: int = 1
    per_group: int = 0
    lanes_at: int | None = None


_CACHE = 640  # vectors of gradients that a block of rows may have


def write_correlation(name: str, target: Target, spec: Correlation) -> Function:
    fn = Function(name, target)
    correlate(fn, spec)
    return fn


def correlate(fn: Function, spec: Correlation) -> None:
    """Write the sums into a function."""
    single = len(spec.taps) == 1
    tile_rows, tile_columns = tile(
        spec.outs, spec.ins if single else len(spec.taps), fn.target.registers
    )
    rows = spec.height
    if spec.lanes_at is not None:
        rows = max(1, min(spec.height, _CACHE // max(1, spec.width * tile_rows)))
        while spec.height % rows:
            rows -= 1
    with fn.loop(spec.groups) as group, fn.loop(spec.height, step=rows) as y:
        for start, turns, outs in blocks(spec.outs, tile_rows):
            with fn.loop(turns) as turn:
                o = fn.add(fn.times(turn, outs), start)
                _channels(fn, spec, _Block(group, y, rows, o, outs), tile_columns, single=single)


@dataclass(frozen=True)
class _Block:
    group: Index
    y: Index
    rows: int
    o: Index
    outs: int


def _channels(
    fn: Function, spec: Correlation, block: _Block, tile_columns: int, *, single: bool
) -> None:
    if single:  # 1x1: the inputs take the place of the taps
        for start, turns, size in blocks(spec.ins, tile_columns):
            with fn.loop(turns) as turn:
                i = fn.add(fn.times(turn, size), start)
                taps = [(k * spec.source.channel, k) for k in range(size)]
                _sums(fn, spec, block, i, taps)
        return
    every = [(position, order) for order, position in enumerate(spec.taps)]
    with fn.loop(spec.ins) as i:
        for start, turns, size in blocks(len(every), tile_columns):
            for turn in range(turns):
                first = start + turn * size
                _sums(fn, spec, block, i, every[first : first + size])


def _sums(fn: Function, spec: Correlation, block: _Block, i: Index, taps: list[Tap]) -> None:
    lanes = fn.target.lanes
    sums = [[fn.variable(first=fn.constant(0)) for _ in taps] for _ in range(block.outs)]
    source = fn.add(
        fn.times(i, spec.source.channel * lanes),
        fn.times(block.group, spec.source.per_group(spec.ins) * lanes),
        fn.times(block.y, spec.source.row * lanes),
    )
    gradient = fn.add(
        fn.times(block.o, spec.gradient.channel * lanes),
        fn.times(block.group, spec.gradient.per_group(spec.outs) * lanes),
        fn.times(block.y, spec.gradient.row * lanes),
    )
    step = 2 if spec.width % 2 == 0 else 1
    with fn.loop(block.rows) as y:
        under = fn.add(source, fn.times(y, spec.source.row * lanes))
        over = fn.add(gradient, fn.times(y, spec.gradient.row * lanes))
        with fn.loop(spec.width, step=step) as x:
            a = fn.at(
                spec.source.space,
                fn.add(under, fn.times(x, spec.source.pixel * lanes)),
                spec.source.base * lanes,
            )
            b = fn.at(
                spec.gradient.space,
                fn.add(over, fn.times(x, spec.gradient.pixel * lanes)),
                spec.gradient.base * lanes,
            )
            for turn in range(step):
                _products(fn, spec, sums, taps, a, b, turn)
    _keep(fn, spec, block, input_index=i, taps=taps, sums=sums)


def _products(
    fn: Function,
    spec: Correlation,
    sums: list[list[str]],
    taps: list[Tap],
    source: str,
    gradient: str,
    turn: int,
) -> None:
    """The fewer operands of both sides are held in registers."""
    lanes = fn.target.lanes

    def value(k: int) -> str:
        return fn.load(fn.at(source, 0, (taps[k][0] + turn * spec.source.pixel) * lanes))

    def grad(j: int) -> str:
        position = j * spec.gradient.channel + turn * spec.gradient.pixel
        return fn.load(fn.at(gradient, 0, position * lanes))

    def add(j: int, k: int, d: str, x: str) -> None:
        fn.put(sums[j][k], fn.fma(d, x, fn.get(sums[j][k])))

    if len(taps) <= len(sums):
        values = [value(k) for k in range(len(taps))]
        for j in range(len(sums)):
            d = grad(j)
            for k, x in enumerate(values):
                add(j, k, d, x)
        return
    grads = [grad(j) for j in range(len(sums))]
    for k in range(len(taps)):
        x = value(k)
        for j, d in enumerate(grads):
            add(j, k, d, x)


def _keep(
    fn: Function,
    spec: Correlation,
    block: _Block,
    *,
    input_index: Index,
    taps: list[Tap],
    sums: list[list[str]],
) -> None:
    lanes, count = fn.target.lanes, len(spec.taps)
    first = fn.add(
        fn.times(block.group, spec.per_group),
        fn.times(block.o, spec.ins * count),
        fn.times(input_index, count),
    )
    for j, of_output in enumerate(sums):
        for (_, order), held in zip(taps, of_output, strict=True):
            further = j * spec.ins * count + order
            if spec.lanes_at is None:
                position = fn.at("%G", first, spec.weights + further)
                fn.add_to(position, fn.total(fn.get(held)))
            else:
                position = fn.at("%ws", fn.times(first, lanes), (spec.lanes_at + further) * lanes)
                fn.store(fn.do("fadd", fn.load(position), fn.get(held)), position)


def write_fold(name: str, target: Target, *, lanes_at: int, count: int, weights: int) -> Function:
    """The vectors of `Correlation.lanes_at`, their lanes added up into G."""
    fn = Function(name, target)
    with fn.loop(count) as i:
        held = fn.load(fn.at("%ws", fn.times(i, target.lanes), lanes_at * target.lanes))
        fn.add_to(fn.at("%G", i, weights), fn.total(held))
    return fn


def write_zeros(
    name: str, target: Target, *, start: int, count: int, space: str = WORKSPACE
) -> Function:
    """`count` vectors of a memory set to 0."""
    fn = Function(name, target)
    with fn.loop(count) as i:
        fn.store(fn.constant(0), fn.at(space, fn.times(i, target.lanes), start * target.lanes))
    return fn


def write_bias(
    name: str, target: Target, *, gradient: View, outs: int, height: int, width: int, bias: int
) -> Function:
    """G[bias + o] += the gradients of map o, over all places and images."""
    fn, lanes = Function(name, target), target.lanes
    step = next(size for size in (4, 2, 1) if width % size == 0)
    with fn.loop(outs) as o:
        sums = [fn.variable(first=fn.constant(0)) for _ in range(step)]
        with fn.loop(height) as y, fn.loop(width, step=step) as x:
            index = fn.add(
                fn.times(o, gradient.channel * lanes),
                fn.times(y, gradient.row * lanes),
                fn.times(x, gradient.pixel * lanes),
            )
            position = fn.at(gradient.space, index, gradient.base * lanes)
            for turn, held in enumerate(sums):
                grad = fn.load(fn.at(position, 0, turn * gradient.pixel * lanes))
                fn.put(held, fn.do("fadd", fn.get(held), grad))
        whole = fn.get(sums[0])
        for held in sums[1:]:
            whole = fn.do("fadd", whole, fn.get(held))
        fn.add_to(fn.at("%G", o, bias), fn.total(whole))
    return fn
