"""How much of a disk decoded images may take, and what is removed for more of them."""

import shutil
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from convscope.atomic import remove_leftovers
from convscope.data.cache.address import is_earlier
from convscope.data.cache.segment import INDEX, PIXELS, remove

GB = 1_000_000_000
_RESERVE = 2 * GB
"""Bytes of the disk that are always left free."""


@dataclass(frozen=True)
class Stored:
    """A segment on the disk: its file of pixels, when it was last used, and its bytes."""

    path: Path
    used: int
    size: int


def stored_segments(root: Path) -> list[Stored]:
    """All complete segments below a folder, the longest unused first."""
    found: list[Stored] = []
    for index in root.glob(f"*/*{INDEX}"):
        with suppress(OSError):
            status, pixels = index.stat(), index.with_suffix(PIXELS)
            size = status.st_size + pixels.stat().st_size
            found.append(Stored(pixels, status.st_mtime_ns, size))
    return sorted(found, key=lambda one: (one.used, one.path))


def make_room(root: Path, needed: int, *, limit: float | None, keep: Collection[Path]) -> str:
    """Remove segments until `needed` bytes fit, the longest unused first; "" if they do, else why
    not, as the rest of a sentence, with nothing removed.

    All segments together may take `limit` bytes, by default half of what the disk has for them,
    and 2 GB of the disk stay free. Segments in `keep` stay.
    """
    _remove_earlier(root)
    stored = stored_segments(root)
    taken, free = sum(one.size for one in stored), shutil.disk_usage(_existing(root)).free
    limit = (taken + free) / 2 if limit is None else limit
    removed: list[Stored] = []
    candidates = (one for one in stored if one.path not in keep)
    while taken + needed > limit or needed > free - _RESERVE:
        if (one := next(candidates, None)) is None:
            kept = f"of the {_gb(limit)} that it may take, {_gb(taken)} are in use"
            if taken + needed <= limit:
                kept = f"{_gb(free)} are free, of which {_gb(_RESERVE)} are left alone"
            return f"it would take {_gb(needed)} of {root}; {kept}"
        removed.append(one)
        taken, free = taken - one.size, free + one.size
    for one in removed:
        remove(one.path)
    return ""


def remove_unfinished(folder: Path, valid: Collection[Path] | None = None) -> set[Path]:
    """Remove what a killed process left in a folder, and, if they are told, segments that are not
    `valid`. The caller holds the folder's lock. Returns the files of pixels that are left.
    """
    left: set[Path] = set()
    for pixels in folder.glob(f"*{PIXELS}"):
        if pixels.with_suffix(INDEX).exists() and (valid is None or pixels in valid):
            left.add(pixels)
        else:
            remove(pixels)
    remove_leftovers(folder)
    for index in folder.glob(f"*{INDEX}"):
        if index.with_suffix(PIXELS) not in left:
            remove(index.with_suffix(PIXELS))
    return left


def _remove_earlier(root: Path) -> None:
    for folder in _folders(root):
        if is_earlier(folder.name):
            rmtree(folder, ignore_errors=True)


def _folders(root: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from (path for path in root.iterdir() if path.is_dir())


def _existing(path: Path) -> Path:
    return next(one for one in (path, *path.absolute().parents) if one.exists())


def _gb(size: float) -> str:
    return f"{size / GB:,.1f} GB"
