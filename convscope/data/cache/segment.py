"""A file of pixels with its index: written once, then only read or removed."""

import os
import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.data.cache.tables import Tables
from convscope.regular_files import read_regular

INDEX, PIXELS = ".index", ".pixels"
"""The names of the two files end in these. The index is written last: without it there is none."""

_lock = threading.Lock()  # where a system cannot read at a position


@dataclass(eq=False)
class Segment:
    """An open file of pixels. They are read by position, not mapped into memory: a mapped file that
    is cut off ends the process, and its pages would count as this process's memory.
    """

    path: Path
    tables: Tables
    handle: int
    is_removed: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        weakref.finalize(self, os.close, self.handle)

    @classmethod
    def open(cls, index: Path) -> "Segment | None":
        """The segment of an index; None if either file is gone, damaged or cut off."""
        path = index.with_suffix(PIXELS)
        try:
            tables = Tables.from_bytes(read_regular(index))
            handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except (OSError, ValueError):
            return None
        segment = cls(path, tables, handle)
        return segment if os.fstat(handle).st_size >= tables.size else None

    def read_into(self, out: NDArray[np.uint8], offset: int) -> bool:
        """Fill an array with the bytes from `offset` on. Returns whether they are all there."""
        rest = out.data.cast("B")
        try:
            while len(rest):
                count = _read_at(self.handle, rest, offset)
                if count == 0:
                    return False
                rest, offset = rest[count:], offset + count
        except OSError:
            return False
        return True

    def mark_used(self) -> None:
        """Note the time, by which the longest unused segments are removed first."""
        with suppress(OSError):  # a folder that is only readable
            os.utime(self.path.with_suffix(INDEX))

    def remove(self) -> None:
        """Remove the files, the index first; what has them open reads on."""
        if not self.is_removed:
            self.is_removed = True
            remove(self.path)


def remove(pixels: Path) -> None:
    """Remove a segment by its file of pixels, the index first."""
    for path in (pixels.with_suffix(INDEX), pixels):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _read_at(handle: int, out: memoryview, offset: int) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(handle, [out], offset)
    with _lock:
        os.lseek(handle, offset, os.SEEK_SET)
        content = os.read(handle, len(out))
    out[: len(content)] = content
    return len(content)


def open_segments(folder: Path) -> list[Segment]:
    """The valid segments of a folder; none if it cannot be read."""
    segments = map(Segment.open, sorted(folder.glob(f"*{INDEX}")))
    return [segment for segment in segments if segment is not None]
