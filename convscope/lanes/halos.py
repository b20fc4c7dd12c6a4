"""How many zeros the windows of other layers need around volumes and gradients."""

from convscope.lanes.graph import Convolution, Image, Shape
from convscope.lanes.memory import Halo
from convscope.lanes.stages import Plan, Stage
from convscope.lanes.stride_phases import stride_phases


def value_halo(plan: Plan, value: int) -> Halo:
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


def gradient_halo(plan: Plan, stage: Stage) -> Halo:
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
