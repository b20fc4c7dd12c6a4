"""Recorded operations that can be run again on other values, and pulled back through."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import torch
from torch import Tensor, nn

from convscope.recording import IMAGE, ForwardPass, Operation, Source
from convscope.recording.mutations import may_write
from convscope.recording.operation import map_nested
from convscope.recording.outputs import outputs_of
from convscope.recording.retention import storage_id


@dataclass(frozen=True)
class Step:
    """An operation of a forward pass with the tensors that it read and returned.

    Attributes:
        operands: the distinct results that it read and that depend on the image, by name.
        output: what it returned.
    """

    operation: Operation
    operands: Mapping[str, Tensor]
    output: Tensor
    values: Mapping[str, Tensor]

    @property
    def kind(self) -> str:
        return self.operation.kind

    def argument(self, name: str, default: Any = None) -> Any:
        """An argument by torch's name; a tensor where it is one."""
        value = self.operation.arguments.get(name, default)
        return self.values[value.name] if isinstance(value, Source) else value

    @cached_property
    def norm_scale(self) -> Tensor | None:
        """Of batch norm: by what it multiplies each channel, (1, c, 1, 1); None where it uses its
        batch's statistics, or is none.
        """
        if self.kind != "batch_norm" or self.argument("training", default=False):
            return None
        variance, weight = self.argument("running_var"), self.argument("weight")
        if variance is None:
            return None
        scale = (variance + self.argument("eps", 1e-5)).rsqrt()
        scale = scale if weight is None else scale * weight
        return scale.detach().reshape(1, -1, *(1,) * (self.output.ndim - 2))

    def reading(self, replacements: Mapping[str, Tensor]) -> "Step":
        """The same operation on other tensors, by name."""
        operands = {name: replacements.get(name, own) for name, own in self.operands.items()}
        return replace(self, operands=operands, values={**self.values, **replacements})

    def with_output(self, output: Tensor) -> "Step":
        return replace(self, output=output)

    def run(self, operands: Mapping[str, Tensor]) -> Tensor:
        """What the operation returns for other operands, with a graph for gradients."""
        call = self.operation.call
        is_writing = not isinstance(call.function, nn.Module) and may_write(
            call.function, call.args, call.kwargs
        )

        def value(source: Source) -> Tensor:
            tensor = operands.get(source.name, self.values[source.name])
            return tensor.clone() if is_writing else tensor

        args, kwargs = map_nested((call.args, dict(call.kwargs)), value, of=Source)
        written = {storage_id(tensor) for tensor in args if isinstance(tensor, Tensor)}
        returned = call.function(*args, **kwargs)
        outputs = outputs_of(call.function, args, kwargs, returned, written if is_writing else ())
        return outputs[self.operation.output_index]

    def pull_back(self, gradient: Tensor) -> dict[str, Tensor]:
        """The gradient by each operand: the product of a gradient and the Jacobian matrix."""
        leaves = {
            name: tensor.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
            for name, tensor in self.operands.items()
            if tensor.is_floating_point()
        }
        with torch.enable_grad():
            output = self.run(leaves)
        if not leaves or not output.requires_grad:
            return {}
        found = torch.autograd.grad(
            output,
            list(leaves.values()),
            gradient.contiguous(),  # as batch norm needs it; see convscope.gradients
            allow_unused=True,
        )
        gradients = cast("tuple[Tensor | None, ...]", found)
        named = zip(leaves, gradients, strict=True)
        return {name: each for name, each in named if each is not None}


class Tape:
    """The operations of one forward pass that depend on the image."""

    def __init__(self, done: ForwardPass) -> None:
        self.values = {**done.state, **done.results}
        self.output = done.output
        self.operations = {op.name: op for op in done.operations if op.operands}
        self._steps: dict[str, Step] = {}

    def __contains__(self, name: str) -> bool:
        return name == IMAGE or name in self.operations

    def step(self, name: str) -> Step:
        if name not in self._steps:
            operation = self.operations[name]
            operands = {each: self.values[each].detach() for each in operation.operands}
            self._steps[name] = Step(operation, operands, self.values[name].detach(), self.values)
        return self._steps[name]

    @cached_property
    def users(self) -> Mapping[str, Sequence[str]]:
        """The operations that read each result, in order."""
        users: dict[str, list[str]] = {IMAGE: [], **{name: [] for name in self.operations}}
        for name, operation in self.operations.items():
            for operand in dict.fromkeys(operation.operands):
                users.setdefault(operand, []).append(name)
        return users

    def between(self, start: str, end: str) -> list[str]:
        """The operations on the ways from a result to another, in order, `end` among them."""
        reached, needed = {start}, {end}
        for name, operation in self.operations.items():
            if not reached.isdisjoint(operation.operands):
                reached.add(name)
        for name in reversed(self.operations):
            if name in needed:
                needed.update(self.operations[name].operands)
        return [n for n in self.operations if n in reached and n in needed and n != start]

    def logits(self) -> str:
        """The output, or where it is a softmax's or a sigmoid's, the result before that."""
        name = found = self.output
        while name in self.operations:
            operation = self.operations[name]
            if operation.kind not in (*_SQUASHING, *_COPIES) or len(operation.operands) != 1:
                break
            name = operation.operands[0]
            if self.values[name].numel() != self.values[found].numel():
                break
            found = name if operation.kind in _SQUASHING else found
        return found


_COPIES = ("flatten", "view", "reshape", "squeeze", "contiguous", "clone", "float", "double", "to")
_SQUASHING = ("softmax", "log_softmax", "sigmoid", "logsigmoid")
