"""The way back through a locally connected layer, where every position has weights of its own."""

from convscope.lanes.graph import Convolution
from convscope.lanes.ir import Function, Index, Target
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
    ins, (rows, columns) = node.weight.shape[3], node.kernel
    per_group = outs // node.groups
    with fn.loop(height) as y, fn.loop(width) as x, fn.loop(outs) as o:
        unit = fn.add(fn.times(fn.add(fn.times(y, width), x), outs), o)
        at = fn.add(
            fn.times(o, gradient.channel * lanes),
            fn.times(y, gradient.row * lanes),
            fn.times(x, gradient.pixel * lanes),
        )
        grad = fn.load(fn.at(gradient.space, at, gradient.base * lanes))
        if bias is not None:
            fn.add_to(fn.at("%G", unit, bias), fn.total(grad))
        group = o // per_group if isinstance(o, int) else _quotient(fn, o, per_group)
        with fn.loop(ins) as i, fn.loop(rows) as r:
            channel = fn.add(fn.times(group, ins), i)
            first = fn.add(
                fn.times(unit, ins * rows * columns),
                fn.times(i, rows * columns),
                fn.times(r, columns),
            )
            cells = _row(fn, node, source, (channel, y, x, r))
            for k, cell in enumerate(cells):
                product = fn.do("fmul", grad, fn.load(cell))
                fn.add_to(fn.at("%G", first, weights + k), fn.total(product))
            for k, cell in enumerate(_row(fn, node, into, (channel, y, x, r)) if into else []):
                weight = fn.spread(fn.at("%P", first, weights + k))
                fn.store(fn.fma(grad, weight, fn.load(cell)), cell)
    return fn


def _row(
    fn: Function, node: Convolution, view: View, position: tuple[Index, Index, Index, Index]
) -> list[str]:
    """The addresses under a row of the filter; `position` is (channel, y, x, the filter's row)."""
    lanes, (channel, y, x, r) = fn.target.lanes, position
    index = fn.add(
        fn.times(channel, view.channel * lanes),
        fn.times(y, node.stride[0] * view.row * lanes),
        fn.times(x, node.stride[1] * view.pixel * lanes),
        fn.times(r, node.dilation[0] * view.row * lanes),
    )
    start = fn.at(view.space, index, view.at(0, -node.padding[0], -node.padding[1]) * lanes)
    step = node.dilation[1] * view.pixel * lanes
    return [fn.at(start, 0, k * step) for k in range(node.kernel[1])]


def _quotient(fn: Function, index: str, by: int) -> str | int:
    return index if by == 1 else fn.value(f"sdiv i64 {index}, {by}")
