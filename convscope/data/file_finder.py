"""Find the images that a table names: on this machine they may lie elsewhere than it says."""

import os
import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from convscope.data.walk import walk_images

MAX_FILES = 300_000
"""How many files below a table's folder are searched for names."""

_DRIVE = re.compile(r"^[A-Za-z]:(?=[\\/])")


class FileFinder:
    """Finds image files by the paths that a table in `folder` has for them.

    A path is taken as it is if the file exists, then with backslashes as slashes, then by its end:
    a file below the folder whose path ends so, in upper or lower case and with or without an
    image's ending, if there is just one. Leading folders that all paths have in common, such as
    `C:\\Users\\me\\data`, may be missing here.
    """

    def __init__(self, folder: Path, texts: Sequence[str]) -> None:
        self.folder = folder
        self._base = PurePosixPath(folder.absolute())
        self._by_name: dict[str, list[tuple[str, ...]]] | None = None
        self._common = _common_folders([_parts(text) for text in texts])
        self._skipped: int | None = None

    def key(self, text: str) -> str:
        """The path as written, relative to the table's folder if it lies in it."""
        pure = PurePosixPath(text)
        return str(pure.relative_to(self._base) if pure.is_relative_to(self._base) else pure)

    def find(self, text: str) -> str | None:
        """The key of the file that a path names, or None if it is nowhere."""
        key = self.key(text)
        if self._exists(key):
            return key
        if "\\" in text and self._exists(slashed := _slashed(text)):
            return self.key(slashed)
        parts = _parts(text)
        if self._skipped is not None:
            return self._ending_with(parts[self._skipped :])
        for skipped in range(self._common + 1):
            if found := self._ending_with(parts[skipped:]):
                self._skipped = skipped
                return found
        return None

    def locate(self, texts: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
        """The key of each path, and a sentence about those that were found elsewhere.

        A path that is found nowhere keeps its own key, and so do two paths that would be one file.
        """
        found = [self.find(text) for text in texts]
        plain = [self.key(_slashed(text) if "\\" in text else text) for text in texts]
        owners: dict[str, set[str]] = {}
        for key, own in zip(found, plain, strict=True):
            if key is not None:
                owners.setdefault(key, set()).add(own)
        keys = [
            own if key is None or len(owners[key]) > 1 else key
            for key, own in zip(found, plain, strict=True)
        ]
        moved = [i for i, key in enumerate(keys) if key != plain[i]]
        if not moved:
            return keys, ()
        first = moved[0]
        sentence = (
            f"{len(moved):,} of {len(keys):,} files are not where the table says and were found by "
            f"their names: {texts[first]!r} is {keys[first]!r}"
        )
        return keys, (sentence,)

    def _exists(self, key: str) -> bool:
        try:
            return bool(key) and (self.folder / key).is_file()
        except (OSError, ValueError):  # the name is too long, or the folder forbidden
            return False

    def _ending_with(self, parts: tuple[str, ...]) -> str | None:
        """The only file below the folder whose path ends with these parts."""
        if not parts:
            return None
        if self._by_name is None:
            self._by_name = self._index()
        candidates = self._by_name.get(_folded(parts[-1]), [])
        folders = [_folded(part) for part in parts[:-1]]
        matching = [
            key
            for key in candidates
            if [_folded(part) for part in key[:-1]][len(key) - 1 - len(folders) :] == folders
            and len(key) > len(folders)
        ]
        return "/".join(matching[0]) if len(matching) == 1 else None

    def _index(self) -> dict[str, list[tuple[str, ...]]]:
        """The files below the folder, by their names with and without the ending."""
        index: dict[str, list[tuple[str, ...]]] = {}
        for key in walk_images(self.folder, limit=MAX_FILES).keys:
            parts = tuple(key.split("/"))
            name = parts[-1]
            for spelling in {_folded(name), _folded(name.removesuffix(os.path.splitext(name)[1]))}:  # noqa: PTH122
                index.setdefault(spelling, []).append(parts)
        return index


def _slashed(text: str) -> str:
    return text.replace("\\", "/")


def _parts(text: str) -> tuple[str, ...]:
    """The folders and the name of a path of any system, without drive and dots."""
    return tuple(
        part for part in _slashed(_DRIVE.sub("", text)).split("/") if part not in {"", ".", ".."}
    )


def _common_folders(paths: Sequence[tuple[str, ...]]) -> int:
    """How many leading folders all paths share."""
    folders = [path[:-1] for path in paths]
    if not folders:
        return 0
    pairs = zip(min(folders), max(folders), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _folded(name: str) -> str:
    return normalize("NFC", name).casefold()
