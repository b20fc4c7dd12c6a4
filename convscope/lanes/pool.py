"""Pooling, forward and back: windows that reach over the edge have fewer cells there."""

from dataclasses import dataclass
from itertools import product

from convscope.lanes.activation import ActivationSpec
from convscope.lanes.graph import Both, Pool
from convscope.lanes.ir import Function, Index, Target
from convscope.lanes.memory import View

_UNROLLED = 64  # cells of a window that are written out one after another


@dataclass(frozen=True)
class Span:
    """Windows in a row, `count` of them from `first`, that all have the cells `taps`.

    Cell t of window w is `w·stride + t`; `padded` are the cells with those of the padding.
    """

    first: int
    count: int
    taps: tuple[int, ...]
    padded: int


def spans(
    side: int, outs: int, kernel: int, stride: int, padding: int, dilation: int
) -> list[Span]:
    """The windows along one axis, those of equal cells together."""
    found: list[Span] = []
    for window in range(outs):
        start = window * stride - padding
        cells = [start + tap * dilation for tap in range(kernel)]
        taps = tuple(cell - window * stride for cell in cells if 0 <= cell < side)
        padded = sum(cell < side + padding for cell in cells)
        last = found[-1] if found else None
        if last is not None and (last.taps, last.padded) == (taps, padded):
            found[-1] = Span(last.first, last.count + 1, taps, padded)
        else:
            found.append(Span(window, 1, taps, padded))
    return found


def windows(pool: Pool, sides: Both) -> list[tuple[Span, Span]]:
    """The windows of a map, those of equal cells together: vertical and horizontal."""
    axes = [
        spans(
            sides[a],
            pool.shape[1 + a],
            pool.kernel[a],
            pool.stride[a],
            pool.padding[a],
            pool.dilation[a],
        )
        for a in (0, 1)
    ]
    return list(product(axes[0], axes[1]))


def divisor(pool: Pool, down: Span, right: Span) -> float:
    """What the sum of a window is divided by."""
    if pool.divisor is not None:
        return pool.divisor
    if pool.counts_padding:
        return down.padded * right.padded
    return len(down.taps) * len(right.taps)


def write_pool(
    name: str, target: Target, pool: Pool, sides: Both, source: View, dest: View
) -> Function:
    fn = Function(name, target)
    with fn.loop(pool.shape[0]) as c:
        for down, right in windows(pool, sides):
            with fn.loop(down.count) as y, fn.loop(right.count) as x:
                under = _at(fn, source, c, y, x, down, right, pool.stride)
                kept = _reduced(fn, pool, under, source, down, right)
                if pool.kind == "mean":
                    share = fn.constant(1 / divisor(pool, down, right))
                    kept = fn.do("fmul", kept, share)
                fn.store(kept, _at(fn, dest, c, y, x, down, right, (1, 1)))
    return fn


def _at(
    fn: Function, view: View, c: Index, y: Index, x: Index, down: Span, right: Span, stride: Both
) -> str:
    """The address of a window's origin, or of its unit where the stride is 1."""
    lanes = fn.target.lanes
    index = fn.add(
        fn.times(c, view.channel * lanes),
        fn.times(y, stride[0] * view.row * lanes),
        fn.times(x, stride[1] * view.pixel * lanes),
    )
    known = view.at(0, down.first * stride[0], right.first * stride[1])
    return fn.at(view.space, index, known * lanes)


def _reduced(fn: Function, pool: Pool, under: str, source: View, down: Span, right: Span) -> str:
    lanes = fn.target.lanes

    def cell(base: str, dy: int, dx: int) -> str:
        return fn.load(fn.at(base, 0, (dy * source.row + dx * source.pixel) * lanes))

    if len(down.taps) * len(right.taps) <= _UNROLLED:
        cells = [cell(under, dy, dx) for dy in down.taps for dx in right.taps]
        if not cells:
            return fn.constant(0)
        kept = cells[0]
        for other in cells[1:]:
            kept = _either(fn, pool.kind, kept, other)
        return kept
    held = fn.variable(first=cell(under, down.taps[0], right.taps[0]))
    if pool.kind == "mean":
        fn.put(held, fn.constant(0))
    step = _step(down)
    with fn.loop(len(down.taps)) as tap:
        row = fn.at(
            under, fn.times(tap, step * source.row * lanes), down.taps[0] * source.row * lanes
        )
        kept = fn.get(held)
        for dx in right.taps:
            kept = _either(fn, pool.kind, kept, fn.load(fn.at(row, 0, dx * source.pixel * lanes)))
        fn.put(held, kept)
    return fn.get(held)


def _step(span: Span) -> int:
    """From a cell of a window to the next."""
    return span.taps[1] - span.taps[0] if len(span.taps) > 1 else 1


def _either(fn: Function, kind: str, kept: str, other: str) -> str:
    """The sum, or the one that stays; the first of equals, and whatever is no number, as torch."""
    if kind == "mean":
        return fn.do("fadd", kept, other)
    better = fn.compare("ogt" if kind == "max" else "olt", other, kept)
    strange = fn.compare("uno", other, other)
    wins = fn.value(f"or <{fn.target.lanes} x i1> {better}, {strange}")
    return fn.select(wins, other, kept)


def covers_once(pool: Pool, sides: Both) -> bool:
    """Whether every cell lies under exactly one window: nothing is added up on the way back."""
    for axis in (0, 1):
        seen = [0] * sides[axis]
        of_axis = spans(
            sides[axis], pool.shape[1 + axis], pool.kernel[axis], pool.stride[axis],
            pool.padding[axis], pool.dilation[axis],
        )  # fmt: skip
        for span in of_axis:
            for window in range(span.first, span.first + span.count):
                for tap in span.taps:
                    seen[window * pool.stride[axis] + tap] += 1
        if set(seen) != {1}:
            return False
    return True


@dataclass(frozen=True, kw_only=True)
class PoolBack:
    """Where the way back reads and writes: volumes, then their gradients.

    With `adds` it adds to the gradient that is there; with `act`, which `source` went through, it
    writes the gradient of that activation's sum.
    """

    source: View
    dest: View
    gradient: View
    into: View
    adds: bool
    act: ActivationSpec | None = None


def write_pool_back(name: str, target: Target, pool: Pool, sides: Both, spec: PoolBack) -> Function:
    """A mean gives every cell its share; an extreme all to the first cell that has it, as torch."""
    fn = Function(name, target)
    with fn.loop(pool.shape[0]) as c:
        for down, right in windows(pool, sides):
            with fn.loop(down.count) as y, fn.loop(right.count) as x:
                grad = fn.load(_at(fn, spec.gradient, c, y, x, down, right, (1, 1)))
                back = _Back(
                    fn,
                    spec,
                    _at(fn, spec.source, c, y, x, down, right, pool.stride),
                    _at(fn, spec.into, c, y, x, down, right, pool.stride),
                )
                if pool.kind == "mean":
                    share = fn.constant(1 / divisor(pool, down, right))
                    back.give_all(fn.do("fmul", grad, share), down, right)
                else:
                    best = fn.load(_at(fn, spec.dest, c, y, x, down, right, (1, 1)))
                    back.give_first(grad, best, down, right)
    return fn


@dataclass(frozen=True)
class _Back:
    """One window on the way back: `under` and `into` are the addresses of its origin."""

    fn: Function
    spec: PoolBack
    under: str
    into: str

    def give_all(self, grad: str, down: Span, right: Span) -> None:
        fn, spec, lanes = self.fn, self.spec, self.fn.target.lanes
        if len(down.taps) * len(right.taps) <= _UNROLLED:
            for dy, dx in product(down.taps, right.taps):
                self._give(dy, dx, grad)
            return
        step = _step(down)
        with fn.loop(len(down.taps)) as tap:
            under, into = (
                fn.at(
                    base,
                    fn.times(tap, step * view.row * lanes),
                    down.taps[0] * view.row * lanes,
                )
                for base, view in ((self.under, spec.source), (self.into, spec.into))
            )
            for dx in right.taps:
                _Back(fn, spec, under, into)._give(0, dx, grad)  # noqa: SLF001 -- its own class

    def give_first(self, grad: str, best: str, down: Span, right: Span) -> None:
        fn, zero = self.fn, self.fn.constant(0)
        for dy, dx in product(down.taps, right.taps):
            value = self._value(dy, dx)
            found = fn.compare("oeq", value, best)
            self._give(dy, dx, fn.select(found, grad, zero), value)
            grad = fn.select(found, zero, grad)

    def _value(self, dy: int, dx: int) -> str:
        view = self.spec.source
        offset = (dy * view.row + dx * view.pixel) * self.fn.target.lanes
        return self.fn.load(self.fn.at(self.under, 0, offset))

    def _give(self, dy: int, dx: int, grad: str, value: str | None = None) -> None:
        fn, spec = self.fn, self.spec
        address = fn.at(self.into, 0, (dy * spec.into.row + dx * spec.into.pixel) * fn.target.lanes)
        if spec.adds:
            grad = fn.do("fadd", fn.load(address), grad)
        if spec.act is not None:
            grad = spec.act.backward(fn, value or self._value(dy, dx), grad)
        fn.store(grad, address)
