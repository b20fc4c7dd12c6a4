"""A network's training step as machine code, which engines of equal networks share."""

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from convscope.lanes.codegen import write_network
from convscope.lanes.frontend import read_network
from convscope.lanes.graph import BatchNorm, Convolution, Node, Shape
from convscope.lanes.ir import Target
from convscope.lanes.jit import compile_module, host_target
from convscope.lanes.running_statistics import norm_offsets
from convscope.lanes.step import Rule, work_phases, write_step
from convscope.lanes.threads import ThreadPool, openmp, write_teams

SGD = Rule("sgd")


class Program:
    """The code of the steps of `net` and of every network with the same layers.

    `row` are the bytes from one row of an image to the next, `tiles` and `turns` as in `make_plan`.
    Of the results, `count` are the floats of all parameters, `vectors` is the size of a thread's
    workspace, `kept_vectors` of what a micro-batch keeps, `work` are the phases of a step before
    `fold`, and `drops` says whether it needs random bits.

    Raises Unsupported for a network that the engine does not cover.
    """

    def __init__(
        self,
        net: nn.Module,
        shape: Shape,
        *,
        rule: Rule = SGD,
        target: Target | None = None,
        row: int | None = None,
        cache: Path | None = None,
        with_openmp: bool = True,
        tiles: bool = True,
        turns: bool = True,
    ) -> None:
        nodes = read_network(net, shape)
        self.shape, self.classes = shape, nodes[-1].shape[0]
        self.target = target or host_target()
        self.row = shape[2] * shape[0] if row is None else row
        begins, self.count = offsets_of(list(net.parameters()))
        self.norms = [node for node in nodes if isinstance(node, BatchNorm)]
        code = write_network(
            nodes,
            layer_offsets(nodes, begins),
            self.target,
            row=self.row,
            tiles=tiles,
            turns=turns,
            norms=norm_offsets(self.norms, begins),
        )
        self.vectors, self.drops = code.size, bool(code.at_rest)
        self.kept_vectors = code.kept_size
        self.work = work_phases(code)
        phases = [*self.work, "fold", "update", "look"]
        has_team = with_openmp and openmp() is not None
        text = write_step(code, self.target, rule) + (write_teams(phases) if has_team else "")
        self.compiled = compile_module(text, cache=cache)
        names = [*phases, *(f"team_{phase}" for phase in phases if has_team)]
        address = {name: self.compiled.address(name) for name in names}
        self.pool = ThreadPool(address, phases, with_openmp=has_team)
        self.outside = {
            function.name: self.compiled.number(function.counter)
            for function in code.functions
            if function.counter is not None
        }


def offsets_of(weights: list[nn.Parameter]) -> tuple[dict[nn.Parameter, int], int]:
    """Where each begins when they lie one behind the other, and how many numbers all are."""
    begins: dict[nn.Parameter, int] = {}
    count = 0
    for weight in weights:
        begins[weight] = count
        count += weight.numel()
    return begins, count


def layer_offsets(
    nodes: Sequence[Node], begins: dict[nn.Parameter, int]
) -> dict[str, tuple[int, int | None]]:
    """Where weights and biases of the convolutions begin, by their names."""
    return {
        node.name: (begins[node.weight], None if node.bias is None else begins[node.bias])
        for node in nodes
        if isinstance(node, Convolution)
    }
