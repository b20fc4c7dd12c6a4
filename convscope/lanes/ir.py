"""Text of LLVM IR, instruction by instruction, over vectors with one image in each lane."""

import struct
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from convscope.lanes.bounds_check import check_name, write_bounds_check
from convscope.lanes.memory import KEPT

Index = str | int
"""A whole number: known while the code is written, or the name of a value of 64 bits."""
Regions = dict[str, list[tuple[int, int]]]
"""For the names of pointers the floats that may be touched: from, to."""


@dataclass(frozen=True)
class Target:
    """What code is written for: `lanes` floats in a vector, `registers` vectors at hand.

    With `checked` every access by `load`, `store`, `scalar` or `add_to` is compared with the
    regions that its function may touch; one that is outside is diverted to a harmless address, and
    counted in the number `outside_` and the function's name.
    """

    lanes: int
    registers: int
    checked: bool = False


class Function:
    """One function of a module: `with fn.loop(n) as i: ...` writes a loop.

    Its arguments are the workspace `%ws` of a thread, the parameters `%P`, their gradients `%G`,
    what `more` names, and `%K`, the micro-batch's own memory, if it is touched.
    """

    def __init__(self, name: str, target: Target, more: Sequence[str] = ()) -> None:
        self.name, self.target = name, target
        self.arguments = ("ptr noalias %ws", "ptr noalias %P", "ptr noalias %G", *more)
        self.vector = f"<{target.lanes} x float>"
        self._count = 0
        self._variables: list[str] = []
        self._lines: list[str] = []
        self.regions: Regions = {}
        self._bases = {argument.split()[-1] for argument in self.arguments if "ptr" in argument}
        self._roots: dict[str, str] = {}
        self._guarded: set[str] = set()

    @property
    def touches_kept(self) -> bool:
        """Whether `%K` is among its arguments, the last."""
        return KEPT in self._bases

    @property
    def counter(self) -> str | None:
        """The number in which accesses from outside of the regions are counted, if any are."""
        return f"outside_{self.name}" if self._guarded else None

    @property
    def text(self) -> str:
        bounds_checks = [
            write_bounds_check(self.name, base, self.regions.get(base, []), f"outside_{self.name}")
            for base in sorted(self._guarded)
        ]
        if bounds_checks:
            bounds_checks.append(f"@{self.counter} = global i64 0\n")
        head = f"define void @{self.name}({', '.join(self.arguments)}) noinline nounwind {{\nentry:"
        body = "\n".join([head, *self._variables, *self._lines, "  ret void", "}", ""])
        return "".join(bounds_checks) + body

    # values

    def value(self, code: str) -> str:
        """Write an instruction that has a result; its name."""
        self._count += 1
        name = f"%t{self._count}"
        self._lines.append(f"  {name} = {code}")
        return name

    def write(self, code: str) -> None:
        """Write an instruction without a result."""
        self._lines.append(f"  {code}")

    def label(self, name: str) -> None:
        self._lines.append(f"{name}:")

    def add(self, *terms: Index) -> Index:
        """The sum; what is known is added up here."""
        known = sum(term for term in terms if isinstance(term, int))
        names = [term for term in terms if isinstance(term, str)]
        if not names:
            return known
        total = names[0]
        for name in names[1:]:
            total = self.value(f"add nsw i64 {total}, {name}")
        return self.value(f"add nsw i64 {total}, {known}") if known else total

    def times(self, index: Index, factor: int) -> Index:
        if isinstance(index, int):
            return index * factor
        if factor in (0, 1):
            return index if factor else 0
        return self.value(f"mul nsw i64 {index}, {factor}")

    def at(self, base: str, index: Index, known: int = 0) -> str:
        """The address of a float; what is known stands last, so that it folds into the access."""
        if base == KEPT and KEPT not in self._bases:
            self._bases.add(KEPT)
            self.arguments = (*self.arguments, f"ptr noalias {KEPT}")
        root = self._roots.get(base, base)
        for further in (index, known):
            if further != 0:
                base = self.value(f"getelementptr float, ptr {base}, i64 {further}")
        self._roots[base] = root
        return base

    def _inside(self, address: str, floats: int) -> str:
        """The address; with `checked` a harmless one where it is outside of the regions."""
        base = self._roots.get(address, address)
        if not self.target.checked or base not in self._bases:
            return address
        self._guarded.add(base)
        return self.value(
            f"call ptr @{check_name(self.name, base)}(ptr {base}, ptr {address}, i64 {4 * floats})"
        )

    # vectors

    def load(self, address: str, *, align: int = 0) -> str:
        address = self._inside(address, self.target.lanes)
        return self.value(f"load {self.vector}, ptr {address}, align {align or self._align}")

    def store(self, vector: str, address: str, *, align: int = 0) -> None:
        address = self._inside(address, self.target.lanes)
        self.write(f"store {self.vector} {vector}, ptr {address}, align {align or self._align}")

    @property
    def _align(self) -> int:
        return 4 * self.target.lanes

    def scalar(self, address: str) -> str:
        return self.value(f"load float, ptr {self._inside(address, 1)}, align 4")

    def splat(self, number: str) -> str:
        """A float in every lane."""
        lanes = self.target.lanes
        one = self.value(f"insertelement {self.vector} poison, float {number}, i64 0")
        return self.value(
            f"shufflevector {self.vector} {one}, {self.vector} poison, "
            f"<{lanes} x i32> zeroinitializer"
        )

    def spread(self, address: str) -> str:
        """The float at an address, in every lane."""
        return self.splat(self.scalar(address))

    def packed(self, addresses: Sequence[str]) -> str:
        """The floats at some addresses in the first lanes; the others are undefined."""
        found = "poison"
        for lane, address in enumerate(addresses):
            number = self.scalar(address)
            found = self.value(f"insertelement {self.vector} {found}, float {number}, i64 {lane}")
        return found

    def constant(self, number: float) -> str:
        return f"<{', '.join([f'float {hexadecimal(number)}'] * self.target.lanes)}>"

    def fma(self, a: str, b: str, c: str) -> str:
        v = self.vector
        return self.value(f"call {v} @llvm.fma.v{self.target.lanes}f32({v} {a}, {v} {b}, {v} {c})")

    def do(self, operation: str, a: str, b: str) -> str:
        """fadd, fsub, fmul, fdiv of two vectors."""
        return self.value(f"{operation} {self.vector} {a}, {b}")

    def negative(self, a: str) -> str:
        return self.value(f"fneg {self.vector} {a}")

    def compare(self, how: str, a: str, b: str) -> str:
        """A mask: ogt, olt, oeq ... of two vectors."""
        return self.value(f"fcmp {how} {self.vector} {a}, {b}")

    def select(self, mask: str, a: str, b: str) -> str:
        v = self.vector
        return self.value(f"select <{self.target.lanes} x i1> {mask}, {v} {a}, {v} {b}")

    def larger(self, a: str, b: str) -> str:
        return self.select(self.compare("ogt", a, b), a, b)

    def smaller(self, a: str, b: str) -> str:
        return self.select(self.compare("olt", a, b), a, b)

    def total(self, vector: str) -> str:
        """The sum over the lanes, pair by pair."""
        name = f"@llvm.vector.reduce.fadd.v{self.target.lanes}f32"
        return self.value(f"call reassoc float {name}(float 0.0, {self.vector} {vector})")

    def add_to(self, address: str, number: str) -> None:
        """Add a float to the one at an address."""
        self.write_float(self.value(f"fadd float {self.scalar(address)}, {number}"), address)

    def store_first(self, vector: str, address: str) -> None:
        """Store the float of the first lane."""
        self.write_float(self.value(f"extractelement {self.vector} {vector}, i64 0"), address)

    def write_float(self, number: str, address: str) -> None:
        self.write(f"store float {number}, ptr {self._inside(address, 1)}, align 4")

    # variables, which the optimizer makes registers

    def variable(self, kind: str = "", first: str = "") -> str:
        self._count += 1
        name = f"%v{self._count}"
        self._variables.append(f"  {name} = alloca {kind or self.vector}, align 64")
        if first:
            self.put(name, first, kind)
        return name

    def get(self, variable: str, kind: str = "") -> str:
        return self.value(f"load {kind or self.vector}, ptr {variable}, align 8")

    def put(self, variable: str, value: str, kind: str = "") -> None:
        self.write(f"store {kind or self.vector} {value}, ptr {variable}, align 8")

    # control

    @contextmanager
    def loop(self, end: Index, *, start: Index = 0, step: int = 1) -> Generator[Index]:
        """From `start` below `end`. Without a loop where one known turn is all."""
        known = isinstance(end, int) and isinstance(start, int)
        if known and int(end) <= int(start):
            raise ValueError(f"{self.name} loops from {start} to {end}")
        if known and -(-(int(end) - int(start)) // step) == 1:
            yield start
            return
        turn = self.variable("i64", str(start))
        self._count += 1
        begin, done = f"begin{self._count}", f"done{self._count}"
        if known:
            self.write(f"br label %{begin}")
        else:
            any_turn = self.value(f"icmp slt i64 {start}, {end}")
            self.write(f"br i1 {any_turn}, label %{begin}, label %{done}")
        self.label(begin)
        now = self.get(turn, "i64")
        yield now
        after = self.value(f"add nsw i64 {now}, {step}")
        self.put(turn, after, "i64")
        more = self.value(f"icmp slt i64 {after}, {end}")
        self.write(f"br i1 {more}, label %{begin}, label %{done}")
        self.label(done)


def hexadecimal(number: float) -> str:
    """A float32 as IR writes it."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', float(np.float32(number))))[0]:016X}"


def declarations(target: Target) -> str:
    """The functions of LLVM that the code calls."""
    n, v = target.lanes, f"<{target.lanes} x float>"
    return "\n".join(
        (
            f"declare {v} @llvm.fma.v{n}f32({v}, {v}, {v})",
            f"declare {v} @llvm.rint.v{n}f32({v})",
            f"declare {v} @llvm.log.v{n}f32({v})",
            f"declare {v} @llvm.sqrt.v{n}f32({v})",
            "declare double @llvm.sqrt.f64(double)",
            "declare i64 @llvm.smax.i64(i64, i64)",
            "declare i64 @llvm.smin.i64(i64, i64)",
            f"declare float @llvm.vector.reduce.fadd.v{n}f32(float, {v})",
            "@harmless = internal global [64 x i8] zeroinitializer, align 64" * target.checked,
            "",
        )
    )


def blocks(count: int, most: int) -> list[tuple[int, int, int]]:
    """`count` things in as few blocks of at most `most` as go: (start, how many, size) each."""
    pieces = -(-count // most)
    size, larger = divmod(count, pieces)
    found = [(0, larger, size + 1)] if larger else []
    return [*found, (larger * (size + 1), pieces - larger, size)] if pieces - larger else found
