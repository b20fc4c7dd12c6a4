"""A training step of one thread: its micro-batches, its share of the sums and of the update."""

from dataclasses import dataclass
from typing import Literal

from convscope.lanes.batch_statistics import reduction
from convscope.lanes.ir import Target, declarations
from convscope.lanes.passes import Entry, Look, Segment, Work
from convscope.lanes.writing import Code


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
    each class. With batch norm there are `work0`, `work1` ... in place of `work`. Between any two
    of them, before `fold`, and where gradients are clipped between `fold` and `update`, all threads
    have to have come so far.
    """
    count = len(code.segments)
    work = [Segment(n, target, code) for n in range(count)] if count > 1 else [Work(target, code)]
    own = (*work, _Fold(target, rule), _Update(target, rule), Look(target, code))
    text = code.text + "".join(function.text for function in own) + declarations(target)
    return text + (reduction(target) if count > 1 else "")


def work_phases(code: Code) -> list[str]:
    """The names of what stands for `work`, in turn; between any two all threads wait."""
    count = len(code.segments)
    return [f"work{number}" for number in range(count)] if count > 1 else ["work"]


class _Fold(Entry):
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


class _Update(Entry):
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
