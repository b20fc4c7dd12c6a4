"""Gradients of dense weights: an outer product for every image, the inputs in the lanes."""

from dataclasses import dataclass

from convscope.lanes.ir import Function, Index, Target, blocks
from convscope.lanes.memory import Buffer


@dataclass(frozen=True, kw_only=True)
class OuterProduct:
    """A dense layer's: G[weights + o·ins + i] += Σ_images gradient[o] · input[i].

    Inputs and gradients are vectors one after another; `scratch` are vectors for both, transposed:
    images down, units in the lanes.
    """

    inputs: Buffer
    ins: int
    gradients: Buffer
    outs: int
    weights: int
    scratch: int

    @staticmethod
    def scratch_floats(ins: int, outs: int, lanes: int) -> int:
        """Vectors that the scratch takes."""
        return _whole(ins, lanes) + _whole(outs, lanes)


def _whole(count: int, lanes: int) -> int:
    return -(-count // lanes) * lanes


def write_outer_product(name: str, target: Target, spec: OuterProduct) -> Function:
    fn, lanes = Function(name, target), target.lanes
    tile_columns, high = _whole(spec.ins, lanes), _whole(spec.outs, lanes)
    turned, grads = spec.scratch * lanes, (spec.scratch + tile_columns) * lanes
    _turn(fn, spec.inputs, spec.ins, turned, tile_columns)
    _turn(fn, spec.gradients, spec.outs, grads, high)
    many = spec.ins // lanes
    if many:
        across = 6 if target.registers > 16 else 3
        for o_start, o_turns, outs in blocks(spec.outs, 4):
            with fn.loop(o_turns) as o_turn:
                o = fn.add(fn.times(o_turn, outs), o_start)
                for i_start, i_turns, size in blocks(many, across):
                    with fn.loop(i_turns) as i_turn:
                        i = fn.times(fn.add(fn.times(i_turn, size), i_start), lanes)
                        _outer_tile(fn, spec, o, outs, i, size, turned, grads, tile_columns, high)
    if spec.ins % lanes:
        _outer_rest(fn, spec, many * lanes, turned, grads, tile_columns, high)
    return fn


def _turn(fn: Function, source: Buffer, count: int, dest: int, tile_columns: int) -> None:
    """Vectors of units over images become rows of images over units."""
    lanes = fn.target.lanes
    for start, end in ((0, count // lanes * lanes), (count // lanes * lanes, count)):
        if start == end:
            continue
        step = min(lanes, end - start)
        with fn.loop(end, start=start, step=step) as i:
            position = fn.at(source.space, fn.times(i, lanes), source.start * lanes)
            vectors = [fn.load(fn.at(position, 0, k * lanes)) for k in range(step)]
            vectors += [fn.constant(0)] * (lanes - step)
            turned = fn.at("%ws", i, dest)
            for k, vector in enumerate(transposed(fn, vectors)):
                fn.store(vector, fn.at(turned, 0, k * tile_columns))


def _outer_tile(
    fn: Function,
    spec: OuterProduct,
    o: Index,
    outs: int,
    i: Index,
    size: int,
    turned: int,
    grads: int,
    tile_columns: int,
    high: int,
) -> None:
    lanes = fn.target.lanes
    held = fn.at("%G", fn.add(fn.times(o, spec.ins), i), spec.weights)
    x, d = fn.at("%ws", i, turned), fn.at("%ws", o, grads)
    sums = [
        [fn.load(fn.at(held, 0, j * spec.ins + q * lanes), align=4) for q in range(size)]
        for j in range(outs)
    ]
    for k in range(lanes):
        values = [fn.load(fn.at(x, 0, k * tile_columns + q * lanes)) for q in range(size)]
        for j in range(outs):
            grad = fn.spread(fn.at(d, 0, k * high + j))
            for q in range(size):
                sums[j][q] = fn.fma(grad, values[q], sums[j][q])
    for j in range(outs):
        for q in range(size):
            fn.store(sums[j][q], fn.at(held, 0, j * spec.ins + q * lanes), align=4)


def _outer_rest(
    fn: Function,
    spec: OuterProduct,
    first: int,
    turned: int,
    grads: int,
    tile_columns: int,
    high: int,
) -> None:
    """The inputs that fill no vector, one number after another."""
    lanes = fn.target.lanes
    with fn.loop(spec.outs) as o:
        d = fn.at("%ws", o, grads)
        values = fn.constant(0)
        for k in range(lanes):
            grad = fn.spread(fn.at(d, 0, k * high))
            values = fn.fma(grad, fn.load(fn.at("%ws", first, turned + k * tile_columns)), values)
        held = fn.at("%G", fn.times(o, spec.ins), spec.weights + first)
        for q in range(spec.ins - first):
            number = fn.value(f"extractelement {fn.vector} {values}, i64 {q}")
            fn.add_to(fn.at(held, 0, q), number)


def transposed(fn: Function, vectors: list[str]) -> list[str]:
    """As many vectors as lanes: lane a of vector b becomes lane b of vector a."""
    n, v = len(vectors), fn.vector
    half = n // 2
    low = ", ".join(f"i32 {j // 2 + (n if j % 2 else 0)}" for j in range(n))
    high = ", ".join(f"i32 {half + j // 2 + (n if j % 2 else 0)}" for j in range(n))
    for _ in range(
        n.bit_length() - 1
    ):  # a perfect shuffle, as often as the number of lanes has bits
        shuffled: list[str] = []
        for one, two in zip(vectors[:half], vectors[half:], strict=True):
            for order in (low, high):
                mask = f"<{n} x i32> <{order}>"
                shuffled.append(fn.value(f"shufflevector {v} {one}, {v} {two}, {mask}"))
        vectors = shuffled
    return vectors
