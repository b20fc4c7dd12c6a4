"""Batch norm among the functions of a network: what is computed where, forward and back."""

from convscope.lanes.batch_norm import (
    Norm,
    write_gradient_sums,
    write_normalize,
    write_statistics,
)
from convscope.lanes.batch_statistics import (
    BatchStatistics,
    write_rest,
    write_scale,
)
from convscope.lanes.direct_conv import Epilogue
from convscope.lanes.graph import BatchNorm
from convscope.lanes.ir import Function
from convscope.lanes.memory import KEPT, WORKSPACE
from convscope.lanes.stages import HEAD, ROWS, SUMS, Stage
from convscope.lanes.writing import Writing


class Norms(Writing):
    """Writes batch norm's functions."""

    def _norm(self, value: int) -> Norm:
        shape = self.plan.stages[value].node.shape
        return Norm(shape=shape, table=self.plan.tables[value], sums=self.plan.sums[value])

    def _statistics(self, stage: Stage) -> BatchStatistics:
        node = stage.node
        assert isinstance(node, BatchNorm)
        found = self.norms[node.name]
        return BatchStatistics(
            norm=self._norm(stage.value),
            number=found.number,
            running=found.running,
            eps=node.eps,
            weight=found.weight,
            bias=found.bias,
        )

    def _opening(self, function: Function, stage: Stage) -> None:
        """What a thread computes from the sums of all, which lie behind one another."""
        channels, spec = stage.node.shape[0], self._statistics(stage)
        self.regions = {
            WORKSPACE: [self._table(stage.value)],
            "%P": [(at, at + channels) for at in (spec.weight, spec.bias) if at is not None],
            "%running": [(spec.running, spec.running + 2 * channels)],
            "%kept": [(0, 1 << 48)],  # as long as there are micro-batches
        }
        self.regions["%G"] = self.regions["%P"]
        self._keep(function)

    def _table(self, value: int) -> tuple[int, int]:
        """The floats of the workspace that a batch norm's numbers take."""
        start = self.plan.tables[value]
        return start, start + ROWS * self.plan.stages[value].node.shape[0]

    def _touches_norm(self, value: int) -> None:
        """The functions that are written next may touch a batch norm's numbers and sums."""
        lanes, start = self.target.lanes, self.plan.sums[value]
        end = start + SUMS * self.plan.stages[value].node.shape[0]
        self.regions[WORKSPACE] += [(0, HEAD * lanes), self._table(value)]
        self.regions[KEPT].append((start * lanes, end * lanes))

    def _normalize(self, name: str, stage: Stage) -> None:
        plan, target = self.plan, self.target
        spec = self._statistics(stage)
        function = write_scale(f"scale{stage.value}", target, spec)
        self._opening(function, stage)
        self.code.openings[-1].append(function.name)
        function = write_rest(f"rest{stage.value}", target, spec)
        self._opening(function, stage)
        self.code.openings_at_rest.append(function.name)
        self._touches({"values": (*stage.inputs, stage.value)})
        self._touches_norm(stage.value)
        source, dest = plan.values[stage.inputs[0]].view, plan.values[stage.value].view
        finish = Epilogue(act=stage.act)
        self._add("forward", write_normalize(name, target, spec.norm, source, dest, finish))

    def _sums_forward(self, value: int) -> None:
        """The sums of a value that batch norms read."""
        for user in self.plan.users[value]:
            if isinstance(self.plan.stages[user].node, BatchNorm):
                self._touches({"values": [value]})
                self._touches_norm(user)
                source, norm = self.plan.values[value].view, self._norm(user)
                self._learn(write_statistics(f"sums{user}", self.target, norm, source))

    def _sums_back(self, stage: Stage) -> None:
        """The sums of gradients that are complete once a stage's way back is done."""
        plan, target = self.plan, self.target
        for value in sorted({*stage.inputs}):
            before = plan.stages[value]
            if not isinstance(before.node, BatchNorm) or min(plan.users[value]) != stage.value:
                continue
            self._touches({"values": (*before.inputs, value), "gradients": [value]})
            self._touches_norm(value)
            gradient = plan.gradients[value].view
            if before.act and value not in self.settled:
                self.settled.add(value)
                self._act_back(before, before.act)
            source, norm = plan.values[before.inputs[0]].view, self._norm(value)
            function = write_gradient_sums(f"sums{value}_back", target, norm, source, gradient)
            self._add("backward", function)
