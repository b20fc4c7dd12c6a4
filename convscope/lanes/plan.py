"""What is computed in which order, and where every volume and gradient lies meanwhile."""

from collections.abc import Sequence

from convscope.lanes.graph import BatchNorm, Convolution, Image, Node
from convscope.lanes.live_ranges import Key, LiveRange, live_ranges, placed
from convscope.lanes.memory import KEPT, Buffer
from convscope.lanes.shared_gradients import shared_gradients
from convscope.lanes.stages import HEAD, ROWS, SUMS, Direction, Plan, stages_of
from convscope.lanes.tiling import SIDE, Tiling


def make_plan(nodes: Sequence[Node], *, lanes: int, tiles: bool = True, turns: bool = True) -> Plan:
    """Stages, and memory for all that they need: reused as soon as it is free.

    Without `tiles` every convolution is computed as it is written; without `turns` no gradient of a
    filter is computed with maps in the lanes.
    """
    plan = stages_of(nodes)
    plan.tilings = _tilings(plan, lanes, turns=turns) if tiles else {}
    plan.shared = shared_gradients(plan) if plan.segments > 1 else {}
    start = HEAD
    for value, stage in plan.stages.items():
        node = stage.node
        if isinstance(node, Convolution):
            start = _reserve(plan, value, node, start, lanes)
        elif isinstance(node, BatchNorm):
            plan.tables[value] = start * lanes
            start += -(-ROWS * node.shape[0] // lanes)
    for direction, tiling in plan.tilings.items():
        if direction[0] != "weights":
            plan.filters[direction] = start
            start += -(-tiling.filters // lanes)
    ranges = live_ranges(plan, lanes)
    own = {key: one for key, one in ranges.items() if one.space == KEPT}
    buffers, plan.size = placed({k: ranges[k] for k in ranges.keys() - own.keys()}, start)
    if plan.segments > 1:
        buffers |= _kept(plan, own)
    volumes = {"value": plan.values, "gradient": plan.gradients}
    for (kind, value), buffer in buffers.items():
        if kind in volumes:
            volumes[kind][value] = buffer
        else:
            plan.scratch_buffers[kind, value] = buffer
    plan.gradients |= {value: plan.gradients[root] for value, root in plan.shared.items()}
    return plan


def _kept(plan: Plan, own: dict[Key, LiveRange]) -> dict[Key, Buffer]:
    """Room in a micro-batch's own memory: its head, the sums of batch norms, and volumes."""
    start = HEAD
    for value in plan.tables:
        plan.sums[value] = start
        start += SUMS * plan.stages[value].node.shape[0]
    buffers, plan.kept_size = placed(own, start)
    return buffers


def _tilings(plan: Plan, lanes: int, *, turns: bool) -> dict[Direction, Tiling]:
    """The convolutions, and the ways through them, that tiles make faster.

    Those whose weights' gradients are fastest with maps in the lanes are added to `plan.by_maps`.
    """
    found: dict[Direction, Tiling] = {}
    for value, stage in plan.stages.items():
        node = stage.node
        if not isinstance(node, Convolution) or not _moves_by_one(node):
            continue
        input_value = plan.stages[stage.inputs[0]].node
        (outs, height, width), ins = node.shape, input_value.shape[0]
        products = height * width * node.kernel[0] ** 2
        forward = Tiling(node.kernel[0], height, width, outs, ins, products)
        if forward.cycles < forward.plain_cycles:
            found["forward", value] = forward
        by_maps, in_a_row = turns and ins % lanes == 0, forward.in_a_row
        if plan.segments == 1:  # else the sums of a whole segment are transformed back at once
            by_maps = by_maps and forward.cycles_by_maps < forward.cycles_for_weights
            in_a_row = forward.in_a_row_by_maps(lanes)
        cycles = forward.cycles_by_maps if by_maps else forward.cycles_for_weights
        if cycles < forward.plain_cycles:
            found["weights", value] = forward
            if by_maps:
                plan.by_maps[value] = in_a_row
        back = Tiling(node.kernel[0], *input_value.shape[1:], ins, outs, products)
        if back.cycles < back.plain_cycles and not isinstance(input_value, Image):
            found["input", value] = back
    return found


def _moves_by_one(node: Convolution) -> bool:
    """Whether a convolution can be tiled: square, dense in its maps, without gaps."""
    r = node.kernel[0]
    plain = node.stride == node.dilation == (1, 1) and node.groups == 1
    return plain and node.kernel == (r, r) and 1 < r < SIDE and not node.local and not node.dense


def _reserve(plan: Plan, value: int, node: Convolution, start: int, lanes: int) -> int:
    """Room that is nobody else's: sums of weight gradients, scratch of dense layers."""
    count = node.weight.numel()
    if node.local or value in plan.by_maps:
        return start
    if node.dense:
        plan.scratch[value] = start
        ins = count // node.shape[0]
        return start + -(-ins // lanes) * lanes + -(-node.shape[0] // lanes) * lanes
    if count * lanes * 4 <= _HELD_BYTES:
        plan.vectors[value] = start
        return start + count
    return start


_HELD_BYTES = 96 << 10  # of weight gradients that are kept as vectors
