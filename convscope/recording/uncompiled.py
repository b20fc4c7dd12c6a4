"""A dispatch mode that leaves PyTorch's compiler alone."""

from torch.utils._python_dispatch import TorchDispatchMode


class UncompiledMode(TorchDispatchMode):
    """A mode whose operators are not compiled."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here, and the import that keeps the compiler out takes seconds."""
        return False
