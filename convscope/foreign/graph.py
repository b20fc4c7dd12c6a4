"""A network that is a graph of layers, each a child with the name that its file gives it."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Step:
    """A call of a layer: the child's name, the values that it takes, the one that it gives.

    Value 0 is the network's input.
    """

    layer: str
    inputs: tuple[int, ...]
    output: int


class LayerGraph(nn.Module):
    """Layers, and the order in which they are called; a layer may be called more than once."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: tuple[Step, ...] = ()
        self.output = 0
        self._done: tuple[tuple[int, ...], ...] = ()

    def set_steps(self, steps: Sequence[Step], output: int) -> None:
        """Say what is called, in this order, and which value is the network's output."""
        last = {value: at for at, step in enumerate(steps) for value in step.inputs}
        done: list[list[int]] = [[] for _ in steps]
        for value, at in last.items():
            if value != output:
                done[at].append(value)
        self.steps, self.output = tuple(steps), output
        self._done = tuple(map(tuple, done))

    def forward(self, x: Tensor) -> Tensor:
        values = {0: x}
        for step, done in zip(self.steps, self._done, strict=True):
            layer = self.get_submodule(step.layer)
            values[step.output] = layer(*(values[value] for value in step.inputs))
            for value in done:
                del values[value]
        return values[self.output]
