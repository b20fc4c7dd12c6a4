"""Find the images below a folder: one walk for training and prediction.

Links are followed, except loops. Hidden entries and what operating systems, network drives and
notebooks leave behind are passed over.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from convscope.data.archive_folder import ArchiveEntry, ArchiveFolder
from convscope.data.formats import EXTENSIONS, HEAD, starts_like_image
from convscope.errors import RequestError
from convscope.regular_files import open_regular

LITTER = frozenset({
    "__macosx", "__pycache__", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "@eadir",
    "#recycle", "$recycle.bin", "dicomdir", "system volume information", "lost+found",
})  # fmt: skip
"""Names, in lower case, that are passed over like hidden ones."""

MAX_SHOWN = 6  # endings
_SPECIAL = "special (pipe, device, socket)"

FolderId = tuple[int, int]
"""Device and inode of a folder, the same by whatever name or link it is reached."""

Folder = Path | ArchiveFolder
"""A folder of a disk or of an archive."""

Entry = os.DirEntry[str] | ArchiveEntry
"""What lies in one."""


@dataclass
class FoundImages:
    """What a walk finds.

    Attributes:
        keys: POSIX paths of the images relative to the folder of the walk.
        left_out: how many other files there are of each ending: `.txt`, or "" for none; and how
            many that are pipes, devices or sockets.
    """

    keys: list[str] = field(default_factory=list[str])
    left_out: Counter[str] = field(default_factory=Counter[str])


def walk_images(
    folder: Folder, *, above: Iterable[FolderId] = (), limit: float = float("inf")
) -> FoundImages:
    """All images at any depth below a folder, by their endings, sorted; only files without an
    ending are looked into.

    A folder that is reached by several names counts once; links to the folders above it, and to
    those in `above`, are not followed. A broken link is listed, and fails when it is read. The walk
    ends after the folder in which it has seen `limit` files.

    Raises RequestError for a folder that cannot be listed.
    """
    found = FoundImages()
    found.keys += iterate_images(folder, found.left_out, above=above, limit=limit)
    found.keys.sort()
    return found


def iterate_images(
    folder: Folder,
    left_out: Counter[str],
    *,
    above: Iterable[FolderId] = (),
    limit: float = float("inf"),
) -> Iterator[str]:
    """`walk_images` for millions of files, of which none is kept: in the order of the disk.

    Other files are counted in `left_out`.
    """
    visited, pending, seen = {*above, *folders_above(folder)}, [""], 0
    while pending and seen < limit:
        key = pending.pop()
        here = folder / key if key else folder
        if (identity := folder_id(here)) in visited:
            continue
        visited.add(identity)
        for entry in _entries(here):
            inner = f"{key}/{entry.name}" if key else entry.name
            if is_folder(entry):
                pending.append(inner)
                continue
            seen += 1
            if is_image(entry):
                yield inner
            else:
                left_out[_kind(entry)] += 1


def describe_left_out(left_out: Counter[str]) -> str:
    """How many files there are of each ending, the most frequent first.

    >>> describe_left_out(Counter({".txt": 12, "": 1}))
    '12 .txt, 1 without an ending'
    """
    shown = [
        f"{count:,} {name or 'without an ending'}"
        for name, count in left_out.most_common(MAX_SHOWN)
    ]
    if rest := left_out.total() - sum(count for _, count in left_out.most_common(MAX_SHOWN)):
        shown.append(f"{rest:,} others")
    return ", ".join(shown)


def ending(name: str) -> str:
    """The ending of a file's name in lower case, with its dot; "" if it has none, or only digits,
    as the names of DICOM files that are unique identifiers.

    >>> ending("scan.DCM"), ending("README"), ending("1.2.840.17")
    ('.dcm', '', '')
    """
    stem, dot, extension = name.rpartition(".")
    return f".{extension.lower()}" if dot and stem and not extension.isdecimal() else ""


def _kind(entry: Entry) -> str:
    return ending(entry.name) if entry.is_symlink() or entry.is_file() else _SPECIAL


def list_folder(folder: Folder) -> list[Entry]:
    """The entries of a folder without hidden ones and litter. Raises RequestError."""
    return list(_entries(folder))


def _entries(folder: Folder) -> Iterator[Entry]:
    if isinstance(folder, ArchiveFolder):
        yield from (entry for entry in folder.entries() if _is_listed(entry))
        return
    try:
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if _is_listed(entry))
    except OSError as error:
        raise RequestError(f"{folder} cannot be listed: {error.strerror or error}.") from error


def _is_listed(entry: Entry) -> bool:
    return not entry.name.startswith(".") and entry.name.lower() not in LITTER


def folders_above(folder: Folder) -> set[FolderId]:
    """The folders that a folder lies in; an archive, in which no link is followed, has no loops."""
    if isinstance(folder, ArchiveFolder):
        return set()
    return {folder_id(path) for path in folder.resolve().parents}


def folder_id(folder: Folder) -> FolderId:
    """Identify a folder by what it is, not by its name. Raises RequestError."""
    if isinstance(folder, ArchiveFolder):
        return folder.identity
    try:
        status = folder.stat()
    except OSError as error:
        raise RequestError(f"{folder} cannot be read: {error.strerror or error}.") from error
    return status.st_dev, status.st_ino


def is_folder(entry: Entry) -> bool:
    """Whether an entry is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def is_image(entry: Entry) -> bool:
    """Whether it is a file with an image's ending, or a link; a broken one fails to load.

    A file without an ending is an image if it begins as one.
    """
    if ending(entry.name).removeprefix(".") in EXTENSIONS:
        return entry.is_symlink() or entry.is_file()
    if ending(entry.name):
        return False
    if isinstance(entry, ArchiveEntry):
        return starts_like_image(entry.head(HEAD))
    return is_image_path(Path(entry.path))


def is_image_path(path: Path) -> bool:
    """`is_image` for a path."""
    try:
        if ending(path.name).removeprefix(".") in EXTENSIONS:
            return path.is_symlink() or path.is_file()
        if ending(path.name) or not path.is_file():
            return False
        with open_regular(path) as file:
            return starts_like_image(file.read(HEAD))
    except OSError:  # it may not be read; a file with an ending fails when it is loaded
        return False


def has_images(folder: Folder) -> bool:
    """Whether there is an image at any depth below a folder, by its ending."""
    visited, pending = folders_above(folder), [folder]
    while pending:
        here = pending.pop()
        if (identity := folder_id(here)) in visited:
            continue
        visited.add(identity)
        entries = list_folder(here)
        if any(is_image(entry) for entry in entries if not is_folder(entry)):
            return True
        pending += [here / entry.name for entry in entries if is_folder(entry)]
    return False
