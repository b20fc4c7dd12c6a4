"""A quantity sent from an output back through the recorded operations to a layer or the image."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from convscope.attribution.steps import Step, Tape

Rule = Callable[[Step, Tensor], Mapping[str, Tensor]]
"""What each operand of an operation gets, given what its result has."""


@dataclass
class Flow:
    """What a backward pass has brought where it ended.

    Attributes:
        received: by name, what the start of the pass got, and results that do not depend on it,
            whose way to the output goes around it.
        lost: by name of an operation, what its result had more than its operands got.
    """

    received: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    lost: dict[str, float] = field(default_factory=dict[str, float])


Loss = Callable[[Step, Tensor, Mapping[str, Tensor]], float]
"""What is lost at an operation: its result's quantity, and what its operands get."""


def send_back(
    tape: Tape, seed: Tensor, *, start: str, end: str, rule: Rule, loss: Loss | None = None
) -> Flow:
    """Send `seed`, of the shape of the result `end`, back to the result `start`.

    Where a result is read several times, what it gets is added up. Results that do not depend on
    `start` keep what they get.
    """
    flow = Flow(received={end: seed})
    for step, quantity, parts in _backward(tape, flow, start, end, rule):
        if loss is not None:
            flow.lost[step.operation.name] = loss(step, quantity, parts)
    return flow


def zero_before(tape: Tape, seed: Tensor, *, start: str, end: str, rule: Rule) -> str:
    """The operation at which everything that comes back from `end` has become zero; empty if
    something is left, or nothing led here.
    """
    flow, found = Flow(received={end: seed}), ""
    for step, quantity, parts in _backward(tape, flow, start, end, rule):
        if quantity.any() and not any(map(_any, parts.values())):
            found = found or step.operation.name
    left = flow.received.get(start)
    return "" if left is not None and left.any() else found


def _backward(
    tape: Tape, flow: Flow, start: str, end: str, rule: Rule
) -> Iterator[tuple[Step, Tensor, Mapping[str, Tensor]]]:
    for name in reversed(tape.between(start, end)):
        quantity = flow.received.pop(name, None)
        if quantity is None:
            continue
        step = tape.step(name)
        parts = rule(step, quantity)
        for operand, part in parts.items():
            before = flow.received.get(operand)
            flow.received[operand] = part if before is None else before + part
        yield step, quantity, parts


def _any(tensor: Tensor) -> bool:
    return bool(tensor.any())
