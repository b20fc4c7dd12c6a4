"""Why PyTorch's exporter cannot follow a network: in a sentence, with the line of its code."""

import traceback
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from convscope.inference import inference_mode

_COUNTS = (1, 2, 3)
_NOT_ITS_CODE = ("torch", "onnxscript", "onnx_ir", "convscope/conversion")
_BY_VALUE = ("GuardOnDataDependentSymNode", "Attempted to call `.item()`", ".numpy() is not")

FROZEN = (
    "The network's code takes the number of images as a constant, by `len(x)` or "
    "`int(x.shape[0])`: what is written from it would fail at another number. Use `x.shape[0]`."
)


def not_exported(error: BaseException, net: nn.Module, input_shape: Sequence[int]) -> str:
    """What to say of a network, in eval mode, whose export for images (c, h, w) raised an error.

    Where the network itself computes one number of images alone, or none, that is the reason.
    """
    failures = {count: found for count in _COUNTS if (found := _failure(net, count, input_shape))}
    if failures:
        return _cannot_compute(failures, input_shape)
    cause = _root(error)
    where, reason = _place(cause), _first_line(cause)
    if any(sign in f"{type(cause).__name__} {cause}" for sign in _BY_VALUE):
        return (
            f"The network's code reads the values of an image{where}, which an exported network "
            "cannot do. Compute with tensors alone, as by `torch.where`."
        )
    return f"PyTorch's exporter cannot follow this network{where}: {reason}"


def _failure(net: nn.Module, count: int, input_shape: Sequence[int]) -> Exception | None:
    """What the network raises for some images."""
    try:
        with inference_mode(net):
            net(torch.zeros(count, *input_shape))
    except Exception as error:  # noqa: BLE001 -- of anybody's network
        return error
    return None


def _cannot_compute(failures: dict[int, Exception], input_shape: Sequence[int]) -> str:
    (count, error), *_ = failures.items()
    channels, height, width = input_shape
    images = f"{channels}x{height}x{width}"
    reason = f"{_place(error)}: {_first_line(error)}"
    if len(failures) == len(_COUNTS):
        return f"The network cannot compute 1, 2 or 3 images of {images}{reason}"
    computed = next(other for other in _COUNTS if other not in failures)
    return (
        f"The network computes {computed} but not {count} images of {images} at once{reason} It "
        "must take any number: `x.flatten(1)`, for example, in place of `x.view(1, -1)`."
    )


def _root(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _first_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    line = lines[0].strip() if lines else type(error).__name__
    return line if line.endswith(".") else f"{line}."


def _place(error: BaseException) -> str:
    """` (net.py, line 7: ...)`: the last line of the network's own code, if there is one."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_its_code(Path(frame.filename))]
    if not own:
        return ""
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno}: `{own[-1].line}`)"


def _is_its_code(path: Path) -> bool:
    parts = path.as_posix()
    return path.is_file() and not any(f"/{folder}/" in parts for folder in _NOT_ITS_CODE)
