"""Which folders of a data set are splits, which are classes, and which are neither.

No image is opened: names and places decide. What could be either is asked about.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from unicodedata import normalize

from convscope.data.classes import quote_names
from convscope.data.dataset import Split
from convscope.data.flat import hint_for_flat_images
from convscope.data.split_names import find_splits, split_of
from convscope.data.walk import (
    Folder,
    folder_id,
    folders_above,
    has_images,
    is_folder,
    is_image,
    list_folder,
)
from convscope.errors import RequestError

WITHOUT_IMAGES = frozenset({
    "labels", "annotations", "annotation", "meta", "metadata", "docs", "doc", "scripts", "code",
    "notebooks", "csv", "xml", "txt",
})  # fmt: skip
"""Folders beside the images that may be passed over if no image is in them."""
UNLABELED = frozenset({
    "images", "image", "imgs", "img", "unknown", "unlabeled", "unlabelled", "none", "all", "data",
    "pred", "predict", "files",
})  # fmt: skip
"""Names of a split's only folder that say of no class."""
FOLDS = re.compile(r"(?i)(k?[-_ ]?fold|cv)[-_ ]?\d+")
SITES = re.compile(
    r"(?i)(site|hospital|cent(er|re)|clinic|scanner|device|camera|domain|cohort|country|lab|source)"
    r"[-_ ]?\w{0,3}"
)


@dataclass(frozen=True)
class ClassFolder:
    """A folder of images of one class: its key below the root, its class, and its split or ""."""

    key: str
    name: str
    split: Split | str


@dataclass
class Layout:
    """What the folders of a root are.

    Attributes:
        folders: those with the images of one class each.
        loose: how many images lie outside of them.
        bare: keys of folders with such images.
        notes: sentences about what was decided and what is ignored.
    """

    folders: list[ClassFolder] = field(default_factory=list[ClassFolder])
    loose: int = 0
    bare: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])


def find_layout(root: Folder, *, for_training: bool = True) -> Layout:
    """Decide what the folders of a root are.

    A folder that is the only one is opened. Folders are splits if their names say so and the train
    split has folders in it; each folder in them is a class. Folders that hold only such splits are
    classes, too. All other folders are classes.

    Data that are not `for_training` need no train split.

    Raises RequestError for two folders of one split, for splits without a train split or without
    class folders, and for folders that all hold the same folders, or are called like folds.
    """
    layout = Layout()
    base = _unwrap(root, "")
    names, layout.loose = _entries(root / base)
    layout.bare = [base]
    if base:
        layout.notes.append(f"{root}: its images are in {root / base}.")
    splits = _confirmed(root, base, names, for_training=for_training)
    if splits:
        _lay_out_splits(root, base, splits, layout)
        if others := [name for name in names if name not in splits]:
            shown = quote_names(others)
            layout.notes.append(f"{root}: ignored folders beside the splits: {shown}.")
        return layout
    inner = {name: _entries(root / base / name) for name in names}
    if _hold_splits(root, base, inner):
        layout.folders = [
            ClassFolder(_join(base, name, folder), normalize("NFC", name), split)
            for name, (folders, _) in inner.items()
            for folder, split in find_splits(folders).items()
        ]
        layout.loose += sum(loose for _, loose in inner.values())
        layout.notes.append(f"{root}: each class has its own folders of splits.")
        return layout
    _refuse_folders_of_classes(root / base, inner)
    layout.folders = [ClassFolder(_join(base, name), normalize("NFC", name), "") for name in names]
    layout.notes += _nested(root / base, inner)
    return layout


def _confirmed(
    root: Folder, base: str, names: list[str], *, for_training: bool
) -> dict[str, Split]:
    """The folders that are splits; empty if the folders are classes. Raises RequestError."""
    splits, here = find_splits(names), root / base
    train = [name for name, split in splits.items() if split == "train"]
    if not train and not for_training and all(_entries(here / name)[0] for name in splits):
        return splits
    if not train or not _entries(here / train[0])[0]:
        if splits and (len(splits) == len(names) or (train and len(set(splits.values())) > 1)):
            hint = hint_for_flat_images(here, [here / name for name in splits])
            hint = hint or f"Put each class's images in a folder of its own: {here}/train/<class>."
            what = f"{here} has {quote_names(list(splits))}"
            raise RequestError(f"{what}, but no folder 'train' with class folders. {hint}")
        return {}
    for name, split in splits.items():
        same = [other for other in splits if splits[other] == split]
        if len(same) > 1:
            raise RequestError(
                f"{here} has both {same[0]!r} and {same[1]!r}. Keep {name!r} only, or put the "
                f"images of both together."
            )
    others = [name for name in names if name not in splits and _entries(here / name)[1]]
    if len(splits) == 1 and others and split_of(train[0]):
        raise RequestError(
            f"{here} has a folder {train[0]!r} with folders in it, and {quote_names(others)} with "
            f"images. If {train[0]!r} is a split, move the others away; if it is a class, move its "
            "images out of its folders, or rename it."
        )
    return splits


def _lay_out_splits(root: Folder, base: str, splits: dict[str, Split], layout: Layout) -> None:
    """Add the class folders of each split, the train split first."""
    known: set[str] = set()
    for folder, split in sorted(splits.items(), key=lambda item: item[1] != "train"):
        key = _unwrap(root, _join(base, folder))
        names, loose = _entries(root / key)
        if split == "train":
            _refuse_folders_of_classes(root / key, {n: _entries(root / key / n) for n in names})
            known = {name.casefold() for name in names}
        elif _is_unlabeled(names, known):
            name = _join(base, folder)
            layout.notes.append(
                f"{root}: {name} has no class folders, so its images have no labels and are not "
                f"used; the {split} images are taken from the training images instead."
            )
            continue
        layout.loose += loose
        layout.folders += [
            ClassFolder(_join(key, name), normalize("NFC", name), split) for name in names
        ]
    if any(split_of(folder) is None for folder in splits):
        said = ", ".join(f"{folder!r} as {split}" for folder, split in splits.items())
        layout.notes.append(f"{root}: taken {said}.")


def _is_unlabeled(names: list[str], known: set[str]) -> bool:
    """Whether a split has no folder, or only one whose name is of no class."""
    if not names:
        return True
    name = names[0].casefold()
    return len(names) == 1 and name not in known and bool(name in UNLABELED or find_splits(names))


def _hold_splits(root: Folder, base: str, inner: dict[str, tuple[list[str], int]]) -> bool:
    """Whether every folder holds splits, with images and no folders in them."""
    return (
        len(inner) > 1
        and all(
            len(folders) > 1 and len(find_splits(folders)) == len(folders)
            for folders, _ in inner.values()
        )
        and all("train" in find_splits(folders).values() for folders, _ in inner.values())
        and not any(
            _entries(root / base / name / folder)[0]
            for name, (folders, _) in inner.items()
            for folder in folders
        )
    )


def _refuse_folders_of_classes(here: Folder, inner: dict[str, tuple[list[str], int]]) -> None:
    """Raise RequestError for folders that are no classes, since all hold the same folders."""
    names = list(inner)
    if len(names) < 2:
        return
    held = [{name.casefold() for name in folders} for folders, _ in inner.values()]
    common, union = set[str].intersection(*held), set[str].union(*held)
    folds = all(FOLDS.fullmatch(name) for name in names)
    sites = all(SITES.fullmatch(name) for name in names)
    if any(loose for _, loose in inner.values()):
        same = folds
    else:
        alike = len(common) > 1 and 2 * len(common) >= len(union)
        same = alike or (bool(common) and (folds or sites))
    if not same and not folds:
        return
    what = "folds" if folds else "sites" if sites else "splits, folds or sites"
    holds = f"all hold the same folders ({quote_names(sorted(common), max_shown=3)})"
    reason = holds if common else "are called like folds"
    advice = " `folds=5` makes folds of such images itself." if folds else ""
    raise RequestError(
        f"{here}: {quote_names(names, max_shown=4)} {reason}, "
        f"so they look like {what}, not like classes. If they are splits, call them train, val and "
        "test; else put all images of a class in one folder, or list them in a CSV file with the "
        f"columns path, label and, for folds or sites, split or group.{advice}"
    )


def _nested(here: Folder, inner: dict[str, tuple[list[str], int]]) -> Iterable[str]:
    """Say that folders in class folders are no classes, if all images seem to be in such."""
    if len(inner) > 1 and all(len(names) > 1 and not loose for names, loose in inner.values()):
        first = next(iter(inner))
        shown = quote_names([f"{first}/{name}" for name in inner[first][0]], max_shown=2)
        yield (
            f"{here}: the classes are {quote_names(list(inner), max_shown=3)}; the folders in them "
            f"({shown}) are not told apart."
        )


def _unwrap(root: Folder, key: str) -> str:
    """The key of the folder in which a folder's only folder, and its only one, ... have several."""
    visited = {folder_id(root / key), *folders_above(root / key)}
    while True:
        names, loose = _entries(root / key)
        filled = [name for name in names if has_images(root / key / name)]
        empty = {name.casefold() for name in names if name not in filled}
        if loose or len(filled) != 1 or not empty <= WITHOUT_IMAGES:
            return key
        inner = _join(key, filled[0])
        folders, loose = _entries(root / inner)
        is_split = not key and bool(find_splits(filled))
        if loose or not folders or is_split or _is_seen(root, inner, visited):
            return key
        key = inner


def _is_seen(root: Folder, key: str, visited: set[tuple[int, int]]) -> bool:
    identity = folder_id(root / key)
    if identity in visited:
        return True
    visited.add(identity)
    return False


def _entries(folder: Folder) -> tuple[list[str], int]:
    """The folders in a folder, sorted, and the number of images directly in it."""
    entries = list_folder(folder)
    folders = sorted(entry.name for entry in entries if is_folder(entry))
    return folders, sum(is_image(entry) for entry in entries if not is_folder(entry))


def _join(*keys: str) -> str:
    return "/".join(key for key in keys if key)
