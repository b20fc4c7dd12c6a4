"""Folders with YOLO's labels: a text file for each image, and data.yaml with the classes' names.

A line is `class x y width height`: the number of the class from 0, the center and the size as
shares of the image. With more numbers it is `class x1 y1 x2 y2 ...`, an outline, whose box is the
smallest that holds it. The labels of `images/train/a.jpg` are in `labels/train/a.txt`; an image
without that file, or with an empty one, has no object.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from convscope.data.boxes.annotations import UNNAMED, ImageBoxes, dataset_of_boxes
from convscope.data.boxes.box import Box
from convscope.data.boxes.sizes import upright_sizes
from convscope.data.boxes.yolo_yaml import YoloFile, read_yolo_file
from convscope.data.classes import quote_names
from convscope.data.dataset import Dataset
from convscope.data.presence import Presence, dataset_of
from convscope.data.split_names import split_of
from convscope.data.voc_xml import read_text
from convscope.data.walk import walk_images
from convscope.errors import RequestError

_NAMES = ("classes.txt", "obj.names", "labels/classes.txt")
_IMAGES, _LABELS = "images", "labels"
_LARGEST = 2.0  # a share beyond which a number must be one of pixels


def find_yolo(path: Path) -> Path | None:
    """The description of YOLO's data at a path: data.yaml, or a folder with images and labels."""
    if path.is_file():
        return path if path.suffix.lower() in (".yaml", ".yml") else None
    described = [path / "data.yaml", path / "data.yml", *sorted(path.glob("*.y*ml"))]
    for file in described:
        if file.is_file() and "names:" in read_text(file):
            return file
    folders = [
        path,
        *(one for one in sorted(path.iterdir()) if one.is_dir() and split_of(one.name)),
    ]
    is_such = any((one / _IMAGES).is_dir() and (one / _LABELS).is_dir() for one in folders)
    return path if is_such else None


def read_yolo(path: Path, *, task: str = "auto", for_training: bool = True) -> Dataset:
    """The images of `find_yolo` with their boxes, see `dataset_of_boxes`; unless `task` is
    "detection", with the classes that each has, see `dataset_of`.

    Raises RequestError for a description or a line of labels that is not as above.
    """
    stated = read_yolo_file(path) if path.is_file() else YoloFile(path)
    root = stated.root
    names = stated.names or _names_beside(root)
    splits, absent = _images(stated)
    if not splits:
        raise RequestError(f"{path}: there are no images in {root}.")
    sizes = upright_sizes(root, list(splits))
    notes = [f"{path}: nothing names the classes; they are called by numbers."] * (not names)
    notes += absent
    if missing := [key for key in splits if key not in sizes]:
        some = f"{len(missing):,}, first {missing[0]}"
        notes.append(f"{path}: images that cannot be read are left out: {some}.")
    boxes = {
        key: ImageBoxes(size, splits[key], list(_boxes(root / _labels_of(key), size, names)))
        for key, size in sizes.items()
    }
    order = names or tuple(
        sorted({box.label for one in boxes.values() for box in one.boxes}, key=int)
    )
    name, where = root.resolve().name, str(path)
    if task == "detection":
        return dataset_of_boxes(boxes, root=root, name=name, where=where, order=order, notes=notes)
    presence = {
        key: Presence(one.split, {box.label for box in one.boxes} & {*order})
        for key, one in boxes.items()
    }
    return dataset_of(
        presence, root=root, name=name, where=where, order=order, notes=notes, task=task,
        for_training=for_training,
    )  # fmt: skip


def _names_beside(root: Path) -> tuple[str, ...]:
    """The classes that a text file names, one a line."""
    for name in _NAMES:
        if (root / name).is_file():
            return tuple(
                line.strip() for line in read_text(root / name).split("\n") if line.strip()
            )
    return ()


def _images(stated: YoloFile) -> tuple[dict[str, str], list[str]]:
    """The images below the root by their keys, each with its split, and sentences on others."""
    found: dict[str, str] = {}
    if not stated.splits:
        for key in walk_images(stated.root).keys:
            folders = key.split("/")[:-1]
            if _IMAGES in folders:
                found[key] = next((split for one in folders if (split := split_of(one))), "")
        return found, []
    absent: list[str] = []
    for split, entries in stated.splits.items():
        for entry in entries:
            keys = _listed(stated, entry)
            absent += [entry] * (keys is None)
            for key in keys or ():
                if found.setdefault(key, split) != split:
                    raise RequestError(f"{stated.path}: {key} is in {found[key]} and in {split}.")
    if absent and not found:
        raise RequestError(
            f"{stated.path} names {quote_names(absent)}, of which nothing is in {stated.root}. Put "
            "the images there."
        )
    names = f"{stated.path}: {quote_names(absent)}: not in {stated.root}, and left out."
    return found, [names] if absent else []


def _listed(stated: YoloFile, entry: str) -> list[str] | None:
    """The images of a folder, or of a text file that lists them; None where it is nowhere."""
    place = stated.place(entry)
    if place is None:
        return None
    base = place.relative_to(stated.root).as_posix()
    if place.is_dir():
        prefix = "" if base == "." else f"{base}/"
        return [f"{prefix}{key}" for key in walk_images(place).keys]
    lines = [line.strip() for line in read_text(place).split("\n") if line.strip()]
    places = [stated.place(line) for line in lines]
    if missing := [line for line, place in zip(lines, places, strict=True) if place is None]:
        raise RequestError(
            f"{place} names {len(missing):,} images that are not in {stated.root}, the first is "
            f"{missing[0]}."
        )
    return [one.relative_to(stated.root).as_posix() for one in places if one is not None]


def _labels_of(key: str) -> str:
    """The file of labels of an image: `labels` for the last folder `images`, and .txt.

    >>> _labels_of("train/images/a.b.jpg")
    'train/labels/a.b.txt'
    """
    parts = [*PurePosixPath(key).with_suffix(".txt").parts]
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == _IMAGES:
            parts[index] = _LABELS
            break
    return "/".join(parts)


def _boxes(path: Path, size: tuple[int, int], names: Sequence[str]) -> Iterator[Box]:
    """The boxes of a file of labels, for an image of this (width, height)."""
    if not path.is_file():
        return
    width, height = size
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        label, shares = _numbers(line.split(), where)
        if len(shares) == 4:
            x, y, w, h = shares
            edges = x - w / 2, y - h / 2, x + w / 2, y + h / 2
        else:
            across, down = shares[::2], shares[1::2]
            edges = min(across), min(down), max(across), max(down)
        left, top, right, bottom = edges
        named = names[label] if label < len(names) else f"{UNNAMED}{label}"
        named = named if names else str(label)
        yield Box(named, left * width, top * height, right * width, bottom * height)


def _numbers(words: Sequence[str], where: str) -> tuple[int, list[float]]:
    """The class and the shares of a line. Raises RequestError."""
    try:
        label, shares = float(words[0]), [float(word) for word in words[1:]]
    except ValueError as error:
        raise RequestError(
            f"{where}: {' '.join(words)!r} is not a class and numbers ({error})."
        ) from error
    if not (label.is_integer() and label >= 0):
        raise RequestError(f"{where}: the class is {words[0]}; it must be a number from 0 on.")
    if len(shares) != 4 and (len(shares) < 6 or len(shares) % 2):
        raise RequestError(
            f"{where} has {len(words)} numbers. A box is class, x, y, width, height; an outline is "
            "class and the x and y of three points or more."
        )
    if not all(math.isfinite(share) and abs(share) <= _LARGEST for share in shares):
        raise RequestError(
            f"{where}: x, y, width and height are shares of the image, 0 to 1, not "
            f"{' '.join(words[1:])}. Divide pixels by the image's width and height."
        )
    return int(label), shares
