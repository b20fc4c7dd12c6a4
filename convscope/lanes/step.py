"""A training step of one thread: its micro-batches, its share of the sums and of the update."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from convscope.lanes.codegen import Code
from convscope.lanes.ir import Function, Index, Target, declarations
from convscope.lanes.loss import LOSS, NUM_CORRECT

FLOATS = (
    "factor", "label_smoothing", "all", "lr", "momentum", "weight_decay", "clip", "bias1", "bias2",
)  # fmt: skip
FIELDS = (
    "workspaces", "parameters", "gradients", "images", "steps", "labels", "scales", "weights",
    "lr_scales", "first", "second", "norms", "logits",  # addresses
    "batch", "threads", "workspace", "gradient", "count", "seed",  # whole numbers
    *FLOATS,
)  # fmt: skip
"""The arguments of a step, each in 8 bytes: addresses, sizes in floats, and numbers."""
_AT = {name: position for position, name in enumerate(FIELDS)}


@dataclass(frozen=True)
class Rule:
    """How the weights move: sgd (`nesterov` or not) or adamw; `lr_scales`: some move slower."""

    name: Literal["sgd", "adamw"]
    nesterov: bool = False
    clips: bool = False
    lr_scales: bool = False


def write_step(code: Code, target: Target, rule: Rule) -> str:
    """The module: every function of the network, and `work`, `fold`, `update` of (context, thread).

    A fourth, `look`, only goes forward, and keeps the logits: of every micro-batch a vector for
    each class. Between `work` and `fold`, and where gradients are clipped between `fold` and
    `update`, all threads have to have come so far.
    """
    own = (_Work(target, code), _Fold(target, rule), _Update(target, rule), _Look(target, code))
    return code.text + "".join(function.text for function in own) + declarations(target)


class _Entry(Function):
    """A function of the context and the number of the thread."""

    def __init__(self, name: str, target: Target) -> None:
        super().__init__(name, target)
        self.arguments = ("ptr noalias %ctx", "i64 %thread")

    def field(self, name: str, kind: str = "i64") -> str:
        position = self.value(f"getelementptr i64, ptr %ctx, i64 {_AT[name]}")
        return self.value(f"load {kind}, ptr {position}, align 8")

    def part(self, count: str, thread: str, threads: str) -> str:
        """Where the part of a thread begins."""
        return self.value(f"sdiv i64 {self.value(f'mul i64 {count}, {thread}')}, {threads}")

    def own(self, base: str, size: str) -> str:
        """The thread's own piece of an array."""
        return self.at(base, self.value(f"mul i64 %thread, {size}"))

    def slice(self) -> tuple[str, str]:
        """The parameters that this thread folds and updates: from, to, in whole vectors."""
        lanes = self.target.lanes
        count, threads = self.field("count"), self.field("threads")
        vectors = self.value(f"sdiv i64 {self.add(count, lanes - 1)}, {lanes}")
        after = self.value("add i64 %thread, 1")
        low, high = (
            self.times(self.part(vectors, one, threads), lanes) for one in ("%thread", after)
        )
        return str(low), str(high)


class _Pass(_Entry):
    """What a pass over a thread's micro-batches needs."""

    def __init__(self, name: str, target: Target) -> None:
        super().__init__(name, target)
        self.ws = self.own(self.field("workspaces", "ptr"), self.field("workspace"))
        self.gradients = self.own(self.field("gradients", "ptr"), self.field("gradient"))
        parameters = self.field("parameters", "ptr")
        self.usual = f"ptr {self.ws}, ptr {parameters}, ptr {self.gradients}"

    def call(self, *names: str, more: str = "") -> None:
        for name in names:
            self.write(f"call void @{name}({self.usual}{more})")

    @contextmanager
    def fed(self) -> Generator[Index]:
        """A loop over the thread's micro-batches, each with its images in the workspace."""
        batch, threads = self.field("batch"), self.field("threads")
        pieces = self.value(
            f"sdiv i64 {self.add(batch, self.target.lanes - 1)}, {self.target.lanes}"
        )
        low = self.part(pieces, "%thread", threads)
        high = self.part(pieces, self.value("add i64 %thread, 1"), threads)
        feed = "".join(
            f", ptr {self.field(name, 'ptr')}" for name in ("images", "steps", "labels", "scales")
        )
        factor, seed = self.field("factor", "float"), self.field("seed", "i32")
        with self.loop(high, start=low) as piece:
            more = f"{feed}, i64 {piece}, i64 {batch}, float {factor}, i32 {seed}"
            self.call("feed", more=more)
            yield piece


class _Work(_Pass):
    """Zeros, then forward, loss and backward for each of the thread's micro-batches."""

    def __init__(self, target: Target, code: Code) -> None:
        super().__init__("work", target)
        lanes = target.lanes
        for vector in (LOSS, NUM_CORRECT):
            self.store(self.constant(0), self.at(self.ws, 0, vector * lanes))
        with self.loop(self.field("gradient"), step=lanes) as i:
            self.store(self.constant(0), self.at(self.gradients, i), align=4)
        self.call(*code.before)
        loss = (
            f", ptr {self.field('weights', 'ptr')}, "
            f"float {self.field('label_smoothing', 'float')}, float {self.field('all', 'float')}"
        )
        with self.fed():
            self.call(*code.forward)
            self.call("loss", more=loss)
            self.call(*code.backward)
        self.call(*code.after)


class _Look(_Pass):
    """Forward alone, with nothing dropped; the logits go to where the context says."""

    def __init__(self, target: Target, code: Code) -> None:
        super().__init__("look", target)
        lanes, (start, classes) = target.lanes, code.logits
        logits = self.field("logits", "ptr")
        self.call(*code.before)
        with self.fed() as piece:
            self.call(*(code.at_rest.get(name, name) for name in code.forward))
            position = self.at(logits, self.times(piece, classes * lanes))
            with self.loop(classes) as c:
                found = self.load(self.at(self.ws, self.times(c, lanes), start * lanes))
                self.store(found, self.at(position, self.times(c, lanes)), align=4)


class _Fold(_Entry):
    """The threads' gradients added up into the first one's; where they clip, their squares too."""

    def __init__(self, target: Target, rule: Rule) -> None:
        super().__init__("fold", target)
        low, high = self.slice()
        gradients, size = self.field("gradients", "ptr"), self.field("gradient")
        threads = self.field("threads")
        square = self.variable(first=self.constant(0))
        with self.loop(high, start=low, step=target.lanes) as i:
            position = self.at(gradients, i)
            total = self.variable(first=self.load(position, align=4))
            with self.loop(threads, start=1) as thread:
                at = self.value(f"add i64 {i}, {self.value(f'mul i64 {thread}, {size}')}")
                other = self.load(self.at(gradients, at), align=4)
                self.put(total, self.do("fadd", self.get(total), other))
            self.store(self.get(total), position, align=4)
            if rule.clips:
                held = self.get(total)
                self.put(square, self.fma(held, held, self.get(square)))
        if rule.clips:
            whole = self.value(f"fpext float {self.total(self.get(square))} to double")
            position = self.value(
                f"getelementptr double, ptr {self.field('norms', 'ptr')}, i64 %thread"
            )
            self.write(f"store double {whole}, ptr {position}, align 8")


class _Update(_Entry):
    """The weights moved by their gradients, as torch's SGD and AdamW move them."""

    def __init__(self, target: Target, rule: Rule) -> None:
        super().__init__("update", target)
        low, high = self.slice()
        scale = self._scale() if rule.clips else ""
        lr, weight_decay = (
            self.splat(self.field(name, "float")) for name in ("lr", "weight_decay")
        )
        weights, gradients = self.field("parameters", "ptr"), self.field("gradients", "ptr")
        with self.loop(high, start=low, step=target.lanes) as i:
            position = self.at(weights, i)
            grad = self.load(self.at(gradients, i), align=4)
            if scale:
                grad = self.do("fmul", grad, scale)
            pace = lr
            if rule.lr_scales:
                share = self.load(self.at(self.field("lr_scales", "ptr"), i), align=4)
                pace = self.do("fmul", lr, share)
            weight = self.load(position, align=4)
            move = self._adamw if rule.name == "adamw" else self._sgd
            self.store(move(rule, i, weight, grad, (pace, weight_decay)), position, align=4)

    def _scale(self) -> str:
        """min(1, clip / (norm + 1e-6)), as clip_grad_norm_ has it."""
        total = self.variable("double", "0.0")
        with self.loop(self.field("threads")) as thread:
            position = self.value(
                f"getelementptr double, ptr {self.field('norms', 'ptr')}, i64 {thread}"
            )
            part = self.value(f"load double, ptr {position}, align 8")
            self.put(
                total, self.value(f"fadd double {self.get(total, 'double')}, {part}"), "double"
            )
        norm = self.value(f"call double @llvm.sqrt.f64(double {self.get(total, 'double')})")
        norm = self.value(f"fadd double {norm}, 1.0e-6")
        clip = self.value(f"fpext float {self.field('clip', 'float')} to double")
        share = self.value(f"fdiv double {clip}, {norm}")
        small = self.value(f"fcmp olt double {share}, 1.0")
        share = self.value(f"select i1 {small}, double {share}, double 1.0")
        return self.splat(self.value(f"fptrunc double {share} to float"))

    def _sgd(
        self, rule: Rule, i: str | int, weight: str, grad: str, speeds: tuple[str, str]
    ) -> str:
        lr, weight_decay = speeds
        grad = self.fma(weight_decay, weight, grad)
        momentum = self.splat(self.field("momentum", "float"))
        position = self.at(self.field("first", "ptr"), i)
        speed = self.do("fadd", self.do("fmul", momentum, self.load(position, align=4)), grad)
        self.store(speed, position, align=4)
        if rule.nesterov:
            speed = self.fma(momentum, speed, grad)
        return self.fma(self.negative(lr), speed, weight)

    def _adamw(
        self, _rule: Rule, i: str | int, weight: str, grad: str, speeds: tuple[str, str]
    ) -> str:
        lr, weight_decay = speeds
        v, lanes = self.vector, self.target.lanes
        kept = self.do("fsub", self.constant(1), self.do("fmul", lr, weight_decay))
        weight = self.do("fmul", weight, kept)
        first, second = (self.at(self.field(name, "ptr"), i) for name in ("first", "second"))
        mean = self.load(first, align=4)
        mean = self.fma(self.do("fsub", grad, mean), self.constant(1 - 0.9), mean)
        self.store(mean, first, align=4)
        power = self.do("fmul", self.load(second, align=4), self.constant(0.999))
        square = self.do("fmul", self.do("fmul", grad, grad), self.constant(1 - 0.999))
        power = self.do("fadd", power, square)
        self.store(power, second, align=4)
        bias1, bias2 = (self.splat(self.field(name, "float")) for name in ("bias1", "bias2"))
        root = self.value(f"call {v} @llvm.sqrt.v{lanes}f32({v} {power})")
        root = self.do("fadd", self.do("fdiv", root, bias2), self.constant(1e-8))
        pace = self.do("fdiv", lr, bias1)
        return self.fma(self.negative(pace), self.do("fdiv", mean, root), weight)
