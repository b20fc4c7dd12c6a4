"""Read a file of weights, of any library, as tensors by name; no code in it is executed."""

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

_WRAPPERS = ("state_dict", "model")  # keys under which training scripts store weights
_PREFIXES = ("module.", "_orig_mod.")  # of DistributedDataParallel and torch.compile

# Observed exceptions for damaged files.
_READ_ERRORS = (
    SafetensorError, OSError, RuntimeError, ValueError, LookupError, EOFError, TypeError,
    AttributeError, AssertionError, ArithmeticError, MemoryError, struct.error,
)  # fmt: skip


def read_tensors(path: Path) -> Mapping[str, Tensor]:
    """Read the tensors of a state dict from a file, on the CPU, by name.

    The file is safetensors or from `torch.save`, recognized by its content. A state dict may be
    nested as `state_dict` or `model`, and a prefix that wrapping a network adds to every name is
    removed.

    Raises RequestError for a file that is neither, is damaged, contains something else, or needs to
    run code.
    """
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}.") from error
    zipped = is_zipfile(path)
    safe = head[8:] == b"{"
    if not (safe or zipped or head[:1] == b"\x80"):
        raise RequestError(f"{path} has no weights: it is neither safetensors nor a PyTorch file.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about files that load, or fail to, in any case
            content: object = (
                load_file(path)
                if safe
                else torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
            )
    except UnpicklingError as error:
        raise RequestError(
            f"{path} has more than tensors: loading it would run code from the file, which "
            "convscope never does. Save only the state dict, preferably as safetensors."
        ) from error
    except _READ_ERRORS as error:
        line = str(error).strip().splitlines()[:1]
        raise RequestError(
            f"{path} is damaged or has no weights ({''.join(line).rstrip('.')}). Download it again."
        ) from error
    return _unprefixed(_state_dict(content, path))


def _state_dict(content: object, path: Path) -> Mapping[str, Tensor]:
    """Unwrap a state dict. Raises RequestError if there is none."""
    while isinstance(content, Mapping):
        items = cast("Mapping[object, object]", content)
        inner = next((items[w] for w in _WRAPPERS if isinstance(items.get(w), Mapping)), None)
        if inner is not None:
            content = inner
            continue
        if items and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in items.items()):
            return cast("Mapping[str, Tensor]", content)
        break
    raise RequestError(
        f"{path} has no state dict (tensors by name), neither directly nor as "
        f"{' or '.join(_WRAPPERS)}."
    )


def _unprefixed(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors
