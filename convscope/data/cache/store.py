"""What is cached of a data set: found by the status of each file, and by its digest if need be."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.data.cache.segment import Segment
from convscope.data.cache.tables import key_of, keys_of, pixels_id
from convscope.data.dataset import (
    ConcatImages,
    FileStatus,
    ImageSource,
    StoredImages,
    SubsetImages,
)
from convscope.data.depth import ValueRange
from convscope.data.labeled import NumberedImages
from convscope.data.pixel_digests import SIZE
from convscope.data.pool import decoding_pool, wait_for
from convscope.data.survey import Depth, ImageSurvey
from convscope.data.unreadable import UnreadableImage

_SETTLED = 2_000_000_000  # nanoseconds after which a change of a file shows in its status
_REPORT = 64  # files whose digests are read from one call of `on_progress` to the next


def stored_image(images: ImageSource, index: int) -> tuple[StoredImages, int] | None:
    """The source of files that an image is from, and its index there; None if it is not a file."""
    while not isinstance(images, StoredImages):
        match images:
            case ConcatImages():
                images, index = images.locate(index)
            case SubsetImages():
                images, index = images.source, int(images.indices[index])
            case NumberedImages():
                images = images.source
            case _:
                return None
    return images, index


def are_stored(images: ImageSource) -> bool:
    """Whether all images of a source lie in files."""
    match images:
        case ConcatImages():
            return all(are_stored(part) for part in images.parts)
        case SubsetImages() | NumberedImages():
            return are_stored(images.source)
        case _:
            return isinstance(images, StoredImages)


def status_of(images: ImageSource, index: int) -> FileStatus | None:
    """The status of an image's file; None if it has none, or is gone."""
    if (found := stored_image(images, index)) is None:
        return None
    try:
        return found[0].status(found[1])
    except (OSError, ValueError):
        return None


def is_settled(status: FileStatus, now: int | None = None) -> bool:
    """Whether a file changed so long ago that a change after `now` gives it another status.

    Times of files have the resolution of a clock's tick, or of two seconds.
    """
    now = time.time_ns() if now is None else now
    return max(status.changed, status.modified) < now - _SETTLED


@dataclass
class Found:
    """What is known of images before any of them is decoded, by index.

    Attributes:
        digests: of the files; b"" for unknown ones.
        pixel_digests: (n, 16); zeros for unknown ones.
        is_known: (n,) whether both are there.
        survey: of the images that are known.
        by_content: the indices of files that had another status, and were read for their digests.
    """

    digests: list[bytes]
    pixel_digests: NDArray[np.uint8]
    is_known: NDArray[np.bool_]
    survey: ImageSurvey = field(default_factory=ImageSurvey)
    by_content: Sequence[int] = ()


@dataclass
class Store:
    """The open segments of one folder."""

    segments: list[Segment]

    def find(
        self,
        images: ImageSource,
        statuses: Sequence[FileStatus | None],
        *,
        workers: int,
        on_progress: Callable[[int, int], None],
    ) -> Found:
        """What the segments say of images: by the status of their files, where it is that of the
        time when they were read, else by the digests of their content, which are read.
        """
        digests, total = self._digests_by_status(statuses), len(images)
        unknown = [index for index, digest in enumerate(digests) if not digest]
        if not any(len(segment.tables.images) for segment in self.segments):
            unknown = []
        done = total - len(unknown)
        with decoding_pool(workers) as pool:
            tasks = [pool.submit(_digest, images, index) for index in unknown]
            for index, task in zip(unknown, tasks, strict=True):
                digests[index] = wait_for(task, images, index)
                done += 1
                if done % _REPORT == 0:
                    on_progress(done, total)
        found = self._found(digests)
        found.by_content = unknown
        return found

    def _digests_by_status(self, statuses: Sequence[FileStatus | None]) -> list[bytes]:
        known: dict[tuple[bytes, int, int, int], bytes] = {}
        for segment in self.segments:
            files = segment.tables.files
            times = (files[name].tolist() for name in ("size", "modified", "changed"))
            keys = zip(keys_of(files["name"]), *times, strict=True)
            known |= zip(keys, keys_of(files["digest"]), strict=True)
        if not known:
            return [b""] * len(statuses)
        return [
            known.get((key_of(status.name), *status[1:]), b"") if status else b""
            for status in statuses
        ]

    def _found(self, digests: Sequence[bytes]) -> Found:
        rows = self._rows("images", "digest")
        n = len(digests)
        found = Found([*digests], np.zeros((n, SIZE), np.uint8), np.zeros(n, np.bool_))
        for index, digest in enumerate(digests):
            if (place := rows.get(digest)) is None:
                continue
            tables = self.segments[place[0]].tables
            row = tables.images[place[1]]
            found.is_known[index] = True
            found.pixel_digests[index] = np.frombuffer(row["pixel_digest"].tobytes(), np.uint8)
            _add_to(found.survey, index, row, tables.notes)
        return found

    def places(
        self, digests: Sequence[bytes], ranges: Sequence[ValueRange | None], *, is_whole: bool
    ) -> "Places":
        """Where the pixels of images are, by the digests of their files."""
        rows = self._rows_of_pixels
        places = Places(self.segments, np.full((len(digests), 2), -1, np.int32))
        for index, (digest, value_range) in enumerate(zip(digests, ranges, strict=True)):
            if digest and rows:
                key = pixels_id(digest, is_whole=is_whole, value_range=value_range)
                places.rows[index] = rows.get(key, (-1, -1))
        return places

    @cached_property
    def _rows_of_pixels(self) -> dict[bytes, tuple[int, int]]:
        return self._rows("pixels", "id")

    def _rows(self, table: str, column: str) -> dict[bytes, tuple[int, int]]:
        """The number of the segment and of the row of each key of a table."""
        rows: dict[bytes, tuple[int, int]] = {}
        for number, segment in enumerate(self.segments):
            keys = keys_of(getattr(segment.tables, table)[column])
            rows |= {key: (number, row) for row, key in enumerate(keys)}
        return rows


@dataclass
class Places:
    """Where the pixels of images are: (n, 2) numbers of segments and of rows of their tables, or
    -1 for what is not there.
    """

    segments: list[Segment]
    rows: NDArray[np.int32]

    @property
    def are_there(self) -> NDArray[np.bool_]:
        return self.rows[:, 0] >= 0

    def num_bytes(self) -> NDArray[np.int64]:
        """(n,) bytes of each image; 0 for what is not there."""
        sizes = np.zeros(len(self.rows), np.int64)
        for number, segment in enumerate(self.segments):
            chosen = self.rows[:, 0] == number
            shapes = segment.tables.pixels["shape"][self.rows[chosen, 1]]
            sizes[chosen] = shapes.astype(np.int64).prod(1)
        return sizes

    def used(self) -> list[Segment]:
        """The segments that any image is in."""
        return [self.segments[number] for number in np.unique(self.rows[self.are_there, 0])]


def _digest(images: ImageSource, index: int) -> bytes:
    """The digest of a file's content; b"" where it cannot be read, as decoding it will say."""
    found = stored_image(images, index)
    try:
        return found[0].digest(found[1]) if found else b""
    except UnreadableImage:
        return b""


def _add_to(survey: ImageSurvey, index: int, row: Any, notes: Sequence[str]) -> None:
    if row["is_deep"]:
        low, high = row["range"].tolist()
        least, most = row["extremes"].tolist()
        survey.depths[index] = Depth((low, high), bool(row["is_declared"]), (least, most))
    for column, found in (("note", survey.notes), ("window", survey.windows)):
        if 0 <= (number := int(row[column])) < len(notes):
            found[index] = notes[number]
