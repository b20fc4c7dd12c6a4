"""Cross-entropy of a micro-batch, its gradient, and how many answers were right."""

from dataclasses import dataclass

from convscope.lanes.activation import exp
from convscope.lanes.ir import Function, Target

LOSS, NUM_CORRECT, FACTOR, LABELS = 0, 1, 2, 3
"""Vectors of the workspace: the losses so far, the hits so far, 1/Σw of each image or 0 for a lane
without one, and the classes."""


@dataclass(frozen=True, kw_only=True)
class CrossEntropy:
    """Of `classes` logits from vector `logits` on; their gradients go from `gradient` on."""

    logits: int
    gradient: int
    classes: int


def write_loss(name: str, target: Target, spec: CrossEntropy) -> Function:
    """Arguments beside the usual: `%C` the weights of the classes, `%label_smoothing`, and
    `%all`, the sum of these weights.

    With f = 1/Σw and smoothing ε over K classes the loss of an image of class y is
    (1 - ε)·f·w_y·(-log p_y) + ε/K·f·Σ_c w_c·(-log p_c), as torch has it.
    """
    fn = Function(name, target, ("ptr noalias readonly %C", "float %label_smoothing", "float %all"))
    lanes, v = target.lanes, fn.vector
    labels = _labels(fn)
    factor = fn.load(fn.at("%ws", 0, FACTOR * lanes))
    top, best = _top(fn, spec)
    total = fn.variable(first=fn.constant(0))
    own = fn.variable(first=fn.constant(0))
    weight = fn.variable(first=fn.constant(0))
    spread = fn.variable(first=fn.constant(0))
    with fn.loop(spec.classes) as c:
        x = fn.do("fsub", _logit(fn, spec, c), top)
        power = exp(fn, x)
        fn.store(power, fn.at("%ws", fn.times(c, lanes), spec.gradient * lanes))
        fn.put(total, fn.do("fadd", fn.get(total), power))
        is_own = _is(fn, labels, c)
        w = fn.spread(fn.at("%C", c))
        fn.put(own, fn.select(is_own, x, fn.get(own)))
        fn.put(weight, fn.select(is_own, w, fn.get(weight)))
        fn.put(spread, fn.fma(w, x, fn.get(spread)))
    label_smoothing = fn.splat("%label_smoothing")
    sharp = fn.do("fmul", factor, fn.do("fsub", fn.constant(1), label_smoothing))
    sharp = fn.do("fmul", sharp, fn.get(weight))
    soft = fn.do("fmul", fn.do("fmul", factor, label_smoothing), fn.constant(1 / spec.classes))
    log = fn.value(f"call {v} @llvm.log.v{lanes}f32({v} {fn.get(total)})")
    loss = fn.do("fmul", sharp, fn.do("fsub", log, fn.get(own)))
    everywhere = fn.do("fsub", fn.do("fmul", fn.splat("%all"), log), fn.get(spread))
    loss = fn.fma(soft, everywhere, loss)
    _tally(fn, loss, best, labels, factor)
    share = fn.do("fdiv", fn.fma(soft, fn.splat("%all"), sharp), fn.get(total))
    with fn.loop(spec.classes) as c:
        position = fn.at("%ws", fn.times(c, lanes), spec.gradient * lanes)
        grad = fn.do("fmul", fn.load(position), share)
        w = fn.spread(fn.at("%C", c))
        grad = fn.fma(fn.negative(soft), w, grad)
        minus = fn.select(_is(fn, labels, c), sharp, fn.constant(0))
        fn.store(fn.do("fsub", grad, minus), position)
    return fn


def _labels(fn: Function) -> str:
    lanes = fn.target.lanes
    position = fn.at("%ws", 0, LABELS * lanes)
    return fn.value(f"load <{lanes} x i32>, ptr {position}, align {4 * lanes}")


def _logit(fn: Function, spec: CrossEntropy, c: str | int) -> str:
    lanes = fn.target.lanes
    return fn.load(fn.at("%ws", fn.times(c, lanes), spec.logits * lanes))


def _is(fn: Function, labels: str, c: str | int) -> str:
    """A mask: whether the image is of class c."""
    return fn.value(f"icmp eq <{fn.target.lanes} x i32> {labels}, {_everywhere(fn, c)}")


def _everywhere(fn: Function, c: str | int) -> str:
    ints = f"<{fn.target.lanes} x i32>"
    low = fn.value(f"trunc i64 {c} to i32")
    one = fn.value(f"insertelement {ints} poison, i32 {low}, i64 0")
    return fn.value(f"shufflevector {ints} {one}, {ints} poison, {ints} zeroinitializer")


def _top(fn: Function, spec: CrossEntropy) -> tuple[str, str]:
    """The largest logit and its class, the first of equals; what is no number is the largest."""
    lanes = fn.target.lanes
    ints = f"<{lanes} x i32>"
    top = fn.variable(first=_logit(fn, spec, 0))
    best = fn.variable(ints, "zeroinitializer")
    if spec.classes > 1:
        with fn.loop(spec.classes, start=1) as c:
            x, largest = _logit(fn, spec, c), fn.get(top)
            wins = fn.compare("ogt", x, largest)
            strange = fn.compare("uno", x, x)
            wins = fn.value(f"or <{lanes} x i1> {wins}, {strange}")
            fn.put(top, fn.select(wins, x, largest))
            here = _everywhere(fn, c)
            chosen = fn.value(
                f"select <{lanes} x i1> {wins}, {ints} {here}, {ints} {fn.get(best, ints)}"
            )
            fn.put(best, chosen, ints)
    return fn.get(top), fn.get(best, ints)


def _tally(fn: Function, loss: str, best: str, labels: str, factor: str) -> None:
    lanes = fn.target.lanes
    right = fn.value(f"icmp eq <{lanes} x i32> {best}, {labels}")
    there = fn.compare("ogt", factor, fn.constant(0))
    hit = fn.value(f"and <{lanes} x i1> {right}, {there}")
    one = fn.select(hit, fn.constant(1), fn.constant(0))
    for vector, more in ((LOSS, loss), (NUM_CORRECT, one)):
        position = fn.at("%ws", 0, vector * lanes)
        fn.store(fn.do("fadd", fn.load(position), more), position)
