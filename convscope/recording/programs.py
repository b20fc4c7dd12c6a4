"""Which module of the original network each operator of an exported program comes from.

`torch.export` flattens a network to a list of operators. Each remembers the modules that called it,
so that a recording can name it as if the network itself had run.
"""

from itertools import chain
from typing import Any

from torch import fx, nn
from torch._ops import OpOverload

_Step = tuple[Any, str, str]
"""An operator, the path of the module that called it, and what tells the module's calls apart."""


class Program:
    """The operators of an exported program in the order in which they run.

    Attributes:
        calls: the number of each call of a module that has run so far.
    """

    def __init__(self, steps: list[_Step]) -> None:
        self.calls: dict[str, int] = {}
        self._steps = iter(steps)

    def caller_of(self, function: object) -> tuple[str, str] | None:
        """The path and the call of the module that the next such operator was called by.

        None for an operator that the program does not list.
        """
        passed: list[_Step] = []
        for step in self._steps:
            passed.append(step)
            if step[0] is function:
                return step[1:]
        self._steps = chain(passed)
        return None


def as_program(module: nn.Module) -> Program | None:
    """A module as an exported program; None for any other module."""
    if not isinstance(module, fx.GraphModule):
        return None
    stacks = ((node.target, node.meta.get("nn_module_stack")) for node in module.graph.nodes)
    steps: list[_Step] = [
        (target, list(stack.values())[-1][0], list(stack)[-1])
        for target, stack in stacks
        if stack and isinstance(target, OpOverload)
    ]
    return Program(steps) if steps else None
