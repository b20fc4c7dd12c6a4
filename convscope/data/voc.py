"""Pascal VOC's labels for classification: which of the classes an image has.

By the lists of `ImageSets/Main` (`cat_train.txt`: 1 yes, -1 no, 0 only objects that are difficult
to recognize), or else by the objects in `Annotations/*.xml`. VOC's own evaluation leaves an image
with only difficult objects of a class out for that class; here it counts as without the class.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from convscope.data.boxes.annotations import dataset_of_boxes
from convscope.data.boxes.voc import read_voc_boxes
from convscope.data.dataset import Dataset
from convscope.data.presence import Presence, dataset_of
from convscope.data.voc_xml import read_annotation, read_text
from convscope.data.walk import list_folder, walk_images
from convscope.errors import RequestError

_LIST = re.compile(r"(.+)_(train|val|trainval|test)\.txt")
_SPLITS = ("train", "val", "test")


def find_voc(root: Path) -> Path | None:
    """The folder with `JPEGImages` and labels: `root`, or VOC2012 or VOCdevkit/VOC2012 in it.

    Raises RequestError for several years.
    """
    if _is_voc(root):
        return root
    years = [*root.glob("VOC20[0-9][0-9]"), *root.glob("VOCdevkit/VOC20[0-9][0-9]")]
    found = sorted(filter(_is_voc, years))
    if len(found) > 1:
        raise RequestError(
            f"{root} has {' and '.join(folder.name for folder in found)}, whose images overlap. "
            f"Pass the folder of one, such as {found[-1]}."
        )
    return found[0] if found else None


def _is_voc(folder: Path) -> bool:
    has_labels = any((folder / name).is_dir() for name in ("ImageSets/Main", "Annotations"))
    return has_labels and (folder / "JPEGImages").is_dir()


def read_voc(folder: Path, *, task: str = "auto", for_training: bool = True) -> Dataset:
    """The images and the classes that each has; see `dataset_of`.

    Raises RequestError for lists that disagree or name images that are not there, and for
    annotations that cannot be read.
    """
    files = {key.rpartition(".")[0]: key for key in walk_images(folder / "JPEGImages").keys}
    lists = folder / "ImageSets" / "Main"
    names = sorted(e.name for e in list_folder(lists)) if lists.is_dir() else []
    if task == "detection":
        return _boxes(folder, files, names)
    found = [match for name in names if (match := _LIST.fullmatch(name))]
    if any(match[2] in _SPLITS for match in found):
        presence, notes = _of_lists(folder, [(m[1], m[2]) for m in found if m[2] in _SPLITS]), ()
    else:
        presence, notes = _of_annotations(folder, files, names)
    if missing := [stem for stem in presence if stem not in files]:
        raise RequestError(
            f"{folder}: {len(missing):,} images of the labels are not in JPEGImages, the first is "
            f"{missing[0]}."
        )
    by_key = {files[stem]: one for stem, one in presence.items()}
    return dataset_of(
        by_key, root=folder / "JPEGImages", name=folder.resolve().name, where=str(folder),
        notes=notes, task=task, for_training=for_training,
    )  # fmt: skip


def _of_lists(folder: Path, lists: Iterable[tuple[str, str]]) -> dict[str, Presence]:
    presence: dict[str, Presence] = {}
    for name, split in lists:
        path = folder / "ImageSets" / "Main" / f"{name}_{split}.txt"
        for number, line in enumerate(read_text(path).splitlines(), 1):
            cells = line.split()
            if not cells:
                continue
            if len(cells) != 2 or cells[1] not in {"1", "0", "-1"}:
                raise RequestError(
                    f"{path}, line {number}: {line!r} is not an image and 1, 0 or -1."
                )
            one = presence.setdefault(cells[0], Presence(split, set()))
            if one.split != split:
                raise RequestError(f"{path}: {cells[0]} is in {one.split} and in {split}.")
            if cells[1] == "1":
                one.classes.add(name)
    return presence


def _of_annotations(
    folder: Path, files: Mapping[str, str], names: Iterable[str]
) -> tuple[dict[str, Presence], tuple[str, ...]]:
    """From the XML of each image; `train.txt` and the like of ImageSets/Main say the splits."""
    annotated, notes = _annotated(folder, files, names)
    return {stem: Presence(split, _objects(path)) for stem, split, path in annotated}, notes


def _annotated(
    folder: Path, files: Mapping[str, str], names: Iterable[str]
) -> tuple[list[tuple[str, str, Path]], tuple[str, ...]]:
    """The images that have an annotation, each with its split and that file; and a note."""
    splits = {
        stem: split
        for split in _SPLITS
        if f"{split}.txt" in names
        for stem in read_text(folder / "ImageSets" / "Main" / f"{split}.txt").split()
    }
    paths = {stem: folder / "Annotations" / f"{stem}.xml" for stem in sorted(files)}
    annotated = [
        (stem, splits.get(stem, ""), path) for stem, path in paths.items() if path.is_file()
    ]
    missing = len(paths) - len(annotated)
    notes = (f"{folder}: images without an annotation are left out: {missing:,}.",)
    return annotated, notes if missing else ()


def _boxes(folder: Path, files: Mapping[str, str], names: Iterable[str]) -> Dataset:
    """The images with the boxes of their objects; those that are difficult need not be found."""
    annotated, notes = _annotated(folder, files, names)
    return dataset_of_boxes(
        {files[stem]: read_voc_boxes(path, split) for stem, split, path in annotated},
        root=folder / "JPEGImages", name=folder.resolve().name, where=str(folder), notes=notes,
        has_stated_sizes=True,
    )  # fmt: skip


def _objects(path: Path) -> set[str]:
    """The names of the objects that are not difficult."""
    return {
        (one.findtext("name") or "").strip()
        for one in read_annotation(path).iter("object")
        if (one.findtext("difficult") or "0").strip() != "1"
    } - {""}
