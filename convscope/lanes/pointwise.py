"""What is done unit by unit: activations, additions, dropout, and their ways back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from convscope.lanes.activation import ActivationSpec
from convscope.lanes.graph import Shape
from convscope.lanes.ir import Function, Index, Target
from convscope.lanes.memory import Buffer, View

SEED = 4
"""The vector of the workspace that holds each image's number for dropout."""


def _each(
    name: str, target: Target, shape: Shape, views: Sequence[View], work: Callable[..., None]
) -> Function:
    """`work(fn, addresses, unit)` for every unit."""
    fn = Function(name, target)
    channels, height, width = shape
    with fn.loop(channels) as c, fn.loop(height) as y, fn.loop(width) as x:
        unit = (c, y, x)
        work(fn, [_address(fn, view, unit) for view in views], unit)
    return fn


def _address(fn: Function, view: View, unit: tuple[Index, Index, Index]) -> str:
    """Where a unit lies."""
    lanes, (c, y, x) = fn.target.lanes, unit
    offset = fn.add(
        fn.times(c, view.channel * lanes),
        fn.times(y, view.row * lanes),
        fn.times(x, view.pixel * lanes),
    )
    return fn.at(view.space, offset, view.base * lanes)


def write_activation(
    name: str, target: Target, shape: Shape, act: ActivationSpec, source: View, dest: View
) -> Function:
    def work(fn: Function, addresses: list[str], _unit: object) -> None:
        fn.store(act.forward(fn, fn.load(addresses[0])), addresses[1])

    return _each(name, target, shape, (source, dest), work)


def write_activation_back(
    name: str, target: Target, shape: Shape, act: ActivationSpec, results: View, gradient: View
) -> Function:
    """The gradient of the results becomes that of the sums, in its place."""

    def work(fn: Function, addresses: list[str], _unit: object) -> None:
        grad = act.backward(fn, fn.load(addresses[0]), fn.load(addresses[1]))
        fn.store(grad, addresses[1])

    return _each(name, target, shape, (results, gradient), work)


def write_sum(
    name: str,
    target: Target,
    shape: Shape,
    act: ActivationSpec | None,
    views: tuple[View, View, View],
) -> Function:
    """The first two views added into the third."""

    def work(fn: Function, addresses: list[str], _unit: object) -> None:
        total = fn.do("fadd", fn.load(addresses[0]), fn.load(addresses[1]))
        fn.store(act.forward(fn, total) if act else total, addresses[2])

    return _each(name, target, shape, views, work)


@dataclass(frozen=True, kw_only=True)
class Pass:
    """Gradients handed on: `adds` to what is there; `act` with its `results` as in `Epilogue`."""

    source: View
    dest: View
    adds: bool


def write_pass(name: str, target: Target, shape: Shape, spec: Pass) -> Function:
    """The gradient of a sum is that of each of its terms."""

    def work(fn: Function, addresses: list[str], _unit: object) -> None:
        grad = fn.load(addresses[0])
        fn.store(fn.do("fadd", fn.load(addresses[1]), grad) if spec.adds else grad, addresses[1])

    return _each(name, target, shape, (spec.source, spec.dest), work)


def write_channel_pad(
    name: str, target: Target, shapes: tuple[Shape, Shape], before: int, views: tuple[View, View]
) -> Function:
    """The first of `views` in the second, from map `before` on, and zeros in the other maps."""
    fn = Function(name, target)
    (own, height, width), (all_maps, _, _) = shapes
    after = before + own
    for first, end in ((0, before), (before, after), (after, all_maps)):
        if first == end:
            continue
        with fn.loop(end, start=first) as c, fn.loop(height) as y, fn.loop(width) as x:
            moved = replace(views[0], base=views[0].at(-before))
            source, dest = (_address(fn, view, (c, y, x)) for view in (moved, views[1]))
            fn.store(fn.load(source) if first == before else fn.constant(0), dest)
    return fn


@dataclass(frozen=True, kw_only=True)
class Drop:
    """Dropout: the random bits of image and position decide; a unit that is kept is scaled up."""

    share: float
    maps: bool
    number: int  # of the layer: each draws its own random bits


def write_dropout(
    name: str, target: Target, shape: Shape, drop: Drop, source: View, dest: View, *, adds: bool
) -> Function:
    """Forward from volume to volume, backward from gradient to gradient: the same mask."""
    scale = 1 / (1 - drop.share)

    def work(fn: Function, addresses: list[str], unit: tuple[str | int, ...]) -> None:
        c, y, x = unit
        index = fn.times(c, 1 if drop.maps else shape[1] * shape[2])
        if not drop.maps:
            index = fn.add(index, fn.times(y, shape[2]), x)
        kept = _kept(fn, drop, index)
        value = fn.do("fmul", fn.load(addresses[0]), fn.constant(scale))
        value = fn.select(kept, value, fn.constant(0))
        fn.store(fn.do("fadd", fn.load(addresses[1]), value) if adds else value, addresses[1])

    return _each(name, target, shape, (source, dest), work)


def _kept(fn: Function, drop: Drop, index: str | int) -> str:
    """A mask: the hash of the image's number and the unit's is at least share · 2^32."""
    lanes = fn.target.lanes
    ints = f"<{lanes} x i32>"
    seed = fn.value(f"load {ints}, ptr {fn.at('%ws', 0, SEED * lanes)}, align {4 * lanes}")
    low = fn.value(f"trunc i64 {index} to i32") if isinstance(index, str) else str(index)
    first = fn.value(f"insertelement {ints} poison, i32 {low}, i64 0")
    units = fn.value(f"shufflevector {ints} {first}, {ints} poison, {ints} zeroinitializer")
    salt = _integers(lanes, 0x9E3779B9 * (drop.number + 1) & 0xFFFFFFFF)
    mixed = mix(
        fn,
        fn.value(f"xor {ints} {mix(fn, fn.value(f'add {ints} {units}, {salt}'))}, {seed}"),
    )
    least = _integers(lanes, min(2**32 - 1, round(drop.share * 2**32)))
    return fn.value(f"icmp uge {ints} {mixed}, {least}")


def _integers(lanes: int, number: int) -> str:
    return f"<{', '.join([f'i32 {number}'] * lanes)}>"


def mix(fn: Function, word: str) -> str:
    """Whole numbers of 32 bits spread over all numbers of 32 bits; Wellons' lowbias32."""
    lanes = fn.target.lanes
    ints = f"<{lanes} x i32>"
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 0)):
        shifted = fn.value(f"lshr {ints} {word}, {_integers(lanes, shift)}")
        word = fn.value(f"xor {ints} {word}, {shifted}")
        if factor:
            word = fn.value(f"mul {ints} {word}, {_integers(lanes, factor)}")
    return word


def write_halo(name: str, target: Target, buffer: Buffer) -> Function:
    """Zeros around every map, where other volumes have lain before."""
    fn, lanes, halo = Function(name, target), target.lanes, buffer.halo
    zero = fn.constant(0)
    height = buffer.map // buffer.width
    with fn.loop(buffer.shape[0]) as c:
        start = fn.at(buffer.space, fn.times(c, buffer.map * lanes), buffer.start * lanes)
        for rows, first in ((halo.top, 0), (halo.bottom, height - halo.bottom)):
            if rows:
                with fn.loop(rows * buffer.width) as i:
                    fn.store(zero, fn.at(start, fn.times(i, lanes), first * buffer.width * lanes))
        for columns, first in ((halo.left, 0), (halo.right, buffer.width - halo.right)):
            if columns:
                with fn.loop(height) as y:
                    row = fn.at(start, fn.times(y, buffer.width * lanes), first * lanes)
                    for x in range(columns):
                        fn.store(zero, fn.at(row, 0, x * lanes))
    return fn
