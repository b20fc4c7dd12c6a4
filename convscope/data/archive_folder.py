"""The folders of a tar or zip file, to be walked as those of a disk are."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from convscope.data.archives import Archive, open_archive
from convscope.data.unreadable import UnreadableImage


@dataclass(frozen=True, slots=True)
class ArchiveEntry:
    """A file or folder of an archive, with the methods of `os.DirEntry` that a walk asks for.

    Attributes:
        key: its name in the archive.
    """

    archive: Archive
    key: str
    is_in_folders: bool

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2]

    @property
    def path(self) -> str:
        return f"{self.archive.path}/{self.key}"

    def is_dir(self) -> bool:
        return self.is_in_folders

    def is_file(self) -> bool:
        return not self.is_in_folders

    def is_symlink(self) -> bool:
        return False

    def head(self, size: int) -> bytes:
        """The first bytes of a file; none if they cannot be read."""
        try:
            return self.archive.read(self.key, size)
        except UnreadableImage:
            return b""


@dataclass(frozen=True)
class _Tree:
    """What each folder holds: the keys of its files and folders; "" is the archive itself."""

    archive: Archive
    files: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    folders: dict[str, dict[str, None]] = field(default_factory=dict[str, dict[str, None]])

    def add(self, key: str) -> None:
        folder = key.rpartition("/")[0]
        self.files.setdefault(folder, []).append(key)
        while folder:
            above = folder.rpartition("/")[0]
            inner = self.folders.setdefault(above, {})
            if folder in inner:
                return
            inner[folder] = None
            folder = above


@dataclass(frozen=True, eq=False)
class ArchiveFolder:
    """A folder of an archive; `/` leads to those in it."""

    tree: _Tree
    key: str = ""

    @classmethod
    def open(cls, path: Path) -> "ArchiveFolder":
        """The folder that holds all of an archive. Raises RequestError as `open_archive`."""
        return cls.of(open_archive(path))

    @classmethod
    def of(cls, archive: Archive) -> "ArchiveFolder":
        tree = _Tree(archive)
        for name in archive.members:
            tree.add(name)
        return cls(tree)

    @property
    def archive(self) -> Archive:
        return self.tree.archive

    @property
    def name(self) -> str:
        """Of the folder; of the archive without its ending."""
        return self.key.rpartition("/")[2] or self.archive.path.resolve().stem

    @property
    def parent(self) -> "ArchiveFolder":
        return ArchiveFolder(self.tree, self.key.rpartition("/")[0])

    @property
    def identity(self) -> tuple[int, int]:
        """As a disk's folder has its device and inode."""
        return id(self.tree), hash(self.key)

    def __truediv__(self, key: str) -> "ArchiveFolder":
        return ArchiveFolder(self.tree, "/".join(part for part in (self.key, key) if part))

    def __str__(self) -> str:
        return "/".join(part for part in (str(self.archive.path), self.key) if part)

    def entries(self) -> Iterator[ArchiveEntry]:
        for key in self.tree.folders.get(self.key, {}):
            yield ArchiveEntry(self.archive, key, is_in_folders=True)
        for key in self.tree.files.get(self.key, []):
            yield ArchiveEntry(self.archive, key, is_in_folders=False)
