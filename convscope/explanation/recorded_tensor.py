"""A tensor of a recording, by name: a result, the image, a parameter, a buffer or a constant."""

from collections.abc import Sequence

from torch import Tensor

from convscope.errors import RequestError
from convscope.explanation.rules.complex_sums import real_view
from convscope.explanation.rules.operation_view import (
    Index,
    UnsupportedOperation,
    readable,
    result_of,
)
from convscope.recording import IMAGE, ForwardPass, Operation
from convscope.terms import Unsupported
from convscope.words import visible


class RecordedTensor:
    """A tensor of a recording: the result of an operation, or what the network did not compute.

    Attributes:
        name: in the recording; of a parameter or buffer, its path.
        kind: of the operation, `conv2d`; otherwise "image", "parameter", "buffer", "constant" or
            "constant of unknown origin".
        operands: the names of the inputs of the operation.
    """

    def __init__(self, name: str, forward_pass: ForwardPass, operation: Operation | None) -> None:
        self.name = name
        self.operation = operation
        self.kind = operation.kind if operation else _kind(name, forward_pass)
        self.operands = operation.operands if operation else ()
        self._forward_pass = forward_pass

    @property
    def tensor(self) -> Tensor:
        """The tensor with its batch axis; of a quantized one, the numbers that it stands for.

        Raises RequestError if it was not kept, or is of a type that does not tell its numbers.
        """
        try:
            if self._is_state:
                return readable(self._forward_pass.state[self.name].detach())
            return result_of(self._forward_pass, self.name).detach()
        except UnsupportedOperation as reason:
            raise RequestError(f"{self.name} cannot be shown: {reason}.") from reason

    @property
    def _is_state(self) -> bool:
        """Whether it is a parameter or a buffer, which have no batch axis."""
        is_result = self.operation is not None or self.name in self._forward_pass.results
        return not is_result and self.name in self._forward_pass.state

    @property
    def value(self) -> Tensor:
        """The tensor without its batch axis. Raises RequestError if it was not kept.

        Complex numbers are pairs of real ones along a last axis, as `torch.view_as_real` has them.
        """
        tensor = real_view(self.tensor)
        return tensor[0] if tensor.ndim > len(self.shape) else tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Of `value`, without the batch axis: (c, h, w) for feature maps."""
        shape = self._full_shape
        has_batch = len(shape) > self.is_complex and shape[0] == 1 and not self._is_state
        return shape[1:] if has_batch else shape

    @property
    def _full_shape(self) -> tuple[int, ...]:
        shape = self.operation.shape if self.operation else tuple(self.tensor.shape)
        return (*shape, 2) if self.is_complex else shape

    @property
    def is_complex(self) -> bool:
        """Whether these are complex numbers; False where they were not kept."""
        tensors = self._forward_pass.state if self._is_state else self._forward_pass.results
        kept = tensors.get(self.name)
        return kept is not None and kept.is_complex()

    @property
    def description(self) -> str:
        """What it is, if it is no result."""
        return _DESCRIPTIONS[self.kind]

    def __repr__(self) -> str:
        inputs = f" of {', '.join(self.operands)}" if self.operands else ""
        return visible(f"<{self.name}: {self.kind}{inputs}, {'x'.join(map(str, self.shape))}>")

    def index(self, at: int | Sequence[int]) -> Index:
        """The index of a unit with the batch axis, if there is one.

        Raises RequestError for an index that is out of range.
        """
        index = (at,) if isinstance(at, int) else tuple(int(n) for n in at)
        shape = self.shape
        is_valid = len(index) == len(shape) and all(
            0 <= n < side for n, side in zip(index, shape, strict=True)
        )
        if is_valid:
            return (0,) * (len(self._full_shape) - len(shape)) + index
        unit = f"[{','.join(map(str, index))}]"
        if not shape:
            raise RequestError(f"{self.name} is a single number, so there is no unit {unit}.")
        ranges = ", ".join(f"0 to {side - 1}" for side in shape)
        raise RequestError(
            f"{self.name} has the shape {'x'.join(map(str, shape))}, so there is no unit {unit}. "
            f"Valid indices: {ranges}."
        )

    def unsupported(self, reason: str) -> Unsupported:
        return Unsupported(operands=self.operands, formula=f"{self.kind}: {reason}")


def _kind(name: str, forward_pass: ForwardPass) -> str:
    if name == IMAGE:
        return IMAGE
    if name in forward_pass.parameters:
        return "parameter"
    if name in forward_pass.unknown:
        return "constant of unknown origin"
    return "buffer" if name in forward_pass.buffers else "constant"


_DESCRIPTIONS = {
    IMAGE: "input",
    "parameter": "a parameter of the network",
    "buffer": "a buffer of the network",
    "constant": "a tensor of which only the values are known",
    "constant of unknown origin": "it appeared while the network ran, but no operation of torch "
    "returned it (numpy, another thread or an extension made it); it may depend on the whole image",
}
