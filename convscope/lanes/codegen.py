"""A plan as functions of LLVM IR: forward, loss, backward, and what they call."""

from collections.abc import Sequence

from convscope.lanes.back import Back
from convscope.lanes.feed import Bytes, write_feed
from convscope.lanes.forward import Forward
from convscope.lanes.graph import Node
from convscope.lanes.ir import Target
from convscope.lanes.plan import make_plan
from convscope.lanes.writing import Code, NormOffsets


def write_network(
    nodes: Sequence[Node],
    offsets: dict[str, tuple[int, int | None]],
    target: Target,
    *,
    row: int,
    tiles: bool = True,
    turns: bool = True,
    norms: dict[str, NormOffsets] | None = None,
) -> Code:
    """The code of a training step's micro-batches.

    `offsets` are, by the names of convolutions, where weight and bias begin, in floats; `row` the
    bytes from one row of an image's bytes to the next; `tiles` and `turns` as in `make_plan`;
    `norms` the same for batch norms, by their names.
    """
    plan = make_plan(nodes, lanes=target.lanes, tiles=tiles, turns=turns)
    return _Network(plan, offsets, target, norms or {}).write(row)


class _Network(Forward, Back):
    """Writes everything, in the order in which it is computed."""

    def write(self, row: int) -> Code:
        order = self.plan.order
        image = self.plan.values[order[0]]
        self._enter(0)
        self._touches({"values": order[:1]}, head=True)
        self.regions["%N"] = [(0, 2 * image.shape[0])]
        self._add("forward", *self._halo("feed_halo", image.halo, order[0], gradient=False))
        self._keep(write_feed("feed", self.target, image, Bytes(row=row)))
        self._sums_forward(order[0])
        for value in order[1:]:
            self._forward(self.plan.stages[value])
        self._loss(order[-1])
        for value in reversed(order[1:]):
            self._backward(self.plan.stages[value])
        return self.code
