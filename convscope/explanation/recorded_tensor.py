"""A tensor of a recording: the result of an operation, or the image."""

from torch import Tensor

from convscope.explanation.complex_numbers import real_view
from convscope.explanation.operation_view import result_of
from convscope.recording import IMAGE, ForwardPass, Operation


class RecordedTensor:
    """A tensor of a recording: the result of an operation, or the image.

    Attributes:
        name: in the recording.
        kind: of the operation, `conv2d`; "image" for the image.
        operands: the names of the inputs of the operation.
    """

    def __init__(self, name: str, forward_pass: ForwardPass, operation: Operation | None) -> None:
        self.name = name
        self.operation = operation
        self.kind = operation.kind if operation else IMAGE
        self.operands = operation.operands if operation else ()
        self._forward_pass = forward_pass

    @property
    def tensor(self) -> Tensor:
        """The tensor with its batch axis. Raises RequestError if it was not kept."""
        return result_of(self._forward_pass, self.name).detach()

    @property
    def value(self) -> Tensor:
        """The tensor without its batch axis. Raises RequestError if it was not kept.

        Complex numbers are pairs of real ones along a last axis, as `torch.view_as_real` has them.
        """
        tensor = real_view(self.tensor)
        return tensor[0] if tensor.ndim and len(tensor) == 1 else tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Of `value`, without the batch axis: (c, h, w) for feature maps."""
        shape = self.operation.shape if self.operation else tuple(self.tensor.shape)
        rest = shape[1:] if shape and shape[0] == 1 else shape
        return (*rest, 2) if self.is_complex else rest

    @property
    def is_complex(self) -> bool:
        """Whether these are complex numbers; False where they were not kept."""
        kept = self._forward_pass.results.get(self.name)
        return kept is not None and kept.is_complex()

    def __repr__(self) -> str:
        inputs = f" of {', '.join(self.operands)}" if self.operands else ""
        return f"<{self.name}: {self.kind}{inputs}, {'x'.join(map(str, self.shape))}>"
