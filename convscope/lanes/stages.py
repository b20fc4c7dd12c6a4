"""What is computed together, in which segment, and where volumes and gradients lie meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from convscope.lanes.activation import ActivationSpec
from convscope.lanes.graph import Activation, BatchNorm, Convolution, Node, Pool, Sum
from convscope.lanes.memory import Buffer
from convscope.lanes.tiling import Tiling

HEAD = 8
"""Vectors at the beginning of a workspace that hold the losses, labels and so on."""
ROWS = 6
"""Numbers that a thread holds for every channel of a batch norm: see `batch_norm.py`."""
SUMS = 5
"""Vectors of sums that a micro-batch keeps for every channel of a batch norm."""
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
class Plan:
    """`stages` by their values' places; the buffers of `values` and `gradients`; `size` in vectors.

    `users` are the places of the stages that read a value. A step is cut into segments where it
    waits for the whole batch: `forward_segment` and `backward_segment` say in which a stage is, and
    `segments` how many there are. `recomputed` are values that are made anew in every segment that
    reads them, `by_maps` convolutions whose filters' gradients `filter_products` computes, so many
    tiles at once, with sums in the scratch memory `products`, and `shared` values whose gradient is
    another's. `kept_size` are the vectors that a micro-batch keeps between segments, `tables` (in
    floats of the workspace) and `sums` (in vectors of what is kept) where a batch norm's numbers
    lie. `vectors` is for each convolution where
    its weights' gradients are held as vectors; None where they are added up at once. `tilings` are
    the sums that are computed by tiles, `filters` where their transformed filters are held, and
    `scratch_buffers` what they need meanwhile.
    """

    stages: dict[int, Stage]
    users: dict[int, list[int]]
    forward_segment: dict[int, int] = field(default_factory=dict[int, int])
    backward_segment: dict[int, int] = field(default_factory=dict[int, int])
    segments: int = 1
    recomputed: frozenset[int] = frozenset()
    by_maps: dict[int, int] = field(default_factory=dict[int, int])
    shared: dict[int, int] = field(default_factory=dict[int, int])
    kept_size: int = 0
    tables: dict[int, int] = field(default_factory=dict[int, int])
    sums: dict[int, int] = field(default_factory=dict[int, int])
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

    def reads_back(self, value: int) -> set[int]:
        """The values that the way back through a stage reads."""
        stage = self.stages[value]
        node, found = stage.node, set[int]()
        if isinstance(node, Convolution | BatchNorm) or (
            isinstance(node, Pool) and node.kind != "mean"
        ):
            found |= {*stage.inputs}
        if isinstance(node, Pool) or (stage.act and not isinstance(node, BatchNorm)):
            found.add(value)
        activated = (at for at in stage.inputs if self.stages[at].act)
        return found | {at for at in activated if min(self.users[at]) == value}


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
        fuses = isinstance(node, Convolution | Sum | BatchNorm)
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
    plan = Plan(stages, users)
    _cut(plan)
    return plan


def _cut(plan: Plan) -> None:
    """Into segments: a batch norm and its way back need sums of the whole batch before."""
    now = 0
    for value in plan.order:
        stage = plan.stages[value]
        norm = isinstance(stage.node, BatchNorm)
        if norm and plan.forward_segment[stage.inputs[0]] == now:
            now += 1
        plan.forward_segment[value] = now
    for value in reversed(plan.order):
        norm = isinstance(plan.stages[value].node, BatchNorm)
        if norm and plan.backward_segment[min(plan.users[value])] == now:
            now += 1
        plan.backward_segment[value] = now
    plan.segments = now + 1
    norms = {v for v, stage in plan.stages.items() if isinstance(stage.node, BatchNorm)}
    plan.recomputed = frozenset(v for v in norms if norms.isdisjoint(plan.users[v]))
