"""The way back through a locally connected layer, where every position has weights of its own."""

from convscope.lanes.graph import Convolution
from convscope.lanes.ir import Function, Target
from convscope.lanes.memory import View


def write_local_back(
    name: str,
    target: Target,
    node: Convolution,
    *,
    source: View,
    gradient: View,
    into: View | None,
    weights: int,
    bias: int | None,
) -> Function:
    """Add to the gradients of weights and biases, and to that of the input where it has one."""
    fn, lanes = Function(name, target), target.lanes
    outs, height, width = node.shape
    ins = node.weight.shape[3]
    kernel = (node.kernel[0], node.kernel[1])
    of_unit = ins * kernel[0] * kernel[1]
    per_group = outs // node.groups
    with fn.loop(height) as y, fn.loop(width) as x, fn.loop(outs) as o:
        place = fn.add(fn.times(fn.add(fn.times(y, width), x), outs), o)
        at = fn.add(
            fn.times(o, gradient.channel * lanes),
            fn.times(y, gradient.row * lanes),
            fn.times(x, gradient.pixel * lanes),
        )
        slope = fn.load(fn.at("%ws", at, gradient.base * lanes))
        if bias is not None:
            fn.add_to(fn.at("%G", place, bias), fn.total(slope))
        group = o // per_group if isinstance(o, int) else _quotient(fn, o, per_group)
        with fn.loop(ins) as i, fn.loop(kernel[0]) as r:
            channel = fn.add(fn.times(group, ins), i)
            below = [
                fn.add(
                    fn.times(channel, view.channel * lanes),
                    fn.times(y, node.stride[0] * view.row * lanes),
                    fn.times(x, node.stride[1] * view.pixel * lanes),
                    fn.times(r, node.dilation[0] * view.row * lanes),
                )
                for view in (source, into or source)
            ]
            first = fn.add(
                fn.times(place, of_unit),
                fn.times(i, kernel[0] * kernel[1]),
                fn.times(r, kernel[1]),
            )
            base = source.base - node.padding[0] * source.row - node.padding[1] * source.pixel
            values = fn.at("%ws", below[0], base * lanes)
            for k in range(kernel[1]):
                step = k * node.dilation[1] * lanes
                product = fn.do("fmul", slope, fn.load(fn.at(values, 0, step * source.pixel)))
                fn.add_to(fn.at("%G", first, weights + k), fn.total(product))
            if into is not None:
                base = into.base - node.padding[0] * into.row - node.padding[1] * into.pixel
                slopes = fn.at("%ws", below[1], base * lanes)
                for k in range(kernel[1]):
                    held = fn.at(slopes, 0, k * node.dilation[1] * lanes * into.pixel)
                    weight = fn.spread(fn.at("%P", first, weights + k))
                    fn.store(fn.fma(slope, weight, fn.load(held)), held)
    return fn


def _quotient(fn: Function, index: str, by: int) -> str | int:
    return index if by == 1 else fn.value(f"sdiv i64 {index}, {by}")
