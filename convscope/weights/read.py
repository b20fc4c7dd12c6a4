"""A file of weights, of whatever library, to tensors by name; nothing in it is executed."""

import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import cast
from zipfile import is_zipfile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor

from convscope.errors import RequestError

_WRAPPERS = ("state_dict", "model")  # under which training programs keep weights beside the rest
_PREFIXES = ("module.", "_orig_mod.")  # of DistributedDataParallel and of torch.compile

# What the readers have been seen to raise on damaged bytes.
_DAMAGED = (
    SafetensorError, OSError, RuntimeError, ValueError, LookupError, EOFError, TypeError,
    AttributeError, AssertionError, ArithmeticError, MemoryError, struct.error,
)  # fmt: skip


def read_tensors(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a state dict in a file, on the CPU, by their names there.

    A file of safetensors, or one of `torch.save`, told by content and not by name. A dict that
    holds the state dict as `state_dict` or `model` is opened, and a prefix that wrapping a network
    puts before every name is taken off.

    Raises RequestError for a file that is neither, that is damaged, that holds something else, or
    that asks for code to be run.
    """
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}.") from error
    zipped = is_zipfile(path)
    safe = head[8:] == b"{"
    if not (safe or zipped or head[:1] == b"\x80"):
        raise RequestError(f"{path} holds no weights: it is neither safetensors nor PyTorch's.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what PyTorch warns of either works or is an error
            held: object = (
                load_file(path)
                if safe
                else torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
            )
    except UnpicklingError as error:
        raise RequestError(
            f"{path} holds more than tensors, and opening it would run code of its own, which is "
            "never done. Save the state dict alone, best as safetensors, and give that."
        ) from error
    except _DAMAGED as error:
        line = str(error).strip().splitlines()[:1]
        raise RequestError(
            f"{path} is damaged or holds no weights ({''.join(line).rstrip('.')}). Get it again."
        ) from error
    return _unprefixed(_state_dict(held, path))


def _state_dict(held: object, path: Path) -> Mapping[str, Tensor]:
    """What is held, out of its wrapping. Raises RequestError where it is no state dict."""
    while isinstance(held, Mapping):
        found = cast("Mapping[object, object]", held)
        inner = next((found[w] for w in _WRAPPERS if isinstance(found.get(w), Mapping)), None)
        if inner is not None:
            held = inner
            continue
        if found and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in found.items()):
            return cast("Mapping[str, Tensor]", held)
        break
    raise RequestError(
        f"{path} holds no state dict: tensors by name, alone or as one of {', '.join(_WRAPPERS)}."
    )


def _unprefixed(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors
