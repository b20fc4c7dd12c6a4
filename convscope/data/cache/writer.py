"""Add decoded images to the cache, one segment after the other, from any number of threads."""

import secrets
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from convscope.atomic import WriteError, write_atomically
from convscope.data.cache.segment import INDEX, PIXELS, remove
from convscope.data.cache.tables import FILES, IMAGES, Tables, key_of, table
from convscope.data.cache.tables import PIXELS as PIXEL_ROWS
from convscope.data.dataset import FileStatus
from convscope.data.survey import ImageSurvey

SEGMENT = 1 << 30
"""Bytes after which a file of pixels is complete: what is lost at most by a kill or by damage."""


@dataclass(eq=False)
class _Part:
    """A segment that is being written."""

    path: Path
    file: BinaryIO
    files: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    images: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    pixels: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    notes: dict[str, int] = field(default_factory=dict[str, int])
    size: int = 0

    @property
    def is_empty(self) -> bool:
        return not (self.files or self.images or self.pixels)

    def commit(self) -> None:
        """Complete the pixels, then write the index, which makes them count.

        The disk is not waited for: it writes while the training runs. What a power failure loses of
        the pixels, their checksums show.
        """
        self.file.close()
        tables = Tables(
            table(self.files, FILES), table(self.images, IMAGES), table(self.pixels, PIXEL_ROWS),
            tuple(self.notes), self.size,
        )  # fmt: skip
        write_atomically(self.path.with_suffix(INDEX), tables.to_bytes())

    def discard(self) -> None:
        with suppress(OSError):
            self.file.close()
        remove(self.path)


@dataclass(eq=False)
class CacheWriter:
    """Writes into a folder, whose lock the caller holds.

    The first error of the disk ends the writing: it is kept in `error`, what was complete before
    stays, and everything after it is passed over. Nothing is raised.
    """

    folder: Path
    error: str = ""
    written: int = 0
    _part: _Part | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add_image(
        self, index: int, digest: bytes, pixel_digest: NDArray[np.uint8], survey: ImageSurvey
    ) -> None:
        """Add what reading an image showed. `digest` is that of its file."""
        depth = survey.depths.get(index)
        deep = (depth.value_range, depth.extremes) if depth else ((0, 0), (0, 0))
        with self._writing() as part:
            if part is None:
                return
            note, window = (
                -1 if text is None else part.notes.setdefault(text, len(part.notes))
                for text in (survey.notes.get(index), survey.windows.get(index))
            )
            is_declared = depth is not None and depth.is_declared
            part.images.append(
                (
                    digest,
                    pixel_digest.tobytes(),
                    depth is not None,
                    is_declared,
                    *deep,
                    note,
                    window,
                )
            )

    def add_file(self, status: FileStatus, digest: bytes) -> None:
        """Add the status that a file had before it was read."""
        with self._writing() as part:
            if part is not None:
                part.files.append((key_of(status.name), *status[1:], digest))

    def add_pixels(self, key: bytes, pixels: NDArray[np.uint8]) -> None:
        """Add scaled pixels (h, w, c) under what `pixels_id` makes of them."""
        content = np.ascontiguousarray(pixels).data.cast("B")
        check = crc32(content)
        with self._writing() as part:
            if part is not None:
                _write_all(part.file, content)
                part.pixels.append((key, part.size, pixels.shape, check))
                part.size += len(content)
                self.written += len(content)

    def commit(self) -> None:
        """Complete what has been written since the last segment was complete."""
        with self._lock:
            part, self._part = self._part, None
        self._complete(part)

    def discard(self) -> None:
        """Remove what is not complete."""
        with self._lock:
            part, self._part = self._part, None
            if part is not None:
                part.discard()

    @contextmanager
    def _writing(self) -> Generator[_Part | None]:
        """The segment to add to, for this thread alone; None once there was an error."""
        full = None
        with self._lock:
            try:
                if self._part is None and not self.error:
                    path = self.folder / f"{secrets.token_hex(8)}{PIXELS}"
                    self._part = _Part(path, path.open("xb", buffering=0))
                yield self._part
            except OSError as error:
                self._fail(error)
            if self._part is not None and self._part.size >= SEGMENT:
                full, self._part = self._part, None
        self._complete(full)

    def _fail(self, error: OSError | WriteError) -> None:
        """Give up, while the lock is held."""
        part, self._part = self._part, None
        self.error = self.error or getattr(error, "strerror", None) or str(error)
        if part is not None:
            part.discard()

    def _complete(self, part: _Part | None) -> None:
        if part is None:
            return
        if part.is_empty:
            part.discard()
            return
        try:
            part.commit()
        except (OSError, WriteError) as error:
            part.discard()
            with self._lock:
                self._fail(error)


def _write_all(file: BinaryIO, content: memoryview) -> None:
    """Write everything: a raw file may take less at a time, as of more than 2 GiB."""
    while len(content):
        content = content[file.write(content) :]
