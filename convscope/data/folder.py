"""A folder of class folders: ROOT/<class>/** or ROOT/{train,val,test}/<class>/**.

Names are matched in Unicode's NFC, so that `é` of one computer is `é` of another. What begins with
a dot, and what macOS and Windows leave behind, is passed over.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import normalize

import numpy as np

from convscope.data.classes import listed, tie_classes
from convscope.data.dataset import Dataset, FileImages, Split
from convscope.errors import RequestError, nearest

ENDINGS = frozenset(
    ["jpg", "jpeg", "jpe", "png", "webp", "bmp", "dib", "tif", "tiff", "gif", "ppm", "pgm", "pbm"]
)
SPLIT_FOLDERS: dict[str, Split] = {
    "train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test",
}  # fmt: skip
LITTER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
LAYOUT = "Put each class's images in a folder of its own: {root}/<class>/*.jpg."
SPLIT_LAYOUT = "Put each class's images in a folder of its own: {root}/train/<class>/*.jpg."

Place = tuple[int, int]
"""Device and inode of a folder: the same whatever name or link led to it."""


@dataclass
class _Walk:
    """What was found: `images` are (key, class, split)."""

    images: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    classes: set[str] = field(default_factory=set[str])
    ignored: list[str] = field(default_factory=list[str])
    loose: int = 0
    others: int = 0


def read_folder(root: Path) -> Dataset:
    """List the pictures of a folder; none of them is opened.

    A class is named by its folder, and whatever lies in folders below belongs to it. Links are
    followed, loops and links to a folder above are not. Keys are posix paths relative to `root`, in
    sorted order. Where `train` is among the folders of `root`, and holds folders itself, the
    folders of `root` are splits, in upper or lower case; `valid` and `validation` mean `val`.

    Raises RequestError for a path that is no readable folder, for images that do not lie in class
    folders, for a class without any image, and for what `tie_classes` refuses.
    """
    _refuse_no_folder(root)
    walk = _walk(root)
    _refuse_no_classes(root, walk)
    pictures = sorted(walk.images)
    classes = sorted(walk.classes)
    place = {name: label for label, name in enumerate(classes)}
    dataset = Dataset(
        name=root.resolve().name or str(root),
        classes=tuple(classes),
        images=FileImages(root, tuple(key for key, _, _ in pictures)),
        labels=np.array([place[name] for _, name, _ in pictures], dtype=np.int64),
        split=np.array([split for _, _, split in pictures], dtype="<U5"),
        warnings=tuple(_warnings(root, walk)),
    )
    return tie_classes(dataset, where=str(root))


def _refuse_no_folder(root: Path) -> None:
    try:
        if root.is_dir():
            return
        there = root.exists()
    except PermissionError as error:
        raise RequestError(f"{root} may not be read: permission denied.") from error
    except (OSError, ValueError) as error:
        raise RequestError(f"{str(root)!r} is not a path: {error}.") from error
    if there:
        raise RequestError(f"{root} is a file, not a folder of class folders.")
    try:
        hint = nearest(root.name, os.listdir(root.parent))  # noqa: PTH208  names are wanted
    except OSError:
        hint = ""
    raise RequestError(f"{root} does not exist.{hint}")


def _walk(root: Path) -> _Walk:
    walk = _Walk()
    folders, walk.loose = _entries(root)
    splits = _splits(root, folders)
    above = {_place(path) for path in (root.resolve(), *root.resolve().parents)}
    if not splits:
        for name in folders:
            _walk_class(root, name, split="", above=above, walk=walk)
    for folder, split in splits.items():
        inner, loose = _entries(root / folder)
        walk.loose += loose
        below = above | {_place(root / folder)}
        for name in inner:
            _walk_class(root, f"{folder}/{name}", split=split, above=below, walk=walk)
    walk.ignored = [name for name in folders if splits and name not in splits]
    return walk


def _splits(root: Path, folders: Iterable[str]) -> dict[str, Split]:
    """Which folders are splits; none where the folders are classes."""
    splits: dict[str, Split] = {
        name: SPLIT_FOLDERS[name.casefold()] for name in folders if name.casefold() in SPLIT_FOLDERS
    }
    train = [name for name, split in splits.items() if split == "train"]
    if train and _entries(root / train[0])[0]:
        for name, split in splits.items():
            twins = [other for other in splits if splits[other] == split]
            if len(twins) > 1:
                raise RequestError(f"{root} has both {twins[0]!r} and {twins[1]!r}. Keep {name!r}.")
        return splits
    if splits and len(splits) == len(list(folders)):
        raise RequestError(
            f"{root} has {listed(list(splits))}, but no folder 'train' with class folders in it. "
            + SPLIT_LAYOUT.format(root=root)
        )
    return {}


def _walk_class(root: Path, key: str, *, split: str, above: set[Place], walk: _Walk) -> None:
    """Add the images of one class's folder, of whatever depth, to the walk."""
    name = normalize("NFC", key.rpartition("/")[2])
    walk.classes.add(name)
    seen, pending = set(above), [key]
    while pending:
        folder = pending.pop()
        place = _place(root / folder)
        if place in seen:
            continue
        seen.add(place)
        for entry in _scan(root / folder):
            if _is_folder(entry):
                pending.append(f"{folder}/{entry.name}")
            elif _is_picture(entry):
                walk.images.append((f"{folder}/{entry.name}", name, split))
            else:
                walk.others += 1


def _entries(folder: Path) -> tuple[list[str], int]:
    """The folders in a folder, sorted, and how many images lie directly in it."""
    entries = _scan(folder)
    folders = sorted(entry.name for entry in entries if _is_folder(entry))
    return folders, sum(_is_picture(entry) for entry in entries if not _is_folder(entry))


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [e for e in entries if not e.name.startswith(".") and e.name not in LITTER]
    except OSError as error:
        raise RequestError(f"{folder} may not be listed: {error.strerror or error}.") from error


def _place(folder: Path) -> Place:
    try:
        status = folder.stat()
    except OSError as error:
        raise RequestError(f"{folder} may not be read: {error.strerror or error}.") from error
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_picture(entry: os.DirEntry[str]) -> bool:
    """A file with an image's ending, or a link: where one leads nowhere, loading it says so."""
    _, dot, ending = entry.name.rpartition(".")
    if not dot or ending.lower() not in ENDINGS:
        return False
    return entry.is_symlink() or entry.is_file()


def _refuse_no_classes(root: Path, walk: _Walk) -> None:
    found = {name for _, name, _ in walk.images}
    if not found:
        if walk.loose:
            raise RequestError(
                f"{root} has {walk.loose:,} images, but not in class folders. "
                + LAYOUT.format(root=root)
            )
        raise RequestError(
            f"{root} has no images in class folders (endings: {', '.join(sorted(ENDINGS))}). "
            + LAYOUT.format(root=root)
        )
    if empty := sorted(walk.classes - found):
        raise RequestError(
            f"{root} has no image of {listed(empty)}. Remove the folder, or put images into it."
        )
    if len(found) == 1:
        key = walk.images[0][0].split("/")
        inner = root / key[0]
        if not walk.images[0][2] and len(_entries(inner)[0]) > 1:
            raise RequestError(
                f"{root} has one folder only. Its class folders seem to lie in {inner}: pass that."
            )


def _warnings(root: Path, walk: _Walk) -> Iterable[str]:
    if walk.loose:
        yield f"{root}: {walk.loose:,} images lie beside the class folders and are not used."
    if walk.others:
        yield f"{root}: {walk.others:,} files are no images by their endings and are not used."
    if walk.ignored:
        yield f"{root}: beside the splits, {listed(walk.ignored)} is not used."
