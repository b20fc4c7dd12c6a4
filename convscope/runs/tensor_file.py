"""Tensors on disk: safetensors with a digest of everything inside, and no pickle anywhere."""

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
    """A file of tensors that is cut off, altered, or not one."""


@dataclass(frozen=True)
class TensorFile:
    """What a file of tensors holds: the tensors by name, and metadata as strict JSON."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, Any]


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write atomically, then read back and compare with what was meant.

    Raises WorkError where it could not be written, Damaged where the disk gives back other bytes.
    """
    write_atomically(path, pack_tensors(tensors, metadata))
    load_tensors(path)


def pack_tensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> bytes:
    """The bytes that `load_tensors` reads from a file."""
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    text = json.dumps(metadata, ensure_ascii=False, allow_nan=False)
    return save(plain, {"metadata": text, "sha256": _digest(plain, text)})


def load_tensors(path: Path) -> TensorFile:
    """Read a file that `save_tensors` wrote. Raises Damaged, naming the path, for any other."""
    try:
        header, tensors = _read(path)
        text = header["metadata"]
        metadata = json.loads(text)
        is_valid = header["sha256"] == _digest(tensors, text)
    except FileNotFoundError as error:
        raise CorruptFileError(f"There is no {path}.") from error
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise CorruptFileError(
            f"{path} is damaged or not of convscope's making ({error})."
        ) from error
    if not is_valid:
        raise CorruptFileError(f"{path} is damaged: its content is not what was written.")
    return TensorFile(tensors, metadata)


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    opened: Any = safe_open(path, framework="pt")  # the package has no types
    with opened as file:
        return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    whole = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        if tensor.numel():
            whole.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return whole.hexdigest()
