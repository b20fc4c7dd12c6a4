"""Batch norm over the images in the lanes: sums of a micro-batch, and what follows from them.

With μ and σ² the mean and the variance of a channel over the whole batch, s = weight / √(σ² + eps)
and N values of a channel, as torch has it:

    y  = (x - μ)·s + bias
    dx = s·dy - s·Σdy/N - (x - μ)·s·Σdy(x - μ)/(N·(σ² + eps))

The sums are of what lies near 0, x less a value of the same image and channel, so that a large mean
costs no digits. Lanes without an image take part in none, and give no gradient.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from convscope.lanes.direct_conv import Epilogue
from convscope.lanes.graph import Shape
from convscope.lanes.ir import Function, Index, Target
from convscope.lanes.loss import FACTOR
from convscope.lanes.memory import KEPT, View
from convscope.lanes.stages import ROWS, SUMS

MEAN, SCALE, SHIFT, DEVIATION, SLOPE, LEVEL = range(ROWS)
"""A thread's numbers for every channel: μ, s, bias, 1/√(σ² + eps), and on the way back the factor
of x - μ and the summand."""
PIVOT, SUM, SQUARES, GRADIENTS, PRODUCTS = range(SUMS)
"""A micro-batch's vectors for every channel: an image's value p of that channel, Σ(x - p),
Σ(x - p)², and on the way back Σdy and Σdy(x - μ)."""


@dataclass(frozen=True, kw_only=True)
class Norm:
    """Of volumes of `shape`: its numbers from float `table` of the workspace on, and its sums from
    vector `sums` of what a micro-batch keeps.
    """

    shape: Shape
    table: int
    sums: int

    def row(self, fn: Function, row: int, c: Index) -> str:
        """The address of a channel's number."""
        return fn.at("%ws", c, self.table + row * self.shape[0])

    def sum(self, fn: Function, which: int, c: Index, base: str = KEPT) -> str:
        """The address of a channel's vector."""
        lanes = fn.target.lanes
        return fn.at(base, fn.times(c, SUMS * lanes), (self.sums + which) * lanes)


def _each(
    fn: Function,
    shape: Shape,
    views: Sequence[View],
    start: Callable[[Index], None],
    work: Callable[[list[str], int], None],
    end: Callable[[Index], None] = lambda _: None,
) -> None:
    """`start(channel)`, `work(addresses, turn)` for its units, and `end`; turns are 0 to 3."""
    lanes, (channels, height, width) = fn.target.lanes, shape
    step = next(size for size in (4, 2, 1) if width % size == 0)
    with fn.loop(channels) as c:
        start(c)
        with fn.loop(height) as y, fn.loop(width, step=step) as x:
            firsts = [_place(fn, view, c, y, x) for view in views]
            for turn in range(step):
                pairs = zip(firsts, views, strict=True)
                work([fn.at(at, 0, turn * view.pixel * lanes) for at, view in pairs], turn)
        end(c)


def _place(fn: Function, view: View, c: Index, y: Index, x: Index) -> str:
    lanes = fn.target.lanes
    index = fn.add(
        fn.times(c, view.channel * lanes),
        fn.times(y, view.row * lanes),
        fn.times(x, view.pixel * lanes),
    )
    return fn.at(view.space, index, view.base * lanes)


class _Accumulators:
    """Two sums, each in as many registers as units are done in a turn."""

    def __init__(self, fn: Function) -> None:
        self.fn = fn
        self.held = [[fn.variable() for _ in range(4)] for _ in range(2)]

    def clear(self) -> None:
        for one in self.held:
            for variable in one:
                self.fn.put(variable, self.fn.constant(0))

    def add(self, turn: int, first: str, a: str, b: str) -> None:
        """`first` to one sum, a·b to the other."""
        fn, (one, two) = self.fn, self.held
        fn.put(one[turn], fn.do("fadd", fn.get(one[turn]), first))
        fn.put(two[turn], fn.fma(a, b, fn.get(two[turn])))

    def totals(self) -> list[str]:
        fn, found = self.fn, list[str]()
        for one in self.held:
            a, b, c, d = map(fn.get, one)
            found.append(fn.do("fadd", fn.do("fadd", a, b), fn.do("fadd", c, d)))
        return found


def write_statistics(name: str, target: Target, norm: Norm, source: View) -> Function:
    """Of a micro-batch's x the pivots and the two sums."""
    fn, (_, height, width) = Function(name, target), norm.shape
    pivot, sums = fn.variable(), _Accumulators(fn)

    def start(c: Index) -> None:
        center = fn.load(_place(fn, source, c, height // 2, width // 2))
        fn.put(pivot, center)
        fn.store(center, norm.sum(fn, PIVOT, c))
        sums.clear()

    def work(addresses: list[str], turn: int) -> None:
        x = fn.do("fsub", fn.load(addresses[0]), fn.get(pivot))
        sums.add(turn, x, x, x)

    def end(c: Index) -> None:
        for which, total in zip((SUM, SQUARES), sums.totals(), strict=True):
            fn.store(total, norm.sum(fn, which, c))

    _each(fn, norm.shape, [source], start, work, end)
    return fn


def write_normalize(
    name: str, target: Target, norm: Norm, source: View, dest: View, finish: Epilogue
) -> Function:
    """y, and what `finish` makes of it."""
    fn = Function(name, target)
    numbers = [fn.variable() for _ in (MEAN, SCALE, SHIFT)]

    def start(c: Index) -> None:
        for row, variable in enumerate(numbers):
            fn.put(variable, fn.spread(norm.row(fn, row, c)))

    def work(addresses: list[str], _turn: int) -> None:
        mean, scale, shift = map(fn.get, numbers)
        centered = fn.do("fsub", fn.load(addresses[0]), mean)
        finish.done(fn, fn.fma(centered, scale, shift), addresses[1], lambda _: "")

    _each(fn, norm.shape, [source, dest], start, work)
    return fn


def write_gradient_sums(
    name: str, target: Target, norm: Norm, source: View, gradient: View
) -> Function:
    """Of a micro-batch's dy and x the two sums."""
    fn = Function(name, target)
    mean, sums = fn.variable(), _Accumulators(fn)

    def start(c: Index) -> None:
        fn.put(mean, fn.spread(norm.row(fn, MEAN, c)))
        sums.clear()

    def work(addresses: list[str], turn: int) -> None:
        grad = fn.load(addresses[1])
        sums.add(turn, grad, grad, fn.do("fsub", fn.load(addresses[0]), fn.get(mean)))

    def end(c: Index) -> None:
        for which, total in zip((GRADIENTS, PRODUCTS), sums.totals(), strict=True):
            fn.store(total, norm.sum(fn, which, c))

    _each(fn, norm.shape, [source, gradient], start, work, end)
    return fn


def write_normalize_back(
    name: str,
    target: Target,
    norm: Norm,
    views: tuple[View, View, View],
    finish: Epilogue,
) -> Function:
    """dx of `views` x, dy and dx, and what `finish` makes of it."""
    fn, lanes = Function(name, target), target.lanes
    rows = (MEAN, SCALE, SLOPE, LEVEL)
    numbers = [fn.variable() for _ in rows]
    there = fn.compare("ogt", fn.load(fn.at("%ws", 0, FACTOR * lanes)), fn.constant(0))
    results = [finish.results] if finish.results else []

    def start(c: Index) -> None:
        for row, variable in zip(rows, numbers, strict=True):
            number = fn.spread(norm.row(fn, row, c))
            if row in (SLOPE, LEVEL):
                number = fn.select(there, number, fn.constant(0))
            fn.put(variable, number)

    def work(addresses: list[str], _turn: int) -> None:
        mean, scale, slope, level = map(fn.get, numbers)
        centered = fn.do("fsub", fn.load(addresses[0]), mean)
        grad = fn.fma(fn.load(addresses[1]), scale, fn.fma(centered, slope, level))
        finish.done(fn, grad, addresses[2], lambda _: fn.load(addresses[3]))

    _each(fn, norm.shape, [*views, *results], start, work)
    return fn
