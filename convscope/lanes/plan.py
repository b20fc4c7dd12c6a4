"""What is computed in which order, and where every volume and gradient lies meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from convscope.lanes.activation import ActivationSpec
from convscope.lanes.graph import Activation, Convolution, Image, Node, Pool, Shape, Sum
from convscope.lanes.memory import Buffer, Halo
from convscope.lanes.stride_phases import stride_phases
from convscope.lanes.tiling import SIDE, Tiling

HEAD = 8
"""Vectors at the beginning of a workspace that hold the losses, labels and so on."""
Direction = tuple[str, int]
"""Forward, or back to the input or the weights, through the stage of a value."""


@dataclass(frozen=True)
class Stage:
    """A node and the activation that is done on its result at once; `value` is the last place."""

    node: Node
    act: ActivationSpec | None
    inputs: tuple[int, ...]
    value: int


@dataclass
class LiveRange:
    """A volume or a gradient: from which step to which it must not be overwritten."""

    shape: Shape
    halo: Halo
    first: int
    last: int


@dataclass
class Plan:
    """`stages` by their values' places; the buffers of `values` and `gradients`; `size` in vectors.

    `users` are the places of the stages that read a value. `vectors` is for each convolution where
    its weights' gradients are held as vectors; None where they are added up at once. `tilings` are
    the sums that are computed by tiles, `filters` where their transformed filters are held, and
    `scratch_buffers` what they need meanwhile.
    """

    stages: dict[int, Stage]
    users: dict[int, list[int]]
    values: dict[int, Buffer] = field(default_factory=dict[int, Buffer])
    gradients: dict[int, Buffer] = field(default_factory=dict[int, Buffer])
    scratch: dict[int, int] = field(default_factory=dict[int, int])
    vectors: dict[int, int] = field(default_factory=dict[int, int])
    tilings: dict[Direction, Tiling] = field(default_factory=dict["Direction", Tiling])
    filters: dict[Direction, int] = field(default_factory=dict["Direction", int])
    scratch_buffers: dict[Direction, Buffer] = field(default_factory=dict["Direction", Buffer])
    size: int = 0

    @property
    def order(self) -> list[int]:
        return sorted(self.stages)


def stages_of(nodes: Sequence[Node]) -> Plan:
    """Nodes with the activations that alone follow them."""
    readers: dict[int, list[int]] = {index: [] for index in range(len(nodes))}
    for index, node in enumerate(nodes):
        for input_value in node.inputs:
            readers[input_value].append(index)
    renamed = list(range(len(nodes)))
    stages: dict[int, Stage] = {}
    fused: set[int] = set()
    for index, node in enumerate(nodes):
        if index in fused:
            continue
        act, value = None, index
        following = readers[index]
        after = nodes[following[0]] if len(following) == 1 else None
        fuses = isinstance(node, Convolution | Sum)
        if isinstance(after, Activation) and fuses:
            act, value = ActivationSpec(after.kind, after.numbers), following[0]
            renamed[index] = value
            fused.add(value)
        if isinstance(node, Activation):
            act = ActivationSpec(node.kind, node.numbers)
        inputs = tuple(renamed[input_value] for input_value in node.inputs)
        stages[value] = Stage(node, act, inputs, value)
    users: dict[int, list[int]] = {value: [] for value in stages}
    for value, stage in stages.items():
        for input_value in stage.inputs:
            users[input_value].append(value)
    return Plan(stages, users)


def make_plan(nodes: Sequence[Node], *, lanes: int, tiles: bool = True) -> Plan:
    """Stages, and memory for all that they need: reused as soon as it is free.

    Without `tiles` every convolution is computed as it is written.
    """
    plan = stages_of(nodes)
    plan.tilings = _tilings(plan) if tiles else {}
    start = HEAD
    for value, stage in plan.stages.items():
        node = stage.node
        if isinstance(node, Convolution):
            start = _reserve(plan, value, node, start, lanes)
    for direction, tiling in plan.tilings.items():
        if direction[0] != "weights":
            plan.filters[direction] = start
            start += -(-tiling.filters // lanes)
    buffers, plan.size = _placed(_live_ranges(plan), start)
    volumes = {"value": plan.values, "gradient": plan.gradients}
    for (kind, value), buffer in buffers.items():
        if kind in volumes:
            volumes[kind][value] = buffer
        else:
            plan.scratch_buffers[kind, value] = buffer
    return plan


def _live_ranges(plan: Plan) -> dict[tuple[str, int], LiveRange]:
    """The steps during which values, gradients and the scratch memory of tiles are needed."""
    order = plan.order
    forward = {value: step for step, value in enumerate(order)}
    backward = {value: 2 * len(order) - step for value, step in forward.items()}
    live_ranges: dict[tuple[str, int], LiveRange] = {}
    for value, stage in plan.stages.items():
        ends = [forward[user] for user in plan.users[value]]
        ends += [backward[user] for user in plan.users[value] if _reads_input(plan.stages[user])]
        ends += [backward[value]] if stage.act or isinstance(stage.node, Pool) else []
        if not plan.users[value]:
            ends.append(len(order))
        halo = _value_halo(plan, value)
        live_ranges["value", value] = LiveRange(stage.node.shape, halo, forward[value], max(ends))
        if not isinstance(stage.node, Image):
            starts = [backward[user] for user in plan.users[value]] or [len(order)]
            halo = _gradient_halo(plan, stage)
            live_ranges["gradient", value] = LiveRange(
                stage.node.shape, halo, min(starts), backward[value]
            )
    for direction, tiling in plan.tilings.items():
        kind, value = direction
        scratch = tiling.scratch_for_weights if kind == "weights" else tiling.scratch
        step = forward[value] if kind == "forward" else backward[value]
        live_ranges[direction] = LiveRange((scratch, 1, 1), Halo(), step, step)
    return live_ranges


def _tilings(plan: Plan) -> dict[Direction, Tiling]:
    """The convolutions, and the ways through them, that tiles make faster."""
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
        if forward.cycles_for_weights < forward.plain_cycles:
            found["weights", value] = forward
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
    if node.local:
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


def _reads_input(stage: Stage) -> bool:
    """Whether the way back through a stage reads what went in."""
    return isinstance(stage.node, Convolution) or (
        isinstance(stage.node, Pool) and stage.node.kind != "mean"
    )


def _value_halo(plan: Plan, value: int) -> Halo:
    """As many zeros around a volume as the convolutions that read it pad."""
    halo = Halo()
    shape = plan.stages[value].node.shape
    for user in plan.users[value]:
        node = plan.stages[user].node
        if isinstance(node, Convolution):
            halo = halo.union(_padding(node, shape))
    return halo


def _padding(node: Convolution, shape: Shape) -> Halo:
    after = [
        max(
            0,
            (node.shape[1 + axis] - 1) * node.stride[axis]
            + (node.kernel[axis] - 1) * node.dilation[axis]
            - node.padding[axis]
            - shape[1 + axis]
            + 1,
        )
        for axis in (0, 1)
    ]
    return Halo(node.padding[0], node.padding[1], after[0], after[1])


def _gradient_halo(plan: Plan, stage: Stage) -> Halo:
    """As many zeros around a gradient as the way back to the input reads beyond its edges.

    A locally connected layer that pads writes there what belongs to its padding.
    """
    node, halo = stage.node, Halo()
    for user in plan.users[stage.value]:
        after = plan.stages[user].node
        if isinstance(after, Convolution) and after.local:
            halo = halo.union(_padding(after, node.shape))
    if not isinstance(node, Convolution) or node.local or node.dense:
        return halo
    source = plan.stages[stage.inputs[0]].node
    if isinstance(source, Image):
        return halo
    reach = [_reach(node, axis, source.shape[1 + axis]) for axis in (0, 1)]
    return halo.union(Halo(reach[0][0], reach[1][0], reach[0][1], reach[1][1]))


def _reach(node: Convolution, axis: int, side: int) -> tuple[int, int]:
    """How far the units that an input took part in lie outside, before and after."""
    low, high = 0, node.shape[1 + axis] - 1
    for phase in stride_phases(node, axis, side):
        for tap in phase.taps:
            first = phase.unit + tap[0]
            low, high = min(low, first), max(high, first + phase.count - 1)
    return -low, high - node.shape[1 + axis] + 1


def _placed(
    live_ranges: dict[tuple[str, int], LiveRange], start: int
) -> tuple[dict[tuple[str, int], Buffer], int]:
    """Buffers, largest first, each at the lowest address that is free for its live range."""
    placed: dict[tuple[str, int], tuple[Buffer, LiveRange]] = {}
    end = start
    sizes = {
        key: Buffer(0, live_range.shape, live_range.halo).size
        for key, live_range in live_ranges.items()
    }
    for key in sorted(live_ranges, key=lambda key: (-sizes[key], key)):
        live_range, size = live_ranges[key], sizes[key]
        taken = sorted(
            (other.start, other.start + other.size)
            for other, theirs in placed.values()
            if theirs.first <= live_range.last and live_range.first <= theirs.last
        )
        at = start
        for low, high in taken:
            if at + size <= low:
                break
            at = max(at, high)
        placed[key] = (Buffer(at, live_range.shape, live_range.halo), live_range)
        end = max(end, at + size)
    return {key: buffer for key, (buffer, _) in placed.items()}, end
