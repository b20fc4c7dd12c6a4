"""The core: sums of neighbors times weights, a tile of units held in registers.

It is the forward pass of a convolution and of a dense layer, and the way of gradients back to their
inputs, where the neighbors are the gradients of the units that an input took part in.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from convscope.lanes.activation import ActivationSpec
from convscope.lanes.ir import Function, Index, Target, blocks
from convscope.lanes.memory import View

Tap = tuple[int, int]
"""(vectors from the window's origin, floats from its first weight)"""


@dataclass(frozen=True)
class Clip:
    """Taps that can lie outside: row tap t of row y reads row y + first - t of `height`.

    With `width`, position x reads column x + left + c / pixel by the column tap (c, _) of a source
    of that width, and what is outside is not computed.
    """

    first: int
    height: int
    left: int = 0
    width: int | None = None


@dataclass(frozen=True, kw_only=True)
class Epilogue:
    """What becomes of a sum: added to what was there, activated, or turned into the gradient of
    an activation's sum, whose results are `results`.
    """

    adds: bool = False
    act: ActivationSpec | None = None
    results: View | None = None

    def done(self, fn: Function, total: str, address: str, result: Callable[[View], str]) -> None:
        if self.adds:
            total = fn.do("fadd", total, fn.load(address))
        if self.act is not None and self.results is None:
            total = self.act.forward(fn, total)
        elif self.act is not None and self.results is not None:
            total = self.act.backward(fn, result(self.results), total)
        fn.store(total, address)


@dataclass(frozen=True, kw_only=True)
class DirectConv:
    """dest[o, y, x] = finish(bias[o] + Σ_i Σ_rows Σ_columns source · weight), for all groups.

    Counts: `outs` and `ins` of one of `groups`, `height` and `width` of the destination. The weight
    of output o, input i, row tap (_, r), column tap (_, c) is float
    `weights + o·per_out + i·per_in + r + c` of `factors`, the parameters; `local` adds so many for
    every position, and `per_group` for every group.
    """

    source: View
    dest: View
    outs: int
    ins: int
    height: int
    width: int
    rows: tuple[Tap, ...]
    columns: tuple[Tap, ...]
    weights: int
    per_out: int
    per_in: int
    groups: int = 1
    per_group: int = 0
    local: int = 0
    bias: int | None = None
    own_bias: int = 0
    finish: Epilogue = Epilogue()
    clip: Clip | None = None
    factors: str = "%P"


def write_direct_conv(name: str, target: Target, spec: DirectConv) -> Function:
    fn = Function(name, target)
    direct_conv(fn, spec)
    return fn


def direct_conv(fn: Function, spec: DirectConv) -> None:
    """Write the sums into a function."""
    tile_rows, tile_columns = tile(spec.outs, 1 if spec.local else spec.width, fn.target.registers)
    with fn.loop(spec.groups) as group, fn.loop(spec.height) as y:
        for x, across in _along(fn, spec, tile_columns):
            for o, outs in _over(fn, spec.outs, tile_rows):
                _Tile(fn, spec, group, y, x, o, across, outs).write()


_WRITTEN_OUT = 16  # tiles of a row that each have code of their own


def _along(fn: Function, spec: DirectConv, tile_columns: int) -> Iterator[tuple[Index, int]]:
    """Tiles of a row; where columns are clipped, known ones, since the ends compute less."""
    if spec.clip is None or spec.clip.width is None or spec.width > tile_columns * _WRITTEN_OUT:
        yield from _over(fn, spec.width, tile_columns)
        return
    for start, turns, size in blocks(spec.width, tile_columns):
        for turn in range(turns):
            yield start + turn * size, size


def _over(fn: Function, count: int, most: int) -> Iterator[tuple[Index, int]]:
    for start, turns, size in blocks(count, most):
        with fn.loop(turns) as turn:
            yield fn.add(fn.times(turn, size), start), size


@dataclass(frozen=True)
class _Tile:
    fn: Function
    spec: DirectConv
    group: Index
    y: Index
    x: Index
    o: Index
    across: int
    outs: int

    def write(self) -> None:
        fn, spec, lanes = self.fn, self.spec, self.fn.target.lanes
        position = fn.add(fn.times(self.y, self._positions()), self.x)
        sums = self._begin(position)
        source = fn.add(
            fn.times(self.y, spec.source.row * lanes),
            fn.times(self.x, spec.source.pixel * lanes),
            fn.times(self.group, spec.source.per_group(spec.ins) * lanes),
        )
        weight = fn.add(
            fn.times(self.o, spec.per_out),
            fn.times(self.group, spec.per_group),
            fn.times(position, spec.local) if spec.local else 0,
        )
        with fn.loop(spec.ins) as i:
            under = fn.add(source, fn.times(i, spec.source.channel * lanes))
            by = fn.add(weight, fn.times(i, spec.per_in))
            self._rows(sums, under, by)
        self._end(sums)

    def _positions(self) -> int:
        return self.spec.width

    def _begin(self, position: Index) -> list[list[str]]:
        fn, spec = self.fn, self.spec
        accumulators: list[list[str]] = []
        for j in range(self.outs):
            first = fn.constant(0)
            if spec.bias is not None:
                at = fn.add(
                    self.o,
                    fn.times(self.group, spec.outs),
                    fn.times(position, spec.own_bias) if spec.own_bias else 0,
                )
                first = fn.spread(fn.at("%P", at, spec.bias + j))
            accumulators.append([fn.variable(first=first) for _ in range(self.across)])
        return accumulators

    def _rows(self, sums: list[list[str]], under: Index, by: Index) -> None:
        fn, spec, lanes = self.fn, self.spec, self.fn.target.lanes
        base = spec.source.base * lanes
        rows = list(spec.rows)
        if not rows or not spec.columns:  # inputs that no window reads
            return
        if spec.clip is None and (len(rows) * len(spec.columns) <= 9 or len(rows) == 1):
            start = fn.at(spec.source.space, under, base)
            weight = fn.at(spec.factors, by, spec.weights)
            for down, further in rows:
                self._row(sums, start, weight, down * lanes, further)
            return
        down = rows[1][0] - rows[0][0] if len(rows) > 1 else 0
        further = rows[1][1] - rows[0][1] if len(rows) > 1 else 0
        first, end = self._clipped(len(rows))
        with fn.loop(end, start=first) as row:
            start = fn.at(
                spec.source.space,
                fn.add(under, fn.times(row, down * lanes)),
                base + rows[0][0] * lanes,
            )
            weight = fn.at(
                spec.factors, fn.add(by, fn.times(row, further)), spec.weights + rows[0][1]
            )
            self._row(sums, start, weight, 0, 0)

    def _clipped(self, taps: int) -> tuple[Index, Index]:
        """The row taps that lie inside, for this row of units."""
        fn, clip = self.fn, self.spec.clip
        if clip is None:
            return 0, taps
        if isinstance(self.y, int):
            top = self.y + clip.first
            return max(0, top - clip.height + 1), min(taps, top + 1)
        top = fn.add(self.y, clip.first)
        low = fn.add(top, 1 - clip.height)
        first = fn.value(f"call i64 @llvm.smax.i64(i64 {low}, i64 0)")
        end = fn.value(f"call i64 @llvm.smin.i64(i64 {fn.add(top, 1)}, i64 {taps})")
        return first, end

    def _row(self, sums: list[list[str]], start: str, weight: str, down: int, further: int) -> None:
        fn, spec, lanes = self.fn, self.spec, self.fn.target.lanes
        for right, more in spec.columns:
            values = {
                i: fn.load(fn.at(start, 0, down + (right + i * spec.source.pixel) * lanes))
                for i in range(self.across)
                if self._is_inside(i, right)
            }
            for j in range(self.outs if values else 0):
                by = fn.spread(fn.at(weight, 0, further + more + j * spec.per_out))
                for i, value in values.items():
                    fn.put(sums[j][i], fn.fma(value, by, fn.get(sums[j][i])))

    def _is_inside(self, i: int, right: int) -> bool:
        """Whether position i of the tile can have a neighbor at the column tap `right`."""
        clip = self.spec.clip
        if clip is None or clip.width is None or not isinstance(self.x, int):
            return True
        return 0 <= self.x + i + clip.left + right // self.spec.source.pixel < clip.width

    def _end(self, sums: list[list[str]]) -> None:
        fn, lanes = self.fn, self.fn.target.lanes
        start = self._place(self.spec.dest)
        results: dict[View, str] = {}

        def result(view: View, j: int, i: int) -> str:
            if view not in results:
                results[view] = self._place(view)
            return fn.load(fn.at(results[view], 0, (j * view.channel + i * view.pixel) * lanes))

        dest = self.spec.dest
        for j in range(self.outs):
            for i in range(self.across):
                address = fn.at(start, 0, (j * dest.channel + i * dest.pixel) * lanes)
                self.spec.finish.done(
                    fn, fn.get(sums[j][i]), address, lambda view, j=j, i=i: result(view, j, i)
                )

    def _place(self, view: View) -> str:
        fn, lanes = self.fn, self.fn.target.lanes
        index = fn.add(
            fn.times(self.y, view.row * lanes),
            fn.times(self.x, view.pixel * lanes),
            fn.times(self.o, view.channel * lanes),
            fn.times(self.group, view.per_group(self.spec.outs) * lanes),
        )
        return fn.at(view.space, index, view.base * lanes)


def tile(outs: int, width: int, registers: int) -> tuple[int, int]:
    """How many outputs and how many positions are summed at once.

    The best by what the loads cost: a multiply-add takes half a cycle, a load also; sums, one
    side's operands and one more must fit in the registers. Of 32 registers 8 stay free: LLVM keeps
    what two taps read in registers too, and a tile that fills them all is spilled to memory.
    """
    registers -= 8 if registers > 16 else 0
    best: tuple[float, int, int] | None = None
    for tile_rows in range(1, min(outs, 14) + 1):
        for tile_columns in range(1, min(width, 14) + 1):
            if tile_rows * tile_columns + min(tile_rows, tile_columns) + 1 > registers:
                continue
            cost = 1e-3 * tile_rows / tile_columns
            for _, many, high in blocks(outs, tile_rows):
                for _, often, across in blocks(width, tile_columns):
                    latency = 4.0 if high * across < 8 else 0.0
                    cost += many * often * max(high * across / 2, (high + across) / 2, latency)
            if best is None or cost < best[0]:
                best = (cost, tile_rows, tile_columns)
    if best is None:
        raise ValueError(f"{registers} registers hold no tile")
    return best[1], best[2]
