"""Which operations work on the image, and which prepare what those use: weights, positions."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from convscope.recording import IMAGE, Operation, Source, get_kind
from convscope.recording.operation import sources_in


class Step(NamedTuple):
    """An operation that depends on the values of the image, and what was prepared for it.

    Attributes:
        operation: the operation.
        operands: those of its operands that depend on the values of the image.
        prepared: operations that do not, and of whose results it is the first to make use.
    """

    operation: Operation
    operands: tuple[str, ...]
    prepared: tuple[Operation, ...]

    @property
    def parameters(self) -> list[str]:
        """The names of the parameters that were read for it."""
        return [name for done in (self.operation, *self.prepared) for name in done.parameters]


def steps_of(operations: Iterable[Operation]) -> tuple[list[Step], list[Operation]]:
    """The operations that depend on the values of the image; those that were prepared for nothing.

    What is computed from parameters alone (a standardized weight, a position table that is
    resized) belongs to the first operation on the image that reads it. What only takes its shape or
    type from the image (`expand_as`, `zeros_like`) does not depend on its values.
    """
    depends = {IMAGE}
    waiting: dict[str, dict[str, Operation]] = {}  # what each result was prepared by, in order
    claimed = set[str]()
    steps: list[Step] = []
    for operation in operations:
        sources = sources_in((operation.call.args, dict(operation.call.kwargs)))
        prepared = {
            name: done
            for source in sources
            for name, done in waiting.get(source.name, {}).items()
            if name not in claimed
        }
        operands = tuple(name for name in operation.operands if name in depends)
        if operands and not _takes_shape_alone(operation, sources, operands):
            depends.add(operation.name)
            claimed.update(prepared)
            steps.append(Step(operation, operands, tuple(prepared.values())))
        else:
            waiting[operation.name] = {**prepared, operation.name: operation}
    return steps, [waiting[name][name] for name in waiting if name not in claimed]


def _takes_shape_alone(
    operation: Operation, sources: Sequence[Source], operands: Sequence[str]
) -> bool:
    """Whether only the shape or type of the operands matters, and none of their values."""
    kind = get_kind(operation.kind)
    if kind.field == "no_dependency":
        return True
    reads_first_alone = kind.field in ("first_operand", "reshape") or kind.rule == "cast"
    return reads_first_alone and sources[0].name not in operands
