"""Data sets of the classes that are present in each image: several labels, or one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convscope.data.classes import check_classes, quote_names
from convscope.data.dataset import Dataset, FileImages


@dataclass
class Presence:
    """What is known of an image.

    Attributes:
        split: train, val, test or "".
        classes: those that it has.
    """

    split: str
    classes: set[str]


def dataset_of(
    presence: Mapping[str, Presence],
    *,
    root: Path,
    name: str,
    where: str,
    order: Sequence[str] | None = None,
    notes: Sequence[str] = (),
    task: str = "auto",
    for_training: bool = True,
) -> Dataset:
    """The data set of images by their keys below `root`, with a label for each class.

    Classes are in `order`, else sorted. If every image has exactly one class, that is its class,
    unless `task` is "multi-label".
    """
    keys = sorted(presence)
    present = {one for key in keys for one in presence[key].classes}
    classes = [one for one in order or sorted(present) if one in present]
    column = {one: number for number, one in enumerate(classes)}
    targets = np.zeros((len(keys), len(classes)), np.uint8)
    for row, key in enumerate(keys):
        for one in presence[key].classes:
            targets[row, column[one]] = 1
    sentences = [*notes]
    if absent := [one for one in order or () if one not in present]:
        sentences.append(f"{where}: no images of {quote_names(absent)}; these are left out.")
    dataset = Dataset(
        name=name,
        classes=tuple(classes),
        images=FileImages(root, tuple(keys)),
        labels=targets.argmax(axis=1).astype(np.int64)
        if classes
        else np.zeros(len(keys), np.int64),
        split=np.array([presence[key].split for key in keys], dtype="<U5"),
        warnings=tuple(sentences),
    )
    if task == "multi-label" or (targets.sum(axis=1) != 1).any():
        dataset = dataset.with_targets(targets, classes)
    return check_classes(dataset, where=where, for_training=for_training)
