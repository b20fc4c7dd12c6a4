"""What an operation reads, as far as receptive fields need it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from convscope.receptive.field_map import FieldMap, UnknownDependency
from convscope.recording import IMAGE, Operation, Source


@dataclass(frozen=True)
class Inputs:
    """An operation with the fields of what it reads, and the values of what is constant.

    Attributes:
        operation: of the recording.
        known: the fields of results, by name.
        values: tensors by name, as far as they were kept: results, parameters and buffers.
    """

    operation: Operation
    known: Mapping[str, FieldMap]
    values: Mapping[str, Tensor]

    @property
    def first(self) -> FieldMap:
        """The fields of the first operand."""
        return self.known[self.operation.operands[0]]

    @property
    def operands(self) -> Sequence[FieldMap]:
        """The fields of all operands."""
        return [self.known[name] for name in self.operation.operands]

    @property
    def settings(self) -> Mapping[str, Any]:
        """The arguments of the operation, with a Shape in place of each tensor."""
        return self.operation.argument_shapes

    def is_dependent(self, source: object) -> bool:
        """Whether an argument depends on the image."""
        return (
            isinstance(source, Source)
            and source.role in ("result", "unknown")
            and source.name in self.operation.operands
        )

    def of(self, source: object) -> FieldMap:
        """The fields of an argument; of no pixels where it does not depend on the image."""
        if isinstance(source, Source) and self.is_dependent(source):
            return self.known[source.name]
        return self.without_pixels(source.shape if isinstance(source, Source) else ())

    def without_pixels(self, shape: Sequence[int]) -> FieldMap:
        """The fields of units that do not depend on the image."""
        return self.known[IMAGE].without_pixels(shape)

    def value(self, source: object) -> Tensor:
        """The value of an argument that does not depend on the image.

        Raises UnknownDependency where it does, or was not kept, or has no memory.
        """
        if not isinstance(source, Source) or self.is_dependent(source):
            raise UnknownDependency
        value = self.values.get(source.name)
        if value is None or value.is_meta:
            raise UnknownDependency
        return value.detach().cpu()
