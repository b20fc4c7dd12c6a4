"""What all functions of a network have in common while they are written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from convscope.lanes.activation import ActivationSpec
from convscope.lanes.graph import Convolution, Dropout, Image, Node
from convscope.lanes.ir import Function, Regions, Target
from convscope.lanes.memory import KEPT, WORKSPACE, Halo, View
from convscope.lanes.outer_product import OuterProduct
from convscope.lanes.pointwise import (
    Drop,
    write_activation_back,
    write_dropout,
    write_halo,
)
from convscope.lanes.stages import HEAD, Direction, Plan, Stage
from convscope.lanes.weights import write_zeros
from convscope.lanes.winograd import write_filters


@dataclass(frozen=True)
class NormOffsets:
    """Where a batch norm's numbers begin: weight and bias among the parameters, None where it has
    none, and its mean among the running statistics, of layer `number`.
    """

    number: int
    running: int
    weight: int | None
    bias: int | None


@dataclass
class Code:
    """The functions, and which are called: before the micro-batches of a step, in each (`forward`,
    then the loss, then `backward`), and after them.

    `segments` are the same functions, cut where the step waits for the whole batch, with those that
    are called again or that only learning needs; `openings` what each thread calls before the
    micro-batches of each segment, and `openings_at_rest` where nothing is learnt; `starts` and
    `ends` are called before and after the micro-batches too, with the usual arguments. `kept_size`
    are the vectors that a micro-batch keeps from segment to segment.

    `at_rest` are functions that take the place of others where nothing is learnt; `logits` the
    vector of the workspace where they begin, and how many; `size` a workspace's vectors.
    """

    functions: list[Function] = field(default_factory=list[Function])
    before: list[str] = field(default_factory=list[str])
    forward: list[str] = field(default_factory=list[str])
    backward: list[str] = field(default_factory=list[str])
    after: list[str] = field(default_factory=list[str])
    at_rest: dict[str, str] = field(default_factory=dict[str, str])
    segments: list[list[str]] = field(default_factory=list[list[str]])
    openings: list[list[str]] = field(default_factory=list[list[str]])
    starts: list[list[str]] = field(default_factory=list[list[str]])
    ends: list[list[str]] = field(default_factory=list[list[str]])
    openings_at_rest: list[str] = field(default_factory=list[str])
    logits: tuple[int, int] = (0, 0)
    kept_size: int = 0
    size: int = 0

    @property
    def text(self) -> str:
        return "".join(function.text for function in self.functions)

    @property
    def touching_kept(self) -> set[str]:
        """The functions that are given what a micro-batch keeps."""
        return {function.name for function in self.functions if function.touches_kept}


class Writing:
    """The plan, the code so far, and what the function that is written may touch."""

    def __init__(
        self,
        plan: Plan,
        offsets: dict[str, tuple[int, int | None]],
        target: Target,
        norms: dict[str, NormOffsets],
    ) -> None:
        self.plan, self.offsets, self.target, self.norms = plan, offsets, target, norms
        self.code = Code(size=plan.size, kept_size=plan.kept_size)
        self.segment = -1
        self.made: dict[int, list[str]] = {}  # what computes a value
        self.current: set[int] = set()  # values that this segment computed
        self.written: set[int] = set()  # gradients that hold something
        self.settled: set[int] = set()  # gradients that went through their activation already
        self.regions: Regions = {}

    def _add(self, when: str, *functions: Function) -> None:
        for function in functions:
            self._keep(function)
            getattr(self.code, when).append(function.name)
            if when in ("forward", "backward"):
                self.code.segments[-1].append(function.name)

    def _enter(self, segment: int) -> None:
        """From now on functions belong to this segment, the same or the next."""
        if segment == self.segment:
            return
        self.segment = segment
        self.code.segments.append([])
        self.code.openings.append([])
        self.code.starts.append([])
        self.code.ends.append([])
        self.current.clear()

    def _learn(self, function: Function) -> None:
        """A function that only learning calls."""
        self._keep(function)
        self.code.segments[-1].append(function.name)

    def _again(self, values: Iterable[int]) -> None:
        """What is needed of those values that every segment computes for itself."""
        for value in sorted(values):
            if value in self.plan.recomputed and value not in self.current:
                self.current.add(value)
                self.code.segments[-1] += self.made[value]

    def _keep(self, function: Function) -> None:
        function.regions = self.regions
        self.code.functions.append(function)

    def _touches(self, offsets: dict[str, Sequence[int]], *, head: bool = False) -> None:
        """From now on functions may touch these `values` and `gradients`, and the head."""
        plan, lanes = self.plan, self.target.lanes
        buffer = [plan.values[place] for place in offsets.get("values", ())]
        buffer += [plan.gradients[p] for p in offsets.get("gradients", ()) if p in plan.gradients]
        self.regions = {WORKSPACE: [], KEPT: []}
        for one in buffer:
            self.regions[one.space].append((one.start * lanes, (one.start + one.size) * lanes))
        self.regions[WORKSPACE] += [(0, HEAD * lanes)] if head else []

    def _touches_weights(self, node: Node, value: int) -> None:
        """And a convolution's weights and biases, their gradients, and what is reserved for it."""
        if not isinstance(node, Convolution):
            return
        weights, bias = self.offsets[node.name]
        lanes, count = self.target.lanes, node.weight.numel()
        floats = [(weights, weights + count)]
        if bias is not None and node.bias is not None:
            floats.append((bias, bias + node.bias.numel()))
        self.regions["%P"] = self.regions["%G"] = floats
        if value in self.plan.vectors:
            start = self.plan.vectors[value]
            self.regions["%ws"].append((start * lanes, (start + count) * lanes))
        for kind in ("forward", "input", "weights", "products"):
            if scratch := self.plan.scratch_buffers.get((kind, value)):
                self.regions["%ws"].append(
                    (scratch.start * lanes, (scratch.start + scratch.size) * lanes)
                )
            if (start := self.plan.filters.get((kind, value))) is not None:
                floats = self.plan.tilings[kind, value].filters
                self.regions["%ws"].append((start * lanes, start * lanes + floats))
        if value in self.plan.scratch:
            start, outs = self.plan.scratch[value], node.shape[0]
            scratch = OuterProduct.scratch_floats(count // outs, outs, lanes)
            self.regions["%ws"].append((start * lanes, (start + scratch) * lanes))

    def _filters(self, direction: Direction) -> int:
        """Where in the workspace the transformed filters of a convolution begin, in floats."""
        kind, value = direction
        node, tiling = self.plan.stages[value].node, self.plan.tilings[direction]
        start = self.plan.filters[direction] * self.target.lanes
        self._add(
            "before",
            write_filters(
                f"filters{value}_{kind}",
                self.target,
                tiling,
                weights=self.offsets[node.name][0],
                turned=kind == "input",
                filters=start,
            ),
        )
        return start

    def _act_back(self, stage: Stage, act: ActivationSpec) -> None:
        """The gradient of an activation's results becomes that of its sums."""
        results, gradient = (
            held[stage.value].view for held in (self.plan.values, self.plan.gradients)
        )
        name, shape = f"back{stage.value}_act", stage.node.shape
        function = write_activation_back(name, self.target, shape, act, results, gradient)
        self._add("backward", function)

    def _halo(self, name: str, halo: Halo, value: int, *, gradient: bool) -> list[Function]:
        """Zeros for a halo, since its memory is shared with others."""
        if halo.is_empty:
            return []
        buffer = (self.plan.gradients if gradient else self.plan.values)[value]
        return [write_halo(name, self.target, buffer)]

    def _channels(self, stage: Stage) -> int:
        return self.plan.stages[stage.inputs[0]].node.shape[0]

    def _wants(self, source: int) -> bool:
        return not isinstance(self.plan.stages[source].node, Image)

    def _into(self, source: int) -> tuple[View, bool]:
        """Where the gradient of an input is written, and whether it is added to what is there."""
        adds = source in self.written
        if not adds:
            buffer = self.plan.gradients[source]
            self._add(
                "backward",
                *self._halo(f"halo{source}", buffer.halo, source, gradient=True),
            )
        self.written.add(source)
        return self.plan.gradients[source].view, adds

    def _zeroed(self, name: str, source: int) -> View:
        """An input's gradient, to which everything is added."""
        into, adds = self._into(source)
        if not adds:
            buffer = self.plan.gradients[source]
            self._add(
                "backward",
                write_zeros(
                    f"{name}_zero",
                    self.target,
                    start=buffer.start,
                    count=buffer.size,
                    space=buffer.space,
                ),
            )
        return into

    def _dropout(
        self, name: str, stage: Stage, source: View, dest: View, *, adds: bool
    ) -> Function:
        node = stage.node
        assert isinstance(node, Dropout)
        drop = Drop(share=node.share, maps=node.maps, number=stage.value)
        return write_dropout(name, self.target, node.shape, drop, source, dest, adds=adds)


def window_of(node: Convolution, source: View) -> View:
    """The inputs as a convolution's windows begin in them: padded, and strides apart."""
    return source.moved(-node.padding[0], -node.padding[1], stride=node.stride)
