"""ImageNet as it comes: synset folders for training, a flat folder for validation, and its truth.

Kaggle's `ILSVRC/Data/CLS-LOC/{train,val,test}`, `{train,val}` beside the devkit, and Tiny ImageNet.
The order of the classes is that of their synsets (n01440764, n01443537, ...), as everywhere but in
the devkit, whose own numbers (ILSVRC2012_ID, 1 to 1000) occur in its truth alone.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from convscope.data.classes import check_classes
from convscope.data.dataset import Dataset, FileImages, Split
from convscope.data.synsets import SYNSET, name_synsets, nearby, read_numbers, read_text
from convscope.data.voc_xml import read_annotation
from convscope.data.walk import is_folder, is_image, list_folder, walk_images
from convscope.errors import RequestError

BASES = ("", "ILSVRC", "Data/CLS-LOC", "ILSVRC/Data/CLS-LOC")
"""Where the folders of splits are, below the folder that people name."""
SOLUTION = "LOC_val_solution.csv"
TINY = "val_annotations.txt"
TRUTHS = ("ILSVRC2012_validation_ground_truth.txt", "ILSVRC2015_clsloc_validation_ground_truth.txt")
ANNOTATIONS = ("Annotations/CLS-LOC/val", "ILSVRC2012_bbox_val_v3/val", "bbox/val")
"""Where the boxes of the validation images are, below one of the folders above them."""
_VAL = re.compile(r"ILSVRC20\d\d_val_\d+", re.IGNORECASE)

Truth = Callable[[str], str | None]
"""The synset of a validation image by its name without ending."""


@dataclass(frozen=True)
class ImageNet:
    """Where the folders of splits are: `base` below `root`, and those that are there."""

    root: Path
    base: str

    def folder(self, split: str) -> Path:
        return self.root / self.base / split

    def key(self, *parts: str) -> str:
        return "/".join(part for part in (self.base, *parts) if part)


def find_imagenet(root: Path) -> ImageNet | None:
    """The layout of a folder that is ImageNet's and no plain folder of class folders; else None."""
    for base in BASES:
        here = ImageNet(root, base)
        if _synsets(here.folder("train")):
            is_plain = not base and not _is_flat(here.folder("val"))
            return None if is_plain else here
        if _is_flat(here.folder("val")) and _has_its_names(here.folder("val")):
            return here
    return None


def read_imagenet(found: ImageNet, *, for_training: bool = True) -> Dataset:
    """List the images; classes have the first word of their synset where a file says it.

    Raises RequestError for validation images without truth, and for a truth that lacks some.
    """
    rows = list(_training(found, "train"))
    notes: list[str] = []
    if _synsets(found.folder("val")):
        rows += _training(found, "val")
    elif _is_flat(found.folder("val")):
        rows += _validation(found)
    if found.folder("test").is_dir():
        notes.append(f"{found.folder('test')} has no labels and is not used.")
    rows.sort()
    classes = sorted({synset for _, synset, _ in rows})
    label_of = {synset: label for label, synset in enumerate(classes)}
    dataset = Dataset(
        name=found.root.resolve().name,
        classes=tuple(classes),
        images=FileImages(found.root, tuple(key for key, _, _ in rows)),
        labels=np.array([label_of[synset] for _, synset, _ in rows], np.int64),
        split=np.array([split for _, _, split in rows], dtype="<U5"),
        has_published_splits=True,
        warnings=tuple(notes),
    )
    dataset = check_classes(dataset, where=str(found.root), for_training=for_training)
    return name_synsets(dataset, found.root / found.base)


def _synsets(folder: Path) -> list[str]:
    """The names of the synset folders in a folder; none if it has others."""
    if not folder.is_dir():
        return []
    names = [entry.name for entry in list_folder(folder) if is_folder(entry)]
    return names if all(map(SYNSET.fullmatch, names)) else []


def _is_flat(folder: Path) -> bool:
    """Whether a folder has images, itself or in a folder `images`."""
    if not folder.is_dir():
        return False
    entries = list_folder(folder)
    folders = [entry.name for entry in entries if is_folder(entry)]
    if folders == ["images"]:
        return (folder / TINY).is_file()
    return not folders and any(map(is_image, entries))


def _has_its_names(folder: Path) -> bool:
    names = [entry.name for entry in list_folder(folder)]
    return bool(names) and all(map(_VAL.match, names))


def _training(found: ImageNet, split: Split) -> Iterator[tuple[str, str, str]]:
    for synset in _synsets(found.folder(split)):
        for key in walk_images(found.folder(split) / synset).keys:
            yield found.key(split, synset, key), synset, split


def _validation(found: ImageNet) -> Iterator[tuple[str, str, str]]:
    folder = found.folder("val")
    truth, where = _truth(folder)
    for key in walk_images(folder).keys:
        stem = key.rpartition("/")[2].partition(".")[0]
        synset = truth(stem)
        if synset is None:
            raise RequestError(f"{where} has no class for {folder / key}.")
        yield found.key("val", key), synset, "val"


def _truth(folder: Path) -> tuple[Truth, Path]:
    """The classes of validation images, and the file that has them. Raises RequestError."""
    if path := nearby(folder, (SOLUTION,)):
        return _of_solution(path).get, path
    if (path := folder / TINY).is_file():
        rows = (line.split("\t") for line in read_text(path).splitlines())
        return {row[0].partition(".")[0]: row[1] for row in rows if len(row) > 1}.get, path
    if path := nearby(folder, TRUTHS):
        return _of_devkit(path), path
    if annotations := _annotations(folder):
        return partial(_of_annotation, annotations), annotations
    raise RequestError(
        f"{folder} has images and no file that says their classes. Put {SOLUTION} (Kaggle), the "
        f"devkit's {TRUTHS[0]} and meta.mat, or the boxes in {ANNOTATIONS[0]} beside it, or move "
        "the folder away."
    )


def _annotations(folder: Path) -> Path | None:
    """The folder with an annotation of each validation image: in one of those above the images."""
    here = folder.resolve()
    places = (above / name for above in list(here.parents)[:4] for name in ANNOTATIONS)
    return next((place for place in places if any(place.glob("ILSVRC*_val_*.xml"))), None)


def _of_annotation(annotations: Path, stem: str) -> str | None:
    """The class of the objects in the annotation of an image: one, by ILSVRC's rule."""
    path = annotations / f"{stem}.xml"
    if not path.is_file():
        return None
    names = {(one.findtext("name") or "").strip() for one in read_annotation(path).iter("object")}
    if len(names) != 1:
        raise RequestError(f"{path} has objects of {len(names)} classes; it must be one.")
    return names.pop()


def _of_solution(path: Path) -> Mapping[str, str]:
    """`ILSVRC2012_val_00048981,n03995372 85 1 499 272`: an image, and boxes of one class."""
    rows = csv.reader(io.StringIO(read_text(path)))
    return {row[0]: row[1].split()[0] for row in rows if len(row) > 1 and SYNSET.match(row[1])}


def _of_devkit(path: Path) -> Truth:
    """Line n has the ILSVRC2012_ID of image n."""
    synset_of = read_numbers(path.parent)
    lines = read_text(path).split()
    try:
        synsets = [synset_of[int(line)] for line in lines]
    except (ValueError, KeyError) as error:
        raise RequestError(
            f"{path} has the class {error}, which the devkit does not have."
        ) from error

    def truth(stem: str) -> str | None:
        number = re.search(r"(\d+)$", stem)
        index = int(number[1]) - 1 if number else -1
        return synsets[index] if 0 <= index < len(synsets) else None

    return truth
