"""Open the files of Keras: .keras, .h5 of a whole network, JSON of an architecture."""

import io
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from convscope.errors import RequestError
from convscope.foreign.keras.weights import READ_ERRORS, NamedStore, NumberedStore, Store, library
from convscope.regular_files import open_regular
from convscope.strict import parse_json

_MAX_CONFIG = 100_000_000  # bytes
_MAX_UNPACKED = 8_000_000_000
_MOST_PER_PACKED = 200  # bytes that one packed byte may stand for
_CONFIG, _WEIGHTS, _METADATA = "config.json", "model.weights.h5", "metadata.json"


@dataclass(frozen=True)
class KerasFile:
    """What a file has: the JSON of the network, its weights, and whether Keras 1 or 2 wrote it."""

    content: Any
    store: Store | None
    is_old: bool


@contextmanager
def open_keras(path: Path) -> Generator[KerasFile]:
    """Open a file for as long as the block lasts.

    Raises RequestError for what is none of Keras, is damaged, or needs h5py where it is missing.
    """
    with open_regular(path) as file:
        start = file.read(8)
        file.seek(0)
        if start.startswith(b"PK"):
            with _zipped(file, path) as opened:
                yield opened
        elif start == b"\x89HDF\r\n\x1a\n":
            with _hdf5(file, str(path)) as data:
                yield _whole(data, path)
        else:
            raise RequestError(
                f"{path} is neither a .keras file nor HDF5, as Keras saves networks. Save it again "
                "with `model.save('network.keras')`."
            )


@contextmanager
def _zipped(file: BinaryIO, path: Path) -> Generator[KerasFile]:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise RequestError(
            f"{path} is damaged: a zip without its end, as of a download that broke off. Download "
            "or save it again."
        ) from error
    with archive:
        names = archive.namelist()
        if _CONFIG not in names:
            raise RequestError(
                f"{path} is a zip archive without {_CONFIG}, and no network of Keras."
            )
        content = parse_json(_text(archive, _CONFIG, path), where=f"{path}, {_CONFIG}")
        is_old = False
        if _METADATA in names:
            about: Any = parse_json(_text(archive, _METADATA, path), where=f"{path}, {_METADATA}")
            found = cast("dict[str, Any]", about) if isinstance(about, dict) else {}
            is_old = _is_old(found.get("keras_version"))
        if _WEIGHTS not in names:
            shards = any(name.startswith("model.weights") for name in names)
            why = "weights in several files" if shards else "no weights"
            raise RequestError(
                f"{path} has {why}. Save the network whole: `model.save('network.keras')`."
            )
        with _member(archive, path) as member, _hdf5(member, f"{path}, {_WEIGHTS}") as data:
            yield KerasFile(content, NumberedStore(data, str(path)), is_old)


@contextmanager
def _member(archive: zipfile.ZipFile, path: Path) -> Generator[BinaryIO]:
    """The weights in a zip: where they lie, or unpacked in memory."""
    info = archive.getinfo(_WEIGHTS)
    _check_size(info, path, _MAX_UNPACKED)
    try:
        with archive.open(info) as member:
            if info.compress_type == zipfile.ZIP_STORED:
                yield member  # pyright: ignore[reportReturnType] -- it can seek
            else:
                yield io.BytesIO(member.read(info.file_size))
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError) as error:
        raise RequestError(f"{path} is damaged ({error}). Save or download it again.") from error


def _text(archive: zipfile.ZipFile, name: str, path: Path) -> str:
    info = archive.getinfo(name)
    _check_size(info, path, _MAX_CONFIG)
    try:
        with archive.open(info) as member:
            return member.read(_MAX_CONFIG).decode("utf-8", "replace")
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, RuntimeError) as error:
        raise RequestError(f"{path} is damaged ({error}). Save or download it again.") from error


def _check_size(info: zipfile.ZipInfo, path: Path, limit: int) -> None:
    if info.flag_bits & 1:
        raise RequestError(f"{path} is encrypted. Unpack it, and pack it without a password.")
    if info.file_size > min(limit, info.compress_size * _MOST_PER_PACKED + 1_000_000):
        raise RequestError(
            f"{path}: {info.filename} would take {info.file_size:,} bytes, which is more than a "
            "network needs."
        )


@contextmanager
def _hdf5(file: BinaryIO, where: str) -> Generator[Any]:
    h5py = library()
    try:
        opened = h5py.File(file, "r")
    except READ_ERRORS as error:
        raise RequestError(
            f"{where} is damaged ({str(error).splitlines()[0][:150]}). Save or download it again."
        ) from error
    with opened:
        yield opened


def _whole(data: Any, path: Path) -> KerasFile:
    """The older form: architecture and weights in one HDF5 file."""
    try:
        text: Any = data.attrs.get("model_config")
        version: Any = data.attrs.get("keras_version")
        group = data.get("model_weights")
    except READ_ERRORS as error:
        raise RequestError(f"{path} is damaged ({error}). Save or download it again.") from error
    if text is None or group is None:
        raise RequestError(
            f"{path} has weights without the network that they belong to. Save it whole: "
            "`model.save('network.keras')`."
        )
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    version = version.decode("ascii", "replace") if isinstance(version, bytes) else version
    if str(version).startswith("1"):
        raise RequestError(
            f"{path} is of Keras {version}. Load it with Keras 2, and save it again."
        )
    content = parse_json(text, where=f"{path}, model_config")
    return KerasFile(content, NamedStore(group, str(path)), _is_old(version))


def _is_old(version: object) -> bool:
    return str(version or "2").startswith(("1", "2"))
