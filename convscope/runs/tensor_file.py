"""Tensors on disk: safetensors with a digest of their content, and no pickle.

A file is what `safetensors.torch.save` writes with one metadata key, `convscope`, so equal content
gives equal bytes: the library writes several keys in random order. Its value is strict JSON with
sorted keys: `digest`, the SHA-256 of the file without these 64 digits, and `metadata`. Tensors are
written and read a few megabytes at a time; the library takes all of them in memory at once.
"""

import hashlib
import io
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import torch
from torch import Tensor

from convscope.atomic import replacing
from convscope.errors import WorkError
from convscope.regular_files import open_regular

_START = b'{"__metadata__":{"convscope":"{\\"digest\\":\\"'
_PLACE = 8 + len(_START)  # of the digest in the file
_DIGITS = 64
_CHUNK = 4 << 20  # bytes that are held at a time
_MAX_HEADER = 100_000_000  # bytes, as the library has it
_MAX_DIMENSIONS, _MAX_ELEMENTS = 64, 2**48
_DTYPES = {
    torch.uint64: "U64", torch.int64: "I64", torch.float64: "F64", torch.complex64: "C64",
    torch.float32: "F32", torch.uint32: "U32", torch.int32: "I32",
    torch.bfloat16: "BF16", torch.float16: "F16", torch.uint16: "U16", torch.int16: "I16",
    torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2",
    torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
"""In the order in which the library writes them: the largest elements first, so all are aligned."""
_DAMAGES = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
_BY_NAME = {name: dtype for dtype, name in _DTYPES.items()}


class CorruptFileError(WorkError):
    """A file of tensors that is missing, truncated, altered, or of another format."""


@dataclass(frozen=True)
class TensorFile:
    """The content of a file of tensors: tensors by name, and metadata, which are strict JSON."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, Any]


class _Hash(Protocol):
    def update(self, data: Any, /) -> None: ...
    def hexdigest(self) -> str: ...


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write a file, read it back to verify its digest, and only then let it replace an older one.

    Takes a few megabytes of memory beside the tensors, however large these are.

    Raises WorkError if it cannot be written, CorruptFileError if the disk returns other bytes.
    """
    header = _header(tensors, metadata)
    size = 8 + len(header) + sum(tensor.nbytes for tensor in tensors.values())
    with replacing(path, size=size, check=partial(_verify, path)) as file:
        _write(file, header, tensors)


def pack_tensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> bytes:
    """The content of a file for `load_tensors`."""
    file = io.BytesIO()
    _write(file, _header(tensors, metadata), tensors)
    return file.getvalue()


def load_tensors(path: Path) -> TensorFile:
    """Read a file of `save_tensors`. Raises CorruptFileError, naming the path, for any other."""
    try:
        with open_regular(path) as file:
            return _read(file)
    except FileNotFoundError as error:
        raise CorruptFileError(f"{path} does not exist.") from error
    except _WrongDigestError as error:
        raise CorruptFileError(f"{path} is damaged: its digest does not match.") from error
    except _DAMAGES as error:
        raise CorruptFileError(
            f"{path} is damaged or was not written by convscope ({error})."
        ) from error


def read_metadata(path: Path) -> Mapping[str, Any]:
    """The metadata of a file, without its tensors; empty for a file that is damaged.

    Their digest is not checked: that takes reading all of it, which `load_tensors` does.
    """
    try:
        with path.open("rb") as file:
            texts = _read_table(file)[1].pop("__metadata__")
        content: Any = json.loads(texts.get("convscope", "{}"))
        return {**(content["metadata"] if content else json.loads(texts["metadata"]))}
    except _DAMAGES:
        return {}


class _WrongDigestError(Exception):
    """The digest in a file is not that of its content."""


def _ordered(tensors: Mapping[str, Tensor]) -> list[tuple[str, Tensor]]:
    ranks = {dtype: rank for rank, dtype in enumerate(_DTYPES)}
    for name, tensor in tensors.items():
        if tensor.dtype not in ranks or tensor.layout != torch.strided:
            raise WorkError(
                f"{name} cannot be saved: it is a tensor of {tensor.dtype} and {tensor.layout}."
            )
    return sorted(tensors.items(), key=lambda item: (ranks[item[1].dtype], item[0]))


def _header(tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> bytes:
    """The header, with zeros for the digest."""
    content = {"digest": "0" * _DIGITS, "metadata": metadata}
    text = json.dumps(content, allow_nan=False, sort_keys=True, separators=(",", ":"))
    table: dict[str, Any] = {"__metadata__": {"convscope": text}}
    start = 0
    for name, tensor in _ordered(tensors):
        stop = start + tensor.nbytes
        table[name] = {
            "dtype": _DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, stop],
        }
        start = stop
    header = json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode()
    return header + b" " * (-len(header) % 8)


def _write(file: BinaryIO, header: bytes, tensors: Mapping[str, Tensor]) -> None:
    start = len(header).to_bytes(8, "little") + header
    hasher = _hash_of_start(start)
    file.write(start)
    for _, tensor in _ordered(tensors):
        for piece in _pieces(tensor.detach()):
            hasher.update(piece)
            file.write(piece)
    file.seek(_PLACE)
    file.write(hasher.hexdigest().encode())


def _pieces(tensor: Tensor) -> Iterator[memoryview]:
    """The bytes of a tensor in row-major order, a few megabytes at a time."""
    if not tensor.numel():
        return
    if tensor.nbytes <= _CHUNK:
        yield _bytes_of(tensor.cpu().contiguous())
    elif tensor.nbytes // len(tensor) > _CHUNK:
        for row in tensor:
            yield from _pieces(row)
    else:
        count = _CHUNK * len(tensor) // tensor.nbytes
        for begin in range(0, len(tensor), count):
            yield _bytes_of(tensor[begin : begin + count].cpu().contiguous())


def _bytes_of(tensor: Tensor) -> memoryview:
    """The memory of a contiguous tensor, whose stride along a side of one may be any number."""
    plain = tensor.resolve_conj().resolve_neg()
    return plain.as_strided((plain.numel(),), (1,)).view(torch.uint8).numpy().data


def _hash_of_start(start: bytes) -> _Hash:
    """The hash of the beginning of a file, without its digest."""
    hasher = hashlib.sha256(start[:_PLACE])
    hasher.update(start[_PLACE + _DIGITS :])
    return hasher


def _verify(path: Path, written: Path) -> None:
    """Raise CorruptFileError if what was written for `path` does not have its digest."""
    with written.open("rb") as file:
        start = file.read(_PLACE + _DIGITS)
        hasher, buffer = _hash_of_start(start), memoryview(bytearray(_CHUNK))
        while count := file.readinto(buffer):
            hasher.update(buffer[:count])
    if hasher.hexdigest().encode() != start[_PLACE:]:
        raise CorruptFileError(
            f"{path} could not be saved: the disk returned other bytes than were written."
        )


def _read_table(file: io.BufferedReader) -> tuple[bytes, dict[str, Any], int]:
    """The beginning of a file, the header in it, and the bytes that follow.

    Raises ValueError and its like for a file of another format.
    """
    start = file.read(8)
    size = int.from_bytes(start, "little")
    space = os.fstat(file.fileno()).st_size - 8 - size
    if len(start) < 8 or size > _MAX_HEADER or space < 0:
        raise ValueError("it does not begin as a safetensors file")
    start += file.read(size)
    return start, json.loads(start[8:].decode(), object_pairs_hook=_without_duplicates), space


def _read(file: io.BufferedReader) -> TensorFile:
    """Read and check a file. Raises ValueError and its like for one of another format."""
    start, table, space = _read_table(file)
    texts = table.pop("__metadata__")
    hasher = _hash_of_start(start)
    tensors = dict(_read_tensors(file, table, space, hasher))
    if "convscope" not in texts:
        return _earlier(tensors, texts)
    content: Any = json.loads(texts["convscope"])
    if not start[8:].startswith(_START) or content["digest"] != hasher.hexdigest():
        raise _WrongDigestError
    return TensorFile(tensors, {**content["metadata"]})


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in its header")
    return found


def _read_tensors(
    file: io.BufferedReader, table: Mapping[str, Any], space: int, hasher: _Hash
) -> Iterator[tuple[str, Tensor]]:
    """The tensors in the order in which they lie in the file, which has `space` bytes for them."""
    place = 0
    for name, entry in sorted(table.items(), key=lambda item: item[1]["data_offsets"]):
        dtype, shape = _BY_NAME[entry["dtype"]], entry["shape"]
        length = _num_elements(name, shape) * dtype.itemsize
        if entry["data_offsets"] != [place, place + length] or place + length > space:
            raise ValueError(f"{name} does not lie where its shape says")
        tensor = torch.empty(shape, dtype=dtype)
        for piece in _pieces(tensor):
            if file.readinto(piece) != len(piece):
                raise ValueError("it ends early")
            hasher.update(piece)
        place += length
        yield name, tensor
    if place != space:
        raise ValueError("it has bytes that belong to no tensor")


def _num_elements(name: str, shape: list[object]) -> int:
    """How many elements a shape has. Raises ValueError for one that no tensor has."""
    sides = [side for side in shape if type(side) is int and side >= 0]
    too_large = math.prod(max(side, 1) for side in sides) > _MAX_ELEMENTS
    if len(sides) < len(shape) or len(shape) > _MAX_DIMENSIONS or too_large:
        raise ValueError(f"{name} has an impossible shape")
    return math.prod(sides)


def _earlier(tensors: Mapping[str, Tensor], texts: Mapping[str, str]) -> TensorFile:
    """The content of an older file, which has the metadata keys `metadata` and `sha256`."""
    text = texts["metadata"]
    hasher = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        hasher.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        if tensor.numel():
            hasher.update(_bytes_of(tensor))
    if hasher.hexdigest() != texts["sha256"]:
        raise _WrongDigestError
    return TensorFile(tensors, {**json.loads(text)})
