"""Which parameters an operation on the image makes use of, directly or through other operations."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from convscope.recording import IMAGE, Operation, Source, get_kind
from convscope.recording.operation import sources_in


class Used(NamedTuple):
    """An operation that depends on the values of the image.

    Attributes:
        name: its name.
        operands: those of its operands that depend on the values of the image.
        parameters: names of the parameters that it read, and of those that its other arguments were
            computed from.
        operation: the operation itself.
    """

    name: str
    operands: tuple[str, ...]
    parameters: tuple[str, ...]
    operation: Operation


def follow_parameters(operations: Iterable[Operation]) -> list[Used]:
    """The operations that depend on the values of the image, with the parameters that they use.

    What is computed from parameters alone (a standardized weight, a position table that is
    resized) belongs to the first operation on the image that reads it. A parameter that only takes
    its shape or type from the image (`expand_as`, `zeros_like`) does not depend on its values.
    """
    depends = {IMAGE}
    origins: dict[str, tuple[str, ...]] = {}  # of results that do not depend on the image
    used: list[Used] = []
    for operation in operations:
        sources = sources_in((operation.call.args, dict(operation.call.kwargs)))
        passed = [name for source in sources for name in origins.get(source.name, ())]
        names = tuple(dict.fromkeys((*operation.parameters, *passed)))
        operands = tuple(name for name in operation.operands if name in depends)
        if operands and not _takes_shape_alone(operation, sources, operands):
            depends.add(operation.name)
            used.append(Used(operation.name, operands, names, operation))
        else:
            origins[operation.name] = names
    return used


def _takes_shape_alone(
    operation: Operation, sources: Sequence[Source], operands: Sequence[str]
) -> bool:
    """Whether only the shape or type of the operands matters, and none of their values."""
    kind = get_kind(operation.kind)
    if kind.field == "no_dependency":
        return True
    reads_first_alone = kind.field in ("first_operand", "reshape") or kind.rule == "cast"
    return reads_first_alone and sources[0].name not in operands
