"""Tensors on disk: safetensors with a digest of their content, and no pickle.

A file is what `safetensors.torch.save` writes with one metadata key, `convscope`, so equal content
gives equal bytes: the library writes several keys in random order. Its value is strict JSON with
sorted keys: `digest`, the SHA-256 of the file without these 64 digits, and `metadata`. Tensors are
written and verified a few megabytes at a time; the library takes all of them in memory at once.
"""

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from torch import Tensor

from convscope.atomic import replacing
from convscope.errors import WorkError
from convscope.regular_files import NotRegularError, open_regular
from convscope.runs.tensor_layout import (
    CHUNK,
    Place,
    ordered,
    pieces,
    places_of,
    read_tensor,
    table_of,
)

_START = b'{"__metadata__":{"convscope":"{\\"digest\\":\\"'
_PLACE = 8 + len(_START)  # of the digest in the file
_DIGITS = 64
_MAX_HEADER = 100_000_000  # bytes, as the library has it
_DAMAGES = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


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
    with _reading(path) as file:
        return _read(file)


def open_tensors(path: Path) -> TensorFile:
    """Check a file of `save_tensors`, as `load_tensors`; each tensor is read when it is asked for.

    Asking raises CorruptFileError once the file has been replaced or changed.
    """
    with _reading(path) as file:
        start, table, space = _read_table(file)
        texts = table.pop("__metadata__")
        if "convscope" not in texts:
            file.seek(0)
            return _read(file)
        places = dict(places_of(table, space))
        hasher = _hash_of_start(start)
        _hash_rest(file, hasher)
        metadata = _checked_metadata(start, texts, hasher)
        return TensorFile(_StoredTensors(path, places, len(start), _stamp(file)), metadata)


def read_metadata(path: Path) -> Mapping[str, Any]:
    """The metadata of a file, without its tensors; empty for a file that is damaged.

    Their digest is not checked: that takes reading all of it, which `load_tensors` does.
    """
    try:
        with open_regular(path) as file:
            texts = _read_table(file)[1].pop("__metadata__")
        content: Any = json.loads(texts.get("convscope", "{}"))
        return {**(content["metadata"] if content else json.loads(texts["metadata"]))}
    except _DAMAGES:
        return {}


class _WrongDigestError(Exception):
    """The digest in a file is not that of its content."""


@contextlib.contextmanager
def _reading(path: Path) -> Generator[io.BufferedReader]:
    """The file, and CorruptFileError for whatever is wrong with it."""
    try:
        with open_regular(path) as file:
            yield file
    except FileNotFoundError as error:
        raise CorruptFileError(f"{path} does not exist.") from error
    except _WrongDigestError as error:
        raise CorruptFileError(f"{path} is damaged: its digest does not match.") from error
    except NotRegularError as error:
        raise CorruptFileError(f"{path} is {error.kind}, not a file.") from error
    except _DAMAGES as error:
        raise CorruptFileError(
            f"{path} is damaged or was not written by convscope ({error})."
        ) from error


class _StoredTensors(Mapping[str, Tensor]):
    """The tensors in a file that was checked, read one by one."""

    def __init__(
        self, path: Path, places: Mapping[str, Place], first: int, stamp: tuple[int, ...]
    ) -> None:
        self._path, self._places, self._first, self._stamp = path, places, first, stamp

    def __getitem__(self, name: str) -> Tensor:
        place = self._places[name]
        with _reading(self._path) as file:
            if _stamp(file) != self._stamp:
                raise CorruptFileError(f"{self._path} was changed while it was read.")
            file.seek(self._first + place.start)
            return read_tensor(file, place)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _stamp(file: io.BufferedReader) -> tuple[int, ...]:
    """What changes with a file's content or with the file."""
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _header(tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> bytes:
    """The header, with zeros for the digest."""
    content = {"digest": "0" * _DIGITS, "metadata": metadata}
    text = json.dumps(content, allow_nan=False, sort_keys=True, separators=(",", ":"))  # noqa: TID251
    table = {"__metadata__": {"convscope": text}, **table_of(tensors)}
    header = json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode()  # noqa: TID251
    return header + b" " * (-len(header) % 8)


def _write(file: BinaryIO, header: bytes, tensors: Mapping[str, Tensor]) -> None:
    start = len(header).to_bytes(8, "little") + header
    hasher = _hash_of_start(start)
    file.write(start)
    for _, tensor in ordered(tensors):
        for piece in pieces(tensor.detach()):
            hasher.update(piece)
            file.write(piece)
    file.seek(_PLACE)
    file.write(hasher.hexdigest().encode())


def _hash_of_start(start: bytes) -> _Hash:
    """The hash of the beginning of a file, without its digest."""
    hasher = hashlib.sha256(start[:_PLACE])
    hasher.update(start[_PLACE + _DIGITS :])
    return hasher


def _hash_rest(file: io.BufferedReader, hasher: _Hash) -> None:
    buffer = memoryview(bytearray(CHUNK))
    while count := file.readinto(buffer):
        hasher.update(buffer[:count])


def _verify(path: Path, written: Path) -> None:
    """Raise CorruptFileError if what was written for `path` does not have its digest."""
    with written.open("rb") as file:
        start = file.read(_PLACE + _DIGITS)
        hasher = _hash_of_start(start)
        _hash_rest(file, hasher)
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


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in its header")
    return found


def _read(file: io.BufferedReader) -> TensorFile:
    """Read and check a file. Raises ValueError and its like for one of another format."""
    start, table, space = _read_table(file)
    texts = table.pop("__metadata__")
    hasher = _hash_of_start(start)
    tensors: dict[str, Tensor] = {}
    for name, place in places_of(table, space):
        tensors[name] = read_tensor(file, place)
        for piece in pieces(tensors[name]):
            hasher.update(piece)
    if "convscope" not in texts:
        return _earlier(tensors, texts)
    return TensorFile(tensors, _checked_metadata(start, texts, hasher))


def _checked_metadata(start: bytes, texts: Mapping[str, str], hasher: _Hash) -> dict[str, Any]:
    """The metadata of a file that has this hash. Raises _WrongDigestError for any other."""
    content: Any = json.loads(texts["convscope"])
    if not start[8:].startswith(_START) or content["digest"] != hasher.hexdigest():
        raise _WrongDigestError
    return {**content["metadata"]}


def _earlier(tensors: Mapping[str, Tensor], texts: Mapping[str, str]) -> TensorFile:
    """The content of an older file, which has the metadata keys `metadata` and `sha256`."""
    text = texts["metadata"]
    hasher = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        hasher.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        for piece in pieces(tensor):
            hasher.update(piece)
    if hasher.hexdigest() != texts["sha256"]:
        raise _WrongDigestError
    return TensorFile(tensors, {**json.loads(text)})
