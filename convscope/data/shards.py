"""WebDataset shards: tar files of samples `KEY.jpg` and `KEY.cls`, `KEY.json` or `KEY.txt`.

As in the library webdataset, the key of a sample is everything before the first dot of its name,
with its folders; case does not count in endings. Labels are read when the shards are opened,
images one at a time where they lie.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from convscope.data.archives import Archive, open_archive
from convscope.data.classes import check_classes
from convscope.data.content_images import ContentImages
from convscope.data.dataset import Dataset, Split
from convscope.data.formats import EXTENSIONS
from convscope.data.group_pattern import grouped_by_pattern
from convscope.data.json_labels import label_in_json
from convscope.data.label_arrays import Labels
from convscope.data.label_values import ReadLabels, read_label_columns, read_label_values
from convscope.data.labeled import LabeledImages, merge
from convscope.data.options import DataOptions
from convscope.data.part_files import find_file_splits
from convscope.data.walk import LITTER
from convscope.errors import RequestError
from convscope.regular_files import read_regular

LABEL_FIELDS = ("cls", "label", "class", "target", "json", "txt")
"""Endings of labels; the first that a data set has is taken."""
NAME_FILES = ("classnames.txt", "class_names.txt", "classes.txt")
"""Beside the shards: the name of each class, one a line, in the order of integer labels."""

MAX_LABEL = 1 << 20  # bytes
_WITHHELD = "-1"


@dataclass
class _Sample:
    """The members of a sample by their endings: `jpg`, `cls`."""

    shard: "_Shard"
    key: str
    fields: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def name(self) -> str:
        return f"{self.shard.key}/{self.key}"


@dataclass(frozen=True)
class _Shard:
    """A shard: its path below the folder of all, as a key, and its index."""

    key: str
    archive: Archive

    def samples(self) -> Iterator[_Sample]:
        samples: dict[str, _Sample] = {}
        for member in self.archive.members:
            name, (key, dot, ending) = member.rpartition("/")[2], _parts(member)
            if dot and not name.startswith(".") and name.lower() not in LITTER:
                samples.setdefault(key, _Sample(self, key)).fields[ending] = member
        yield from samples.values()


def is_shard(archive: Archive) -> bool:
    """Whether a tar file holds samples with labels, rather than class folders.

    It does if its first image has a `.cls` or the like beside it, or another label, and no folder.
    """
    beside: dict[str, set[str]] = {}
    first = None
    for member in archive.members:
        stem, _, ending = _parts(member)
        beside.setdefault(stem, set()).add(ending)
        if first is None and _is_image(ending):
            first = stem
    if first is None:
        return False
    found = beside[first].intersection(LABEL_FIELDS)
    return bool(found - {"json", "txt"}) or (bool(found) and "/" not in first)


def read_shards(
    root: Path,
    paths: Sequence[Path],
    *,
    where: str,
    options: DataOptions,
    default_names: Sequence[str] | None = None,
) -> Dataset:
    """Read the labels of shards. The key of an image is its shard's path below `root` and its name;
    of a single shard, its name.

    Splits are known by the names of shards (`train-000000.tar`) or of their folders. Integer labels
    are named by a file of NAME_FILES beside the shards. `image_column` and `label_column` name
    endings where several may be meant, and `label_column` a key of the JSON, or with commas a key
    of yes and no for each label. Lists in the JSON are several labels of an image; with the task
    "multi-label" a text may be, as in `a;b` or one a line, or empty.

    Raises RequestError, naming the sample, for two images in one and for a missing label.
    """
    chosen, notes = find_file_splits(root, paths, where=where)
    reader = _Reader(where, options, is_single=len(paths) == 1)
    parts: dict[Split | Literal[""], LabeledImages] = {}
    for split, files in chosen.items():
        shards = [_Shard(path.relative_to(root).as_posix(), open_archive(path)) for path in files]
        part = reader.read(shards)
        if part is not None:
            parts[cast("Split", split)] = part
    if not parts:
        raise RequestError(f"{where}: none of the images has a label.")
    are_numbers = all(
        all(name.isdecimal() for name in part.class_names)
        if part.class_names
        else part.labels.dtype.kind == "i"
        for part in parts.values()
    )
    names = _names_beside(root, paths) if are_numbers else None
    dataset = merge(parts, class_names=names, default_names=default_names)
    name = root.resolve().name if len(paths) > 1 else paths[0].stem
    dataset = replace(dataset, name=name, warnings=(*notes, *dataset.warnings))
    if pattern := options.get("group_pattern"):
        dataset = grouped_by_pattern(dataset, pattern, where=where)
    return check_classes(dataset, where=where, for_training=options.get("for_training", True))


@dataclass
class _Reader:
    """Reads the images and labels of shards; the first that has a label decides what it is."""

    where: str
    options: DataOptions
    is_single: bool

    @property
    def task(self) -> str:
        return self.options.get("task") or "auto"

    def read(self, shards: Sequence[_Shard]) -> LabeledImages | None:
        """The images and labels of one split; None if all labels are withheld (-1)."""
        found: list[tuple[str, Archive, str, Any]] = []
        imageless, withheld, notes = 0, 0, list[str]()
        for shard in shards:
            notes += [s for s in (*shard.archive.notes, shard.archive.describe_left_out()) if s]
            for sample in shard.samples():
                image = self._image(sample)
                if image is None:
                    imageless += 1
                    continue
                label = self._label(sample)
                withheld += label == _WITHHELD
                if label != _WITHHELD:
                    key = image if self.is_single else f"{shard.key}/{image}"
                    found.append((key, shard.archive, image, label))
        if imageless:
            notes.append(f"{self.where}: samples without an image are left out: {imageless:,}.")
        if withheld:
            notes.append(f"{self.where}: {withheld:,} images have no label (-1) and are left out.")
        if not found:
            if withheld:
                return None
            raise RequestError(f"{self.where} has no images with labels.")
        found.sort(key=lambda one: one[0])
        read = self._read_labels([label for _, _, _, label in found])
        members = [(archive, image) for _, archive, image, _ in found]

        def content(index: int) -> bytes:
            archive, name = members[index]
            return archive.read(name)

        images = ContentImages(tuple(key for key, _, _, _ in found), content)
        return LabeledImages(self.where, images, read.labels, read.names, (*notes, *read.notes))

    def _read_labels(self, labels: Sequence[Any]) -> ReadLabels:
        if all(isinstance(label, Mapping) for label in labels):
            columns = {name: [label[name] for label in labels] for name in labels[0]}
            return read_label_columns(columns, where=self.where, task=self.task)
        if self.task != "multi-label" and all(isinstance(label, str) for label in labels):
            self._refuse_captions(labels)
            return ReadLabels(_as_labels(labels), None)
        return read_label_values(labels, where=self.where, task=self.task)

    def _image(self, sample: _Sample) -> str | None:
        """The member that is the image. Raises RequestError for several."""
        asked = self.options.get("image_column")
        if asked is not None:
            return sample.fields.get(asked.lower().removeprefix("."))
        images = [ending for ending in sample.fields if _is_image(ending)]
        if len(images) > 1:
            names = " and ".join(sample.fields[ending] for ending in images[:2])
            raise RequestError(
                f"{self.where}: the sample {sample.name} has {len(images)} images, {names}. What "
                "stands before the first dot of a name is the sample's key: give each image "
                f"its own, or choose one with `image_column`, such as {images[0]!r}."
            )
        return sample.fields[images[0]] if images else None

    def _label(self, sample: _Sample) -> Any:
        """The label: a text; a list; or, of several keys of the JSON, the value of each."""
        asked = (self.options.get("label_column") or "").removeprefix(".")
        endings = [asked.lower()] if asked.lower() in sample.fields else list(LABEL_FIELDS)
        if asked and endings != [asked.lower()]:
            endings = ["json"]
        ending = next((one for one in endings if one in sample.fields), None)
        if ending is None:
            others = ", ".join(f".{one}" for one in sample.fields)
            wanted = f".{asked}" if asked else ", ".join(f".{one}" for one in LABEL_FIELDS)
            raise RequestError(
                f"{self.where}: the sample {sample.name} has no label: it has {others}, and a "
                f"label is one of {wanted}. Add it, or take the sample out."
            )
        text = self._text(sample, sample.fields[ending])
        if ending == "json":
            name = f"{self.where}: the JSON of {sample.name}"
            return label_in_json(text, asked if asked != "json" else "", name=name)
        if self.task == "multi-label":
            return text.splitlines() if "\n" in text else text
        if not text or "\n" in text:
            raise RequestError(
                f"{self.where}: the label {sample.fields[ending]} of {sample.shard.key} is "
                f"{'empty' if not text else 'several lines'}; the number or the name of a class is "
                "expected."
            )
        return text

    def _text(self, sample: _Sample, member: str) -> str:
        archive = sample.shard.archive
        if (size := archive.members[member].size) > MAX_LABEL:
            raise RequestError(f"{self.where}: {member} has {size:,} bytes, too many for a label.")
        try:
            return archive.read(member).decode("utf-8-sig").strip()
        except UnicodeDecodeError as error:
            raise RequestError(f"{self.where}: {member} of {sample.shard.key} is not UTF-8 text, "
                               "so it is no label.") from error  # fmt: skip

    def _refuse_captions(self, labels: Sequence[str]) -> None:
        distinct = len(set(labels))
        if len(labels) >= 20 and distinct > len(labels) / 2 and not _are_integers(labels):
            raise RequestError(
                f"{self.where} has {distinct:,} different labels for {len(labels):,} images, as "
                f"captions are ({labels[0][:40]!r}). Name the ending or the key of the classes "
                "with `label_column`."
            )


def _parts(member: str) -> tuple[str, str, str]:
    """The key of a member's sample, the dot, and its ending in lower case."""
    folder, _, name = member.rpartition("/")
    stem, dot, ending = name.partition(".")
    return f"{folder}/{stem}" if folder else stem, dot, ending.lower()


def _is_image(ending: str) -> bool:
    return ending.rpartition(".")[2] in EXTENSIONS


def _are_integers(labels: Sequence[str]) -> bool:
    return all(label.isascii() and label.isdigit() for label in labels)


def _as_labels(labels: Sequence[str]) -> Labels:
    if _are_integers(labels):
        return np.array([int(label) for label in labels], np.int64)
    return np.array(labels, np.str_)


def _names_beside(root: Path, paths: Sequence[Path]) -> list[str] | None:
    """The names of the classes, from a text file beside the shards."""
    for folder in dict.fromkeys([root, *(path.parent for path in paths)]):
        for name in NAME_FILES:
            file = folder / name
            if file.is_file():
                lines = read_regular(file).decode("utf-8-sig", "replace").splitlines()
                return [line.strip() for line in lines if line.strip()]
    return None
