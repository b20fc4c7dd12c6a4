"""A folder of class folders: ROOT/<class>/** or ROOT/{train,val,test}/<class>/**.

Names are normalized to Unicode NFC, so that an `é` written on macOS equals one written on Windows.
Hidden files and those that macOS and Windows leave behind are ignored.
"""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import normalize

import numpy as np

from convscope.data.classes import check_classes, quote_names
from convscope.data.dataset import Dataset, FileImages, Split
from convscope.data.formats import EXTENSIONS
from convscope.data.group_pattern import groups_by_pattern
from convscope.data.walk import (
    FolderId,
    describe_left_out,
    folder_id,
    is_folder,
    is_image,
    list_folder,
    walk_images,
)
from convscope.errors import RequestError, nearest

SPLIT_FOLDERS: dict[str, Split] = {
    "train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test",
}  # fmt: skip
LAYOUT = "Put each class's images in a folder of its own: {root}/<class>/*.jpg."
SPLIT_LAYOUT = "Put each class's images in a folder of its own: {root}/train/<class>/*.jpg."


@dataclass
class _Walk:
    """What a walk finds: `images` are (key, class, split), `loose` ones lie in no class folder."""

    images: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    classes: set[str] = field(default_factory=set[str])
    ignored: list[str] = field(default_factory=list[str])
    loose: int = 0
    left_out: Counter[str] = field(default_factory=Counter[str])


def read_folder(
    root: Path, *, group_pattern: str | None = None, for_training: bool = True
) -> Dataset:
    """List the images of a folder without opening them.

    A class has the name of its folder; images in nested folders belong to it too. Links are
    followed, except those to a folder above and loops. Keys are POSIX paths relative to `root`,
    sorted. If one folder of `root` is called `train` and has folders in it, the folders of `root`
    are splits, in upper or lower case; `valid` and `validation` mean `val`.

    Raises RequestError for a path that is not a readable folder, for images outside class folders,
    for a class without images, and where `check_classes` does.
    """
    _require_folder(root)
    walk = _walk(root)
    _require_classes(root, walk)
    images = sorted(walk.images)
    classes = sorted(walk.classes)
    label_of = {name: label for label, name in enumerate(classes)}
    keys = tuple(key for key, _, _ in images)
    groups, notes = None, ()
    if group_pattern is not None:
        groups, notes = groups_by_pattern(keys, group_pattern, where=str(root))
    dataset = Dataset(
        name=root.resolve().name or str(root),
        classes=tuple(classes),
        images=FileImages(root, keys),
        labels=np.array([label_of[name] for _, name, _ in images], dtype=np.int64),
        split=np.array([split for _, _, split in images], dtype="<U5"),
        groups=groups,
        warnings=(*_warnings(root, walk), *notes),
    )
    return check_classes(dataset, where=str(root), for_training=for_training)


def _require_folder(root: Path) -> None:
    try:
        if root.is_dir():
            return
        exists = root.exists()
    except PermissionError as error:
        raise RequestError(f"{root} cannot be read: permission denied.") from error
    except (OSError, ValueError) as error:
        raise RequestError(f"{str(root)!r} is not a path: {error}.") from error
    if exists:
        raise RequestError(f"{root} is a file, not a folder of class folders.")
    try:
        hint = nearest(root.name, os.listdir(root.parent))  # noqa: PTH208  names, not paths
    except OSError:
        hint = ""
    raise RequestError(f"{root} does not exist.{hint}")


def _walk(root: Path) -> _Walk:
    walk = _Walk()
    folders, walk.loose = _entries(root)
    splits = _splits(root, folders)
    above = {folder_id(path) for path in (root.resolve(), *root.resolve().parents)}
    if not splits:
        for name in folders:
            _walk_class(root, name, split="", above=above, walk=walk)
    for folder, split in splits.items():
        inner, loose = _entries(root / folder)
        walk.loose += loose
        below = above | {folder_id(root / folder)}
        for name in inner:
            _walk_class(root, f"{folder}/{name}", split=split, above=below, walk=walk)
    walk.ignored = [name for name in folders if splits and name not in splits]
    return walk


def _splits(root: Path, folders: Iterable[str]) -> dict[str, Split]:
    """The folders that are splits; empty if the folders are classes."""
    splits: dict[str, Split] = {
        name: SPLIT_FOLDERS[name.casefold()] for name in folders if name.casefold() in SPLIT_FOLDERS
    }
    train = [name for name, split in splits.items() if split == "train"]
    if train and _entries(root / train[0])[0]:
        for name, split in splits.items():
            same = [other for other in splits if splits[other] == split]
            if len(same) > 1:
                raise RequestError(f"{root} has both {same[0]!r} and {same[1]!r}. Keep {name!r}.")
        return splits
    if splits and len(splits) == len(list(folders)):
        raise RequestError(
            f"{root} has {quote_names(list(splits))}, but no folder 'train' with class folders. "
            + SPLIT_LAYOUT.format(root=root)
        )
    return {}


def _walk_class(root: Path, key: str, *, split: str, above: set[FolderId], walk: _Walk) -> None:
    """Add the images of one class's folder, at any depth, to the walk."""
    name = normalize("NFC", key.rpartition("/")[2])
    walk.classes.add(name)
    found = walk_images(root / key, above=above)
    walk.images += [(f"{key}/{inner}", name, split) for inner in found.keys]
    walk.left_out += found.left_out


def _entries(folder: Path) -> tuple[list[str], int]:
    """The folders in a folder, sorted, and the number of images directly in it."""
    entries = list_folder(folder)
    folders = sorted(entry.name for entry in entries if is_folder(entry))
    return folders, sum(is_image(entry) for entry in entries if not is_folder(entry))


def _require_classes(root: Path, walk: _Walk) -> None:
    classes = {name for _, name, _ in walk.images}
    if not classes:
        if walk.loose:
            raise RequestError(
                f"{root} has {walk.loose:,} images, but not in class folders. "
                + LAYOUT.format(root=root)
            )
        raise RequestError(
            f"{root} has no images in class folders (extensions: {', '.join(sorted(EXTENSIONS))}). "
            + LAYOUT.format(root=root)
        )
    if empty := sorted(walk.classes - classes):
        raise RequestError(
            f"{root} has no images of {quote_names(empty)}. Remove the folder or put images in."
        )
    if len(classes) == 1:
        key = walk.images[0][0].split("/")
        inner = root / key[0]
        if not walk.images[0][2] and len(_entries(inner)[0]) > 1:
            raise RequestError(
                f"{root} has a single folder. Its class folders seem to be in {inner}: pass that."
            )


def _warnings(root: Path, walk: _Walk) -> Iterable[str]:
    if walk.loose:
        yield f"{root}: ignored images outside the class folders: {walk.loose:,}."
    if walk.left_out:
        others = describe_left_out(walk.left_out)
        yield f"{root}: ignored files without an image's ending: {others}."
    if walk.ignored:
        yield f"{root}: ignored folders beside the splits: {quote_names(walk.ignored)}."
