"""Labeled images of one split, and several of them as one data set."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from convscope.card import Card
from convscope.data.classes import quote_names
from convscope.data.dataset import ConcatImages, Dataset, ImageSource, Split, file_of
from convscope.data.depth import DecodedImage
from convscope.data.label_arrays import Labels, is_multi_hot, name_labels
from convscope.data.spellings import in_order
from convscope.errors import RequestError


@dataclass(frozen=True, eq=False)
class LabeledImages:
    """Images with labels, as one object had them.

    Attributes:
        name: of the object.
        labels: (n,) integers, which are indices into `class_names` where there are any, or names.
        class_names: the names that the object has for its classes, in its order.
        notes: sentences for the user.
    """

    name: str
    images: ImageSource
    labels: Labels
    class_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            raise RequestError(
                f"{self.name} has {len(self.images):,} images and {len(self.labels):,} labels."
            )
        if not len(self.images):
            raise RequestError(f"{self.name} has no images.")


@dataclass(frozen=True, eq=False)
class NumberedImages:
    """Images of another source under keys of their positions: `train/00017`."""

    source: ImageSource
    prefix: str

    def __len__(self) -> int:
        return len(self.source)

    def key(self, index: int) -> str:
        return f"{self.prefix}{index:05d}"

    def file(self, index: int) -> Path | bytes | None:
        return file_of(self.source, index)

    def image(self, index: int, card: Card | None = None) -> DecodedImage:
        return self.source.image(index, card)

    def read(self, index: int, card: Card | None = None) -> tuple[DecodedImage, bytes]:
        return self.source.read(index, card)


def merge(
    parts: Mapping[Split | Literal[""], LabeledImages],
    *,
    class_names: Sequence[str] | None = None,
    default_names: Sequence[str] | None = None,
) -> Dataset:
    """One data set of the images of some splits; the split "" is undecided.

    The classes are `class_names`, else the names that the parts have, else the labels themselves:
    strings sorted, integers by value. A class without any image is left out.

    Args:
        class_names: name integer labels; of strings they say the order.
        default_names: names for integers that have none, unless they look like integers.
    """
    name = next(iter(parts.values())).name
    if any(is_multi_hot(part.labels) for part in parts.values()):
        return _merge_multi_hot(parts, class_names, default_names)
    named, order, notes = _named(parts, class_names, default_names)
    present = {label for labels in named for label in labels.tolist()}
    if absent := [label for label in order if label not in present]:
        notes.append(f"{name}: no images of {quote_names(absent)}; these classes are left out.")
    classes = tuple(label for label in order if label in present)
    index = {label: number for number, label in enumerate(classes)}
    labels = [index[label] for part in named for label in part.tolist()]
    return _joined(parts, classes, np.array(labels, dtype=np.int64), notes)


def _joined(
    parts: Mapping[Split | Literal[""], LabeledImages],
    classes: tuple[str, ...],
    labels: NDArray[np.int64],
    notes: Sequence[str],
) -> Dataset:
    split = [split for split, part in parts.items() for _ in range(len(part.labels))]
    sources = tuple(part.images for part in parts.values())
    images = sources[0] if len(sources) == 1 else ConcatImages(sources)
    noted = [note for part in parts.values() for note in part.notes]
    return Dataset(
        name=next(iter(parts.values())).name,
        classes=classes,
        images=_unique(images),
        labels=labels,
        split=np.array(split, dtype="<U5"),
        warnings=tuple(dict.fromkeys([*noted, *notes])),
    )


def _merge_multi_hot(
    parts: Mapping[Split | Literal[""], LabeledImages],
    class_names: Sequence[str] | None,
    default_names: Sequence[str] | None,
) -> Dataset:
    """The same of rows of 0 and 1: the columns have names, or are numbered from 0."""
    name = next(iter(parts.values())).name
    are_rows = [is_multi_hot(part.labels) for part in parts.values()]
    widths = {part.labels.shape[1] for part in parts.values() if part.class_names is None}
    if not all(are_rows) or len(widths) > 1:
        raise RequestError(
            f"{name}: the splits have labels of different forms. Pass rows of 0 and 1 of the same "
            "labels for each, and `task='multi-label'`."
        )
    for part in parts.values():
        names, width = part.class_names or class_names or default_names, part.labels.shape[1]
        if names is not None and len(names) != width and not (part.class_names and class_names):
            raise RequestError(
                f"{name} has {width} columns of labels, and there are {len(names)} class names: "
                f"{quote_names([*names])}."
            )
    own = [part.class_names or _numbers(part.labels.shape[1]) for part in parts.values()]
    columns, order = _columns(name, own, class_names, default_names)
    targets: list[NDArray[np.uint8]] = []
    for part, labels in zip(parts.values(), columns, strict=True):
        placed = np.zeros((len(part.labels), len(order)), np.uint8)
        placed[:, [order.index(label) for label in labels]] = part.labels
        targets.append(placed)
    all_targets = np.concatenate(targets)
    present = [bool(column.any()) for column in all_targets.T]
    absent = [label for label, found in zip(order, present, strict=True) if not found]
    notes = [f"{name}: no images of {quote_names(absent)}; these labels are left out."]
    joined = _joined(parts, (), np.zeros(len(all_targets), np.int64), notes if absent else [])
    kept = [label for label in order if label not in absent]
    return joined.with_targets(all_targets[:, present], kept)


def _numbers(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))


def _columns(
    where: str,
    own: Sequence[Sequence[str]],
    class_names: Sequence[str] | None,
    default_names: Sequence[str] | None,
) -> tuple[list[list[str]], list[str]]:
    """The label of each column, by part, and all labels in their order.

    `class_names` name columns whose names are numbers, and are the order of others.
    """
    known = [*dict.fromkeys(label for labels in own for label in labels)]
    given = class_names
    if all(label.isdecimal() for label in known):
        if given is None and default_names and not any(n.isdecimal() for n in default_names):
            given = default_names
        if given is None:
            return [[*labels] for labels in own], in_order(known)
        names = check_class_names(given)
        if (highest := max(map(int, known))) >= len(names):
            raise RequestError(
                f"{where} has {highest + 1} labels, 0 to {highest}, and there are {len(names)} "
                f"class names: {quote_names(names)}."
            )
        return [[names[int(label)] for label in labels] for labels in own], names
    order = known if len({*map(tuple, own)}) == 1 else in_order(known)
    if given is not None:
        order = check_class_names(given)
        if unknown := [label for label in known if label not in order]:
            raise RequestError(
                f"{where} has the label {unknown[0]!r}, which is not among the class names "
                f"{', '.join(order)}."
            )
    return [[*labels] for labels in own], order


def _named(
    parts: Mapping[Split | Literal[""], LabeledImages],
    class_names: Sequence[str] | None,
    default_names: Sequence[str] | None,
) -> tuple[list[NDArray[np.str_]], list[str], list[str]]:
    """The class name of each label, by part; the names in their order; and notes."""
    if class_names is not None:
        names = check_class_names(class_names)
        return [name_labels(p.labels, names, where=p.name) for p in parts.values()], names, []
    known = [p.class_names or () for p in parts.values()]
    if all(known):
        named = [
            name_labels(part.labels, names, where=part.name)
            for part, names in zip(parts.values(), known, strict=True)
        ]
        return named, list(dict.fromkeys(name for names in known for name in names)), []
    are_numbers = all(part.labels.dtype.kind == "i" for part in parts.values())
    if are_numbers and default_names and not any(name.isdecimal() for name in default_names):
        names = list(default_names)
        note = f"Labels are taken as indices of the classes: 0 is {names[0]}, 1 is {names[1]}"
        return (
            [name_labels(p.labels, names, where=p.name) for p in parts.values()],
            names,
            [f"{note}{' ...' if len(names) > 2 else ''}."],
        )
    values = np.concatenate([part.labels for part in parts.values()])
    order = [str(value) for value in np.unique(values).tolist()]
    return [part.labels.astype(np.str_) for part in parts.values()], order, []


def check_class_names(class_names: Sequence[str]) -> list[str]:
    """The names as a list. Raises RequestError for one string and for repeated names."""
    if isinstance(class_names, str):
        raise RequestError(
            f"`class_names` must be a list of names, one per class, not {class_names!r}."
        )
    names = [str(name) for name in class_names]
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise RequestError(f"`class_names` has {repeated[0]!r} twice.")
    return names


def _unique(images: ImageSource) -> ImageSource:
    """The images, under keys of their positions if two have the same key."""
    keys = {images.key(index) for index in range(len(images))}
    return images if len(keys) == len(images) else NumberedImages(images, "")
