"""Bytes of images into lanes: cropped, mirrored and normalized on the way."""

from dataclasses import dataclass

from convscope.lanes.ir import Function, Target
from convscope.lanes.loss import FACTOR, LABELS
from convscope.lanes.memory import Buffer
from convscope.lanes.pointwise import SEED, mix


@dataclass(frozen=True, kw_only=True)
class Bytes:
    """Images lie as rows of pixels of channels; from one row to the next are `row` bytes."""

    row: int


def write_feed(name: str, target: Target, image: Buffer, spec: Bytes) -> Function:
    """Take images `b·lanes` and so on, of `B`, of a batch.

    Arguments beside the usual: `%X` the addresses (64 bits) of each image's first pixel, `%D` the
    bytes from a pixel to the one on its right (negative for a mirrored image), `%Y` the classes (64
    bits), `%N` for each channel a factor and a summand, `%b`, `%B`, `%factor` 1/Σw, `%seed`.

    Lanes beyond the last image repeat it with the factor 0.
    """
    more = (
        "ptr noalias readonly %X", "ptr noalias readonly %D", "ptr noalias readonly %Y",
        "ptr noalias readonly %N", "i64 %b", "i64 %B", "float %factor", "i32 %seed",
    )  # fmt: skip
    fn = Function(name, target, more)
    positions, steps = _images(fn)
    lanes, (channels, height, width) = target.lanes, image.shape
    view = image.view
    scales = [
        (fn.spread(fn.at("%N", 2 * c)), fn.spread(fn.at("%N", 2 * c + 1))) for c in range(channels)
    ]
    rows = [
        fn.variable(
            "ptr",
            position,
        )
        for position in positions
    ]
    with fn.loop(height) as y:
        pixels = [fn.get(row, "ptr") for row in rows]
        moving = [fn.variable("ptr", pixel) for pixel in pixels]
        with fn.loop(width) as x:
            index = fn.add(fn.times(y, view.row * lanes), fn.times(x, view.pixel * lanes))
            dest = fn.at(view.space, index, view.base * lanes)
            here = [fn.get(pixel, "ptr") for pixel in moving]
            for c, (scale, shift) in enumerate(scales):
                value = fn.fma(_bytes(fn, here, c), scale, shift)
                fn.store(value, fn.at(dest, 0, c * view.channel * lanes))
            for pixel, at, step in zip(moving, here, steps, strict=True):
                fn.put(pixel, fn.value(f"getelementptr i8, ptr {at}, i64 {step}"), "ptr")
        for row, at in zip(rows, pixels, strict=True):
            fn.put(row, fn.value(f"getelementptr i8, ptr {at}, i64 {spec.row}"), "ptr")
    return fn


def _images(fn: Function) -> tuple[list[str], list[str]]:
    """Each lane's first pixel and step; its label, factor and random bits go to the workspace."""
    lanes, v = fn.target.lanes, fn.vector
    ints = f"<{lanes} x i32>"
    labels = numbers = "zeroinitializer"
    factors = "zeroinitializer"
    positions: list[str] = []
    steps: list[str] = []
    last = fn.value("sub i64 %B, 1")
    for lane in range(lanes):
        i = fn.add(fn.times("%b", lanes), lane)
        there = fn.value(f"icmp slt i64 {i}, %B")
        i = fn.value(f"select i1 {there}, i64 {i}, i64 {last}")
        address, step, label = (
            fn.value(
                f"load i64, ptr {fn.value(f'getelementptr i64, ptr {table}, i64 {i}')}, align 8"
            )
            for table in ("%X", "%D", "%Y")
        )
        positions.append(fn.value(f"inttoptr i64 {address} to ptr"))
        steps.append(step)
        low = fn.value(f"trunc i64 {label} to i32")
        labels = fn.value(f"insertelement {ints} {labels}, i32 {low}, i64 {lane}")
        number = fn.value(f"trunc i64 {i} to i32")
        numbers = fn.value(f"insertelement {ints} {numbers}, i32 {number}, i64 {lane}")
        factor = fn.value(f"select i1 {there}, float %factor, float 0.0")
        factors = fn.value(f"insertelement {v} {factors}, float {factor}, i64 {lane}")
    fn.store(factors, fn.at("%ws", 0, FACTOR * lanes))
    one = fn.value(f"insertelement {ints} poison, i32 %seed, i64 0")
    seed = fn.value(f"shufflevector {ints} {one}, {ints} poison, {ints} zeroinitializer")
    keys = mix(fn, fn.value(f"xor {ints} {mix(fn, numbers)}, {seed}"))
    for vector, words in ((LABELS, labels), (SEED, keys)):
        position = fn.at("%ws", 0, vector * lanes)
        fn.write(f"store {ints} {words}, ptr {position}, align {4 * lanes}")
    return positions, steps


def _bytes(fn: Function, positions: list[str], channel: int) -> str:
    """A byte of each image, as a float."""
    lanes = fn.target.lanes
    pixels = "zeroinitializer"
    for lane, position in enumerate(positions):
        at = fn.value(f"getelementptr i8, ptr {position}, i64 {channel}") if channel else position
        byte = fn.value(f"load i8, ptr {at}, align 1")
        pixels = fn.value(f"insertelement <{lanes} x i8> {pixels}, i8 {byte}, i64 {lane}")
    return fn.value(f"uitofp <{lanes} x i8> {pixels} to {fn.vector}")
