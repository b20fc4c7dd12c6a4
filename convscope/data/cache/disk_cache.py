"""The decoded images of one data set: those that are in the cache, and those that are added."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import filelock
import numpy as np
from numpy.typing import NDArray

from convscope.card import Card
from convscope.data.cache.address import decoded_dir, folder_name
from convscope.data.cache.lock import lock_folder
from convscope.data.cache.segment import open_segments
from convscope.data.cache.space import make_room, remove_unfinished
from convscope.data.cache.store import Found, Places, Store, is_settled, status_of
from convscope.data.cache.tables import pixels_id
from convscope.data.cache.writer import CacheWriter
from convscope.data.dataset import FileStatus, ImageSource
from convscope.data.depth import DeepImage, ValueRange
from convscope.data.first_reading import FirstReading, ReadImage
from convscope.data.larger import read_whole
from convscope.data.resize import resize_image

Progress = Callable[[int, int], None]


@dataclass(eq=False)
class DiskCache:
    """Decoded images on disk, of one data set as one card reads it.

    Attributes:
        images: of the data set.
        is_larger: (n,) whether an image is kept whole; others are kept as they are fed.
        side: to which whole images are scaled; None if there are none.
        reason: why nothing can be written, or can be any more; or "".
        reading: what is known of all images.
    """

    images: ImageSource
    card: Card
    is_larger: NDArray[np.bool_]
    side: int | None
    workers: int
    on_progress: Progress = lambda done, total: None
    reason: str = ""
    reading: FirstReading = field(init=False)
    _statuses: Sequence[FileStatus | None] = field(init=False)
    _store: Store = field(init=False)
    _found: Found = field(init=False)
    _opened: int = field(init=False)
    _writer: CacheWriter | None = None
    _lock: filelock.BaseFileLock | None = None

    @property
    def folder(self) -> Path:
        """Where the pixels lie."""
        return decoded_dir() / folder_name(self.card, self.side)

    def open(self, *, limit: float | None, image_bytes: float, on_wait: Callable[[], None]) -> None:
        """Find what is there, and make ready to add what is missing, or say the `reason` why not.

        Args:
            limit: bytes that all decoded images of all data may take, see `make_room`.
            image_bytes: that a missing image is expected to take.
            on_wait: called before another process that writes is waited for.
        """
        self._find()
        missing = self._missing()
        if not missing:
            return
        try:
            self._lock = lock_folder(self.folder, on_wait=on_wait)
            if self._lock is None:
                self.reason = f"another process has locked {self.folder} and does not write"
                return
            if remove_unfinished(self.folder) != {one.path for one in self._store.segments}:
                self._find()  # another process has written meanwhile
                missing = self._missing()
                remove_unfinished(self.folder, valid={one.path for one in self._store.segments})
            needed = int(len(missing) * image_bytes)
            keep = {one.path for one in self.kept().used()}
            self.reason = make_room(decoded_dir(), needed, limit=limit, keep=keep)
        except OSError as error:
            self.reason = f"it cannot be written to ({error.strerror or error})"
        if missing and not self.reason:
            self._writer = CacheWriter(self.folder)

    def fill(self) -> None:
        """Read the images that are missing, and add them."""
        try:
            self._read(self._missing(), self.card)
            if self._writer is not None:  # deep images of another range than that of all
                card = replace(self.card, value_range=self.value_range)
                self._read([i for i in self._missing() if i in self.reading.survey.depths], card)
        finally:
            self.close()
        self._note_statuses()

    def close(self) -> None:
        """Give up what is not complete, and the lock."""
        if self._writer is not None:
            self._writer.discard()
            self._writer = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def value_range(self) -> ValueRange | None:
        """By which images of more than 8 bits are scaled."""
        return self.card.value_range or self.reading.survey.value_range

    def places(self, *, is_whole: bool) -> Places:
        """Where pixels are, of whole images or of images as they are fed."""
        depths, value_range = self.reading.survey.depths, self.value_range
        ranges = [value_range if i in depths else None for i in range(len(self.images))]
        return self._store.places(self.reading.digests, ranges, is_whole=is_whole)

    def kept(self) -> Places:
        """The places of all images, each as it is kept."""
        places = self.places(is_whole=False)
        if self.side is not None:
            whole = self.places(is_whole=True)
            places.rows[self.is_larger] = whole.rows[self.is_larger]
        return places

    def add(self, read: ReadImage, card: Card) -> None:
        """Scale an image and write it. Raises UnreadableImage as `resize_image` does."""
        is_whole = self.side is not None and bool(self.is_larger[read.index])
        if self.side is not None and is_whole:
            pixels = read_whole(self.images, read.index, card, self.side, read.image)
        else:
            pixels = resize_image(read.image, card)
        if self._writer is None:
            return
        value_range = None
        if isinstance(read.image, DeepImage):
            value_range = card.value_range or read.image.value_range
        key = pixels_id(read.digest, is_whole=is_whole, value_range=value_range)
        survey = self.reading.survey
        self._writer.add_pixels(key, pixels)
        self._writer.add_image(read.index, read.digest, read.pixel_digest, survey)
        self._add_status(self._writer, read.index, read.digest)

    def _find(self) -> None:
        """Open the segments, and take over what they know of the images."""
        self._opened = time.time_ns()
        self._statuses = [status_of(self.images, i) for i in range(len(self.images))]
        self._store = Store(open_segments(self.folder))
        found = self._store.find(
            self.images, self._statuses, workers=self.workers, on_progress=self.on_progress
        )
        self._found = found
        self.reading = FirstReading(found.digests, found.pixel_digests, found.survey)

    def _missing(self) -> list[int]:
        """Images that are to be read: those that are not known, or whose pixels are not there."""
        is_missing = ~(self._found.is_known & self.kept().are_there)
        is_missing[list(self.reading.problems)] = False
        return np.flatnonzero(is_missing).tolist()

    def _read(self, indices: list[int], card: Card) -> None:
        self.reading.read_all(
            self.images, indices, card, self, workers=self.workers, on_progress=self.on_progress
        )
        self._found.is_known[indices] = True
        if self._writer is not None and indices:
            self._writer.commit()
            self._store = Store(open_segments(self.folder))
            self.reason = self._writer.error

    def _add_status(self, writer: CacheWriter, index: int, digest: bytes) -> None:
        """Write the status of a file, by which its digest is known the next time."""
        status = self._statuses[index]
        if status is not None and is_settled(status, self._opened):
            writer.add_file(status, digest)

    def _note_statuses(self) -> None:
        """Write the status of files that were known by their digest alone, if no one else writes:
        those of a data set that was moved, for example.
        """
        moved = [i for i in self._found.by_content if self._found.is_known[i]]
        if not moved or self.reason:
            return
        with suppress(OSError, filelock.Timeout), filelock.FileLock(self.folder / ".lock", 0):
            writer = CacheWriter(self.folder)
            for index in moved:
                self._add_status(writer, index, self._found.digests[index])
            writer.commit()
