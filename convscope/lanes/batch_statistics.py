"""What the sums of all micro-batches say: mean, variance, and the gradients behind batch norm.

Every thread computes them for itself from the same sums in the same order, in float64, so that all
threads have the same bits, whatever their number. The first thread alone writes what is shared.
"""

import struct
from contextlib import AbstractContextManager
from dataclasses import dataclass

from convscope.lanes.batch_norm import (
    DEVIATION,
    GRADIENTS,
    LEVEL,
    MEAN,
    PIVOT,
    PRODUCTS,
    SCALE,
    SHIFT,
    SLOPE,
    SQUARES,
    SUM,
    Norm,
)
from convscope.lanes.ir import Function, Index, Target

MORE = (
    "ptr noalias %running", "ptr noalias %momenta", "ptr noalias readonly %kept", "i64 %apart",
    "i64 %pieces", "i64 %B", "i64 %thread",
)  # fmt: skip
"""Arguments beside the usual: the running statistics, the share of a new batch in each layer's
(float64), what the first micro-batch keeps and the floats to the next's, how many micro-batches and
images there are, and the thread."""


@dataclass(frozen=True, kw_only=True)
class BatchStatistics:
    """`norm` number `number`, whose running mean and variance are floats from `running` on.

    `weight` and `bias` are where the parameters begin, None where it has none.
    """

    norm: Norm
    number: int
    running: int
    eps: float
    weight: int | None
    bias: int | None

    @property
    def units(self) -> int:
        """Of a map."""
        return self.norm.shape[1] * self.norm.shape[2]


class _Doubles(Function):
    """A function that computes with float64, `kind` a vector of them."""

    def __init__(self, name: str, target: Target) -> None:
        super().__init__(name, target, MORE)
        self.kind = f"<{target.lanes} x double>"

    def real(self, operation: str, *values: str) -> str:
        return self.value(f"{operation} double {', '.join(values)}")

    def wide(self, operation: str, *values: str) -> str:
        return self.value(f"{operation} {self.kind} {', '.join(values)}")

    def widened(self, address: str) -> str:
        """The vector at an address."""
        return self.value(f"fpext {self.vector} {self.load(address)} to {self.kind}")

    def whole(self, vector: str) -> str:
        """The sum over the lanes."""
        name = f"@llvm.vector.reduce.fadd.v{self.target.lanes}f64"
        return self.value(f"call reassoc double {name}(double 0.0, {self.kind} {vector})")

    def everywhere(self, number: str, kind: str, one: str) -> str:
        """A number of type `one` in every lane."""
        lanes = self.target.lanes
        first = self.value(f"insertelement {kind} poison, {one} {number}, i64 0")
        zeros = f"<{lanes} x i32> zeroinitializer"
        return self.value(f"shufflevector {kind} {first}, {kind} poison, {zeros}")

    def images(self, piece: Index) -> str:
        """A mask: which lanes of a micro-batch hold an image."""
        lanes, ints = self.target.lanes, f"<{self.target.lanes} x i64>"
        left = self.value(f"sub i64 %B, {self.times(piece, lanes)}")
        order = ", ".join(f"i64 {lane}" for lane in range(lanes))
        return self.value(f"icmp slt {ints} <{order}>, {self.everywhere(left, ints, 'i64')}")

    def sums(self, count: int) -> list[str]:
        return [self.variable(self.kind, "zeroinitializer") for _ in range(count)]

    def count_in(self, variable: str, vector: str, mask: str) -> None:
        """Add the lanes of the mask to a sum."""
        lanes = self.target.lanes
        masked = self.value(
            f"select <{lanes} x i1> {mask}, {self.kind} {vector}, {self.kind} zeroinitializer"
        )
        self.put(variable, self.wide("fadd", self.get(variable, self.kind), masked), self.kind)

    def number(self, address: str) -> str:
        """The float at an address."""
        return self.value(f"fpext float {self.scalar(address)} to double")

    def keep(self, number: str, address: str) -> None:
        """Store as a float."""
        self.write_float(self.value(f"fptrunc double {number} to float"), address)

    def only_first(self) -> AbstractContextManager[Index]:
        """What follows is done by the first thread alone."""
        first = self.value("icmp eq i64 %thread, 0")
        return self.loop(self.value(f"zext i1 {first} to i64"))


def write_scale(name: str, target: Target, spec: BatchStatistics) -> Function:
    """From the sums of x the numbers of the way forward, and the running statistics."""
    fn, norm = _Doubles(name, target), spec.norm
    images = fn.value("uitofp i64 %B to double")
    count = fn.real("fmul", images, f"{spec.units}.0")
    with fn.loop(norm.shape[0]) as c:
        mean, squares = _moments(fn, spec, c, images)
        _keep_numbers(fn, spec, c, mean, fn.real("fdiv", squares, count))
        unbiased = fn.real("fdiv", squares, fn.real("fsub", count, "1.0"))
        with fn.only_first():
            position = fn.value(f"getelementptr double, ptr %momenta, i64 {spec.number}")
            share = fn.value(f"load double, ptr {position}, align 8")
            rest = fn.real("fsub", "1.0", share)
            for row, new in enumerate((mean, unbiased)):
                at = fn.at("%running", c, spec.running + row * norm.shape[0])
                old = fn.real("fmul", rest, fn.number(at))
                fn.keep(fn.real("fadd", fn.real("fmul", share, new), old), at)
    return fn


def _moments(fn: _Doubles, spec: BatchStatistics, c: Index, images: str) -> tuple[str, str]:
    """A channel's mean, and the sum of squares about it: Chan's formula over all images.

    Every image's mean is taken less the first pivot of all.
    """
    norm, units = spec.norm, f"{spec.units}.0"
    origin = fn.number(norm.sum(fn, PIVOT, c, "%kept"))
    means, between, within = fn.sums(3)
    per_image = fn.everywhere(units, fn.kind, "double")
    away = fn.everywhere(origin, fn.kind, "double")
    with fn.loop("%pieces") as piece:
        base = fn.at("%kept", fn.value(f"mul i64 {piece}, %apart"))
        pivot, total, squares = (
            fn.widened(norm.sum(fn, which, c, base)) for which in (PIVOT, SUM, SQUARES)
        )
        share = fn.wide("fdiv", total, per_image)
        mean = fn.wide("fadd", fn.wide("fsub", pivot, away), share)
        spread = fn.wide("fsub", squares, fn.wide("fmul", total, share))
        there = fn.images(piece)
        for variable, vector in (
            (means, mean), (between, fn.wide("fmul", mean, mean)), (within, spread),
        ):  # fmt: skip
            fn.count_in(variable, vector, there)
    of_means, of_squares, of_spreads = (
        fn.whole(fn.get(one, fn.kind)) for one in (means, between, within)
    )
    mean = fn.real("fdiv", of_means, images)
    apart = fn.real("fsub", of_squares, fn.real("fmul", of_means, mean))
    squares = fn.real("fadd", of_spreads, fn.real("fmul", apart, units))
    return fn.real("fadd", origin, mean), squares


def _keep_numbers(fn: _Doubles, spec: BatchStatistics, c: Index, mean: str, variance: str) -> None:
    """What the way forward reads."""
    norm = spec.norm
    softened = fn.real("fadd", variance, real(spec.eps))
    root = fn.value(f"call double @llvm.sqrt.f64(double {softened})")
    deviation = fn.real("fdiv", "1.0", root)
    weight = "1.0" if spec.weight is None else fn.number(fn.at("%P", c, spec.weight))
    bias = "0.0" if spec.bias is None else fn.number(fn.at("%P", c, spec.bias))
    scale = fn.real("fmul", weight, deviation)
    for row, number in ((MEAN, mean), (SCALE, scale), (SHIFT, bias), (DEVIATION, deviation)):
        fn.keep(number, norm.row(fn, row, c))


def write_rest(name: str, target: Target, spec: BatchStatistics) -> Function:
    """The numbers of the way forward where nothing is learnt: from the running statistics."""
    fn, norm = _Doubles(name, target), spec.norm
    with fn.loop(norm.shape[0]) as c:
        mean, variance = (
            fn.number(fn.at("%running", c, spec.running + row * norm.shape[0])) for row in (0, 1)
        )
        _keep_numbers(fn, spec, c, mean, variance)
    return fn


def write_slopes(name: str, target: Target, spec: BatchStatistics) -> Function:
    """From the sums of dy the numbers of the way back, and the parameters' gradients."""
    fn, norm = _Doubles(name, target), spec.norm
    count = fn.real("fmul", fn.value("uitofp i64 %B to double"), f"{spec.units}.0")
    with fn.loop(norm.shape[0]) as c:
        gradients, products = fn.sums(2)
        with fn.loop("%pieces") as piece:
            base = fn.at("%kept", fn.value(f"mul i64 {piece}, %apart"))
            there = fn.images(piece)
            for which, variable in ((GRADIENTS, gradients), (PRODUCTS, products)):
                fn.count_in(variable, fn.widened(norm.sum(fn, which, c, base)), there)
        of_bias, along = (fn.whole(fn.get(one, fn.kind)) for one in (gradients, products))
        scale, deviation = (fn.number(norm.row(fn, row, c)) for row in (SCALE, DEVIATION))
        of_weight = fn.real("fmul", along, deviation)
        share = fn.real("fneg", fn.real("fdiv", scale, count))
        slope = fn.real("fmul", share, fn.real("fmul", of_weight, deviation))
        fn.keep(slope, norm.row(fn, SLOPE, c))
        fn.keep(fn.real("fmul", share, of_bias), norm.row(fn, LEVEL, c))
        with fn.only_first():
            for start, number in ((spec.weight, of_weight), (spec.bias, of_bias)):
                if start is not None:
                    narrow = fn.value(f"fptrunc double {number} to float")
                    fn.add_to(fn.at("%G", c, start), narrow)
    return fn


def real(number: float) -> str:
    """A float64 as IR writes it."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', number))[0]:016X}"


def reduction(target: Target) -> str:
    """The function of LLVM that the sums over lanes call."""
    n = target.lanes
    return f"declare double @llvm.vector.reduce.fadd.v{n}f64(double, <{n} x double>)\n"
