"""A folder of class folders: ROOT/<class>/** or ROOT/{train,val,test}/<class>/**.

Names are normalized to Unicode NFC, so that an `é` written on macOS equals one written on Windows.
Hidden files and those that macOS and Windows leave behind are ignored.
"""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from convscope.data.archive_folder import ArchiveFolder
from convscope.data.classes import check_classes, quote_names
from convscope.data.content_images import ContentImages
from convscope.data.dataset import Dataset, FileImages, ImageSource
from convscope.data.flat import hint_for_flat_images
from convscope.data.formats import EXTENSIONS
from convscope.data.group_pattern import groups_by_pattern
from convscope.data.layout import Layout, find_layout
from convscope.data.spellings import merge_spellings
from convscope.data.walk import (
    Folder,
    describe_left_out,
    folder_id,
    folders_above,
    walk_images,
)
from convscope.errors import RequestError, nearest

LAYOUT = "Put each class's images in a folder of its own: {root}/<class>/*.jpg."


@dataclass
class _Images:
    """The images of all class folders: `found` are (key, class, split)."""

    found: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    left_out: Counter[str] = field(default_factory=Counter[str])


def read_folder(
    root: Folder, *, group_pattern: str | None = None, for_training: bool = True
) -> Dataset:
    """List the images of a folder, or of an archive, without opening them.

    A class has the name of its folder; images in nested folders belong to it too. Links are
    followed, except those to a folder above and loops. Keys are POSIX paths relative to `root`,
    sorted. `find_layout` decides which folders are splits and which are classes; class folders
    whose names differ only in spaces or quotes are one class. `group_pattern` is that of
    `groups_by_pattern`.

    Raises RequestError for a path that is not a readable folder, for images outside class folders,
    for a class without images, and where `find_layout` and `check_classes` do.
    """
    if isinstance(root, Path):
        _require_folder(root)
    layout = find_layout(root, for_training=for_training)
    images = _collect(root, layout)
    _require_classes(root, layout, images)
    merged, notes = merge_spellings([name for _, name, _ in images.found], where=str(root))
    found = sorted((key, merged[name], split) for key, name, split in images.found)
    classes = sorted({name for _, name, _ in found})
    label_of = {name: label for label, name in enumerate(classes)}
    keys = tuple(key for key, _, _ in found)
    groups = None
    if group_pattern is not None:
        groups, said = groups_by_pattern(keys, group_pattern, where=str(root))
        notes = (*notes, *said)
    dataset = Dataset(
        name=_name_of(root),
        classes=tuple(classes),
        images=_images_of(root, keys),
        labels=np.array([label_of[name] for _, name, _ in found], dtype=np.int64),
        split=np.array([split for _, _, split in found], dtype="<U5"),
        groups=groups,
        warnings=(*_warnings(root, layout, images), *notes),
    )
    return check_classes(dataset, where=str(root), for_training=for_training)


def _name_of(root: Folder) -> str:
    name = root.name if isinstance(root, ArchiveFolder) else root.resolve().name
    return name or str(root)


def _images_of(root: Folder, keys: tuple[str, ...]) -> ImageSource:
    if isinstance(root, Path):
        return FileImages(root, keys)
    archive, names = root.archive, tuple("/".join(p for p in (root.key, k) if p) for k in keys)
    return ContentImages(keys, lambda index: archive.read(names[index]))


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


def _collect(root: Folder, layout: Layout) -> _Images:
    """The images in the class folders. A link in a class to the folder of all is not followed."""
    images = _Images()
    above = {folder_id(root), *folders_above(root)}
    for folder in layout.folders:
        parent = (root / folder.key).parent
        walked = walk_images(root / folder.key, above={*above, folder_id(parent)})
        images.found += [(f"{folder.key}/{key}", folder.name, folder.split) for key in walked.keys]
        images.left_out += walked.left_out
    return images


def _require_classes(root: Folder, layout: Layout, images: _Images) -> None:
    classes = {name for _, name, _ in images.found}
    if not classes:
        if layout.loose:
            folders = [root / folder for folder in layout.bare]
            hint = hint_for_flat_images(root, folders) or LAYOUT.format(root=root)
            raise RequestError(
                f"{root} has {layout.loose:,} images, but not in class folders. {hint}"
            )
        others = f" It has {describe_left_out(images.left_out)}." if images.left_out else ""
        raise RequestError(
            f"{root} has no images in class folders (extensions: {', '.join(sorted(EXTENSIONS))})."
            f"{others} {LAYOUT.format(root=root)}"
        )
    if empty := sorted({folder.name for folder in layout.folders} - classes):
        raise RequestError(
            f"{root} has no images of {quote_names(empty)}. Remove the folder or put images in."
        )


def _warnings(root: Folder, layout: Layout, images: _Images) -> list[str]:
    sentences: list[str] = []
    if isinstance(root, ArchiveFolder):
        sentences += [s for s in (*root.archive.notes, root.archive.describe_left_out()) if s]
    if layout.loose:
        sentences.append(f"{root}: ignored images outside the class folders: {layout.loose:,}.")
    if images.left_out:
        others = describe_left_out(images.left_out)
        sentences.append(f"{root}: ignored files that are not read as images: {others}.")
    return [*sentences, *layout.notes]
