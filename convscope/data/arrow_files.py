"""Images in the columns of Arrow and Parquet files, as Hugging Face's `datasets` writes them.

- An Arrow file (`save_to_disk`) has each image in one piece, which is read where it lies.
- A Parquet file has them in groups of rows that are decompressed together; the last two groups that
  were read are kept.

The storage of an image is a record of `bytes` and `path`, or bytes alone, or a path.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from convscope.data.archives import Archive, Member, stamp_of
from convscope.data.arrow_schema import import_arrow
from convscope.data.decode import read_file
from convscope.data.unreadable import UnreadableImage
from convscope.errors import RequestError

_KEPT_GROUPS = 2  # of a Parquet file, since two threads may stand in different ones
ReadContent = Callable[[int], bytes]


@dataclass(frozen=True)
class ArrowFile:
    """A table in a file.

    Attributes:
        schema: pyarrow's.
        column: reads all values of a column that is small: labels, groups.
        paths: reads the `path` of each image in a column, or None where it has none.
        images: the reader of the encoded images in a column.
    """

    path: Path
    schema: Any
    column: Callable[[str], Any]
    paths: Callable[[str], list[str | None] | None]
    images: Callable[[str], ReadContent]


def open_parquet(path: Path) -> ArrowFile:
    """Raises RequestError for a file that is not Parquet, or is damaged."""
    parquet = import_arrow(path, "pyarrow.parquet")
    file = _checked(path, lambda: parquet.ParquetFile(path))

    def column(name: str) -> Any:
        return _checked(path, lambda: file.read(columns=[name])).column(name)

    def paths(name: str) -> list[str | None] | None:
        if f"{name}.path" not in {leaf.path for leaf in _leaves(file)}:
            return None
        table = _checked(path, lambda: file.read(columns=[f"{name}.path"]))
        return [None if one is None else one["path"] for one in table.column(name).to_pylist()]

    def images(name: str) -> ReadContent:
        counts = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
        return _GroupReader(path, file, name, np.cumsum([0, *counts])).content

    return ArrowFile(path, file.schema_arrow, column, paths, images)


def open_arrow(path: Path) -> ArrowFile:
    """Raises RequestError for a file that is no stream of Arrow, or is damaged."""
    arrow = import_arrow(path)

    def read() -> tuple[Any, int, int]:
        with arrow.memory_map(str(path)) as mapped:
            size = mapped.size()
            address = mapped.read_buffer(1).address
            mapped.seek(0)
            return arrow.ipc.open_stream(mapped).read_all(), address, size

    stamp = stamp_of(path)
    table, address, size = _checked(path, read)

    def column(name: str) -> Any:
        return table.column(name)

    def paths(name: str) -> list[str | None] | None:
        kind = table.schema.field(name).type
        if "path: string" not in str(kind):
            return None
        chunks = table.column(name).chunks
        return [one for chunk in chunks for one in chunk.field("path").to_pylist()]

    def images(name: str) -> ReadContent:
        members, others = _members(path, table.column(name), address, size)
        archive = Archive(path, stamp, members)

        def content(index: int) -> bytes:
            key = str(index)
            return archive.read(key) if key in members else _of_value(others[index], path)

        return content

    return ArrowFile(path, table.schema, column, paths, images)


def _members(
    path: Path, column: Any, address: int, size: int
) -> tuple[dict[str, Member], dict[int, Any]]:
    """Where the bytes of each image lie in the file, and the values that have none, by index."""
    members: dict[str, Member] = {}
    others: dict[int, Any] = {}
    start = 0
    for chunk in column.chunks:
        inner = chunk.field("bytes") if str(chunk.type).startswith("struct<") else chunk
        if "binary" not in str(inner.type):
            others |= {start + n: value for n, value in enumerate(chunk.to_pylist())}
            start += len(chunk)
            continue
        kind = np.int64 if str(inner.type) == "large_binary" else np.int32
        _, starts, data = inner.buffers()
        offsets = np.frombuffer(starts, kind)[inner.offset : inner.offset + len(inner) + 1]
        base = (0 if data is None else data.address) - address
        valid = inner.is_valid().to_numpy(zero_copy_only=False)
        if valid.any() and data is not None and not 0 <= base <= size:
            raise RequestError(f"{path} is compressed, so its images cannot be read in place. Save "
                               "it without compression, as save_to_disk() does.")  # fmt: skip
        for n, is_there in enumerate(valid.tolist()):
            if is_there:
                length = int(offsets[n + 1] - offsets[n])
                members[str(start + n)] = Member(base + int(offsets[n]), length, length)
            else:
                others[start + n] = chunk[n].as_py()
        start += len(chunk)
    return members, others


@dataclass
class _GroupReader:
    """Reads images out of a Parquet file, a group of rows at a time, one thread at a time.

    Attributes:
        starts: the first row of each group, and the number of all rows.
    """

    path: Path
    file: Any
    column: str
    starts: Any
    kept: OrderedDict[int, Any] = field(default_factory=OrderedDict[int, Any])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def content(self, index: int) -> bytes:
        number = int(np.searchsorted(self.starts, index, side="right")) - 1
        with self.lock:
            value = self._group(number)[index - int(self.starts[number])].as_py()
        return _of_value(value, self.path)

    def _group(self, number: int) -> Any:
        if number in self.kept:
            self.kept.move_to_end(number)
            return self.kept[number]
        try:
            table = self.file.read_row_group(number, columns=[self.column])
        except Exception as error:  # whatever pyarrow raises
            raise UnreadableImage(
                f"is in {self.path.name}, which cannot be read there ({error})"
            ) from error
        while len(self.kept) >= _KEPT_GROUPS:
            self.kept.popitem(last=False)
        self.kept[number] = table.column(self.column)
        return self.kept[number]


def _of_value(value: Any, path: Path) -> bytes:
    """The bytes of an image as it is stored, or of the file that it names."""
    if isinstance(value, bytes):
        return value
    record = cast("dict[str, Any]", value) if isinstance(value, dict) else {"path": value}
    content, name = record.get("bytes"), record.get("path")
    if isinstance(content, bytes):
        return content
    if not isinstance(name, str):
        raise UnreadableImage("has neither bytes nor a path in its table")
    return read_file(path.parent / name)


def check_first(file: ArrowFile, read: ReadContent, paths: Sequence[str | None] | None) -> None:
    """Raise RequestError where a table names files that are not here instead of holding them."""
    try:
        read(0)
    except UnreadableImage as error:
        name = paths[0] if paths else None
        if name is not None and str(error) == "does not exist":
            raise RequestError(
                f"{file.path} holds the paths of images, not the images, and the first, {name}, "
                "does not exist here. to_parquet() writes paths of images that were files; "
                "save_to_disk() and push_to_hub() write the images."
            ) from error


def _leaves(file: Any) -> list[Any]:
    return [file.schema.column(n) for n in range(len(file.schema.names))]


def _checked(path: Path, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Exception as error:  # whatever pyarrow raises
        raise RequestError(f"{path} cannot be read ({type(error).__name__}: {error}).") from error
