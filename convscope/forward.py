"""Calling somebody's network: which output is the logits, and whose failure an error is."""

import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from convscope.errors import NetworkError
from convscope.memory import is_out_of_memory

LOGITS = ("logits", "output", "outputs", "out", "pred", "preds", "predictions", "scores")
"""Names under which networks return their logits, the surest first."""

_TORCH = Path(torch.__file__).parent


def main_output(output: object, num_classes: int | None = None) -> Tensor | None:
    """The logits among what a network returned for n images; None where it is not plain.

    1. A tensor is itself.
    2. Of something with names (a dict, a named tuple, an object), what is called as in LOGITS.
    3. Of a tuple or a list, the first tensor of shape (n, num_classes); of a dict, the only one.
    4. The only tensor that there is.

    Trailing axes of size 1, as in (n, num_classes, 1, 1), are removed.

        >>> main_output({"features": torch.zeros(2, 9), "logits": torch.zeros(2, 3, 1, 1)}).shape
        torch.Size([2, 3])
        >>> main_output((torch.zeros(2, 9), torch.ones(2, 3)), 3).sum()
        tensor(6.)
    """
    main = main_tensor(output, num_classes)
    return None if main is None else _without_ones(main)


def main_tensor(output: object, num_classes: int | None = None) -> Tensor | None:
    """The same as the network returned it, with its trailing axes of size 1."""
    if isinstance(output, Tensor):
        return output
    names = cast("Mapping[str, object]", output) if isinstance(output, Mapping) else None
    for name in LOGITS:
        value = names.get(name) if names is not None else getattr(output, name, None)
        if isinstance(value, Tensor):
            return value
    tensors = [value for value in _values(output) if isinstance(value, Tensor)]
    fitting = [tensor for tensor in tensors if _fits(tensor, num_classes)]
    if fitting and (names is None or len(fitting) == 1):
        return fitting[0]
    return tensors[0] if len(tensors) == 1 else None


def num_outputs(output: object, num_classes: int) -> int:
    """How many tensors of shape (n, num_classes) a network returned."""
    values = (output,) if isinstance(output, Tensor) else _values(output)
    return sum(_fits(value, num_classes) for value in values if isinstance(value, Tensor))


def _fits(tensor: Tensor, num_classes: int | None) -> bool:
    tensor = _without_ones(tensor)
    return tensor.ndim == 2 and tensor.shape[1] == num_classes


def logits_of(output: object, num_images: int, num_classes: int, *, name: str) -> Tensor:
    """The logits (n, classes) among what a network returned. Raises NetworkError if none fit."""
    logits = main_output(output, num_classes)
    if logits is not None and logits.shape == (num_images, num_classes):
        return logits
    expected = f"({num_images}, {num_classes})"
    returned = describe_output(output if logits is None else logits)
    images = f"{num_images} images" if num_images > 1 else "an image"
    raise NetworkError(
        f"{name} returns {returned} for {images}; with {num_classes} classes it must return "
        f"logits of shape {expected}.{_remedy(logits, num_classes)}"
    )


def _remedy(logits: Tensor | None, num_classes: int) -> str:
    if logits is None:
        return " Return the logits alone, or first, or as `logits` of a dict."
    is_one = logits.ndim == 1 or (logits.ndim == 2 and logits.shape[1] == 1)
    if is_one and num_classes == 2:
        return (
            " One number for two classes, for a sigmoid, is not supported: let the last layer "
            "have two outputs."
        )
    if logits.ndim == 4:
        return " Average the map over its height and width: `x.mean((2, 3))`."
    return " Give the builder a `num_classes` argument, or change its last layer."


def describe_output(output: object) -> str:
    """What a network returned, in a few words: "a dict with features (2, 9)"."""
    if isinstance(output, Tensor):
        return f"a tensor of shape {tuple(output.shape)}"
    kind = type(output).__name__
    if isinstance(output, Mapping):
        named = cast("Mapping[object, object]", output)
        return f"a {kind} with {', '.join(f'{key} {_shape(named[key])}' for key in named)}"
    if isinstance(output, Sequence) and not isinstance(output, str | bytes):
        parts = cast("Sequence[object]", output)
        return f"a {kind} of {', '.join(map(_shape, parts)) or 'nothing'}"
    return "nothing (None)" if output is None else f"an object of type {kind}"


def _shape(value: object) -> str:
    return str(tuple(value.shape)) if isinstance(value, Tensor) else type(value).__name__


def _values(output: object) -> Sequence[object]:
    if isinstance(output, Mapping):
        return list(cast("Mapping[object, object]", output).values())
    if isinstance(output, tuple | list):
        return cast("Sequence[object]", output)
    return list(vars(output).values()) if hasattr(output, "__dict__") else ()


def _without_ones(tensor: Tensor) -> Tensor:
    spatial = tensor.shape[2:]
    return tensor.flatten(1) if spatial and all(size == 1 for size in spatial) else tensor


def network_error(
    error: Exception, net: nn.Module, *, name: str, doing: str = "", remedy: str = ""
) -> NetworkError:
    """What to raise for an error that a network raised: its layer, its file, its words.

    `doing` says what it was asked for: "for images of 3x32x32 in training mode".
    """
    return NetworkError(
        f"{name} failed{f' {doing}' if doing else ''}{where_raised(error, net)}: "
        f"{type(error).__name__}: {first_line(error)}. {remedy or _advice(error)}"
    )


def where_raised(error: BaseException, net: nn.Module) -> str:
    """The layer in whose forward an error was raised, and the line: " at layer fc (net.py:12)"."""
    paths = {id(module): path for path, module in dict[str, nn.Module](net.named_modules()).items()}
    layer, line = "", ""
    for frame, number in traceback.walk_tb(error.__traceback__):
        first = frame.f_code.co_varnames[:1]  # which most people call self
        module: Any = frame.f_locals.get(first[0]) if first else None
        if id(module) in paths and isinstance(module, nn.Module):
            layer = paths[id(module)] or layer
            file = Path(frame.f_code.co_filename)
            if not {_TORCH, _RUNNERS}.intersection(file.parents) and not file.name.startswith("<"):
                line = f" ({file.name}, line {number})"
    return f" at layer {layer}{line}" if layer else f" in its forward{line}" if line else ""


def first_line(error: BaseException) -> str:
    """What an error says, on one line and without a period; of TorchScript's, which end with it."""
    lines = (str(error).strip() or type(error).__name__).splitlines()
    line = lines[-1] if lines[0].endswith("in the TorchScript interpreter.") else lines[0]
    return line.removeprefix("RuntimeError: ").rstrip(".")


def _advice(error: Exception) -> str:
    text = str(error)
    if any(phrase in text for phrase in _CUDA):
        return "Let its forward use the device of its input, `x.device`, instead of `.cuda()`."
    if "Expected more than 1 value per channel" in text:
        return "Batch norm needs more than one value per channel: choose another `batch_size`."
    return "The error is in the network's own code."


_RUNNERS = Path(__file__).parent  # ours, which call the network and are no part of it
_CUDA = ("CUDA", "NVIDIA", "same device", "cuda")


def like_parameters(net: nn.Module, images: Tensor) -> Tensor:
    """Images on the device and in the type of the network's parameters, where they have one."""
    kinds = {(p.device, p.dtype) for p in net.parameters() if p.is_floating_point()}
    is_autocast = any(map(torch.is_autocast_enabled, ("cpu", "cuda")))  # which may change types
    if len(kinds) != 1 or is_autocast or not images.is_floating_point():
        return images
    return images.to(*kinds.pop())


def call_network(net: nn.Module, images: Tensor, num_classes: int, *, name: str = "") -> Tensor:
    """The logits (n, num_classes) that a network returns for images (n, c, h, w).

    Raises NetworkError, with the layer, where the network fails or returns something else.
    """
    called = name or type(net).__name__
    try:
        output = net(like_parameters(net, images))
    except NetworkError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        shape = "x".join(map(str, images.shape[1:]))
        doing = f"for {len(images)} images of {shape}"
        raise network_error(error, net, name=called, doing=doing) from error
    return logits_of(output, len(images), num_classes, name=called)
