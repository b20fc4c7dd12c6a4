"""Tensors on disk: safetensors with a digest of their content, and no pickle."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from convscope.atomic import write_atomically
from convscope.errors import WorkError


class CorruptFileError(WorkError):
    """A file of tensors that is missing, truncated, altered, or of another format."""


@dataclass(frozen=True)
class TensorFile:
    """The content of a file of tensors: tensors by name, and metadata, which are strict JSON."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, Any]


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write a file atomically, then read it back and verify its digest.

    Raises WorkError if it cannot be written, CorruptFileError if the disk returns other bytes.
    """
    write_atomically(path, pack_tensors(tensors, metadata))
    load_tensors(path)


def pack_tensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> bytes:
    """The content of a file for `load_tensors`."""
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    text = json.dumps(metadata, ensure_ascii=False, allow_nan=False)
    return save(plain, {"metadata": text, "sha256": _digest(plain, text)})


def load_tensors(path: Path) -> TensorFile:
    """Read a file of `save_tensors`. Raises CorruptFileError, naming the path, for any other."""
    try:
        header, tensors = _read(path)
        text = header["metadata"]
        metadata = json.loads(text)
        is_valid = header["sha256"] == _digest(tensors, text)
    except FileNotFoundError as error:
        raise CorruptFileError(f"{path} does not exist.") from error
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise CorruptFileError(
            f"{path} is damaged or was not written by convscope ({error})."
        ) from error
    if not is_valid:
        raise CorruptFileError(f"{path} is damaged: its digest does not match.")
    return TensorFile(tensors, metadata)


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    context: Any = safe_open(path, framework="pt")  # the package has no types
    with context as file:
        return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    hasher = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        hasher.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        if tensor.numel():
            hasher.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return hasher.hexdigest()
