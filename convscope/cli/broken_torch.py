"""A PyTorch that cannot be imported, told as that: no fault of convscope or of the request."""

from collections.abc import Iterator
from types import TracebackType


def broken_torch(error: BaseException) -> str | None:
    """Say what is wrong with the PyTorch that is installed; None for an error of another origin.

    Missing libraries, a wheel of another Python or processor, and a half-finished installation all
    raise an error of their own while `import torch` runs.
    """
    for one in _causes(error):
        if isinstance(one, ModuleNotFoundError) and one.name == "torch":
            return (
                "PyTorch is not installed. Install it with `pip install torch`, or as "
                "pytorch.org/get-started says for your system."
            )
        if isinstance(one, ImportError | OSError) and _is_raised_by_import(one.__traceback__):
            return (
                f"PyTorch is installed but cannot be imported ({type(one).__name__}: {one}). "
                "Check it with `python -c 'import torch'`, and install it again with "
                "`pip install --force-reinstall torch`, or as pytorch.org/get-started says for "
                "your system."
            )
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it was raised from, the innermost first: that says what was wrong."""
    if error is not None:
        yield from _causes(error.__cause__ or error.__context__)
        yield error


def _is_raised_by_import(traceback: TracebackType | None) -> bool:
    """Whether the error came out of the body of torch's own package."""
    while traceback is not None:
        frame = traceback.tb_frame
        if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") == "torch":
            return True
        traceback = traceback.tb_next
    return False
