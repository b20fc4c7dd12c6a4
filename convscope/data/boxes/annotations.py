"""What files say of the objects of images, checked, and the data set that follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from convscope.boxes.truth import Objects
from convscope.data.boxes.box import Box
from convscope.data.boxes.faults import BoxFault, describe_faults, sort_out
from convscope.data.classes import quote_names
from convscope.data.dataset import Dataset, FileImages
from convscope.data.spellings import in_order, merge_spellings
from convscope.errors import RequestError

UNNAMED = "number "
"""Begins the class of a box whose number nothing names."""


@dataclass
class ImageBoxes:
    """The objects of one image: its width and height in pixels, its split or "", and its boxes."""

    size: tuple[int, int]
    split: str = ""
    boxes: list[Box] = field(default_factory=list[Box])


def dataset_of_boxes(
    images: Mapping[str, ImageBoxes],
    *,
    root: Path,
    name: str,
    where: str,
    order: Sequence[str] = (),
    notes: Sequence[str] = (),
    has_stated_sizes: bool = False,
) -> Dataset:
    """The data set of images by their keys below `root`, with the boxes of their objects.

    Classes are in `order`, else sorted, and spellings that are surely the same are one; those
    without an object are left out, and said. Boxes end at the edges of their image; those with
    another fault are left out, and are among the data's `box_faults`. `has_stated_sizes` says
    whether the sizes of images were not read from these.

    Raises RequestError where there is no object.
    """
    keys = sorted(images)
    named, merged = ({one: one for one in order}, ()) if order else _spelled(images, where)
    kept: list[list[Box]] = []
    faults: list[BoxFault] = []
    for key in keys:
        known = [box for box in images[key].boxes if box.label in named]
        unknown = [box for box in images[key].boxes if box.label not in named]
        faults += [BoxFault(key, "unknown", box) for box in unknown]
        boxes, found = sort_out(known, images[key].size, key)
        kept.append(boxes)
        faults += found
    present = {named[box.label] for boxes in kept for box in boxes}
    if not present and not faults:
        raise RequestError(f"{where} has no object with a box.")
    shown = present or {named.get(fault.box.label, fault.box.label) for fault in faults}
    classes = [one for one in order or in_order(shown) if one in shown] or in_order(shown)
    sentences = [*notes, *merged, *describe_faults(faults, where)]
    if absent := [one for one in order if one not in shown]:
        sentences.append(f"{where}: no objects of {quote_names(absent)}; these are left out.")
    numbers = {label: classes.index(one) for label, one in named.items() if one in present}
    objects = Objects.of(
        [np.array([box.edges for box in boxes], np.float64).reshape(-1, 4) for boxes in kept],
        [np.array([numbers[box.label] for box in boxes], np.int64) for boxes in kept],
        [np.array([box.state for box in boxes], np.int64) for boxes in kept],
        images=np.array([images[key].size for key in keys], np.int64).reshape(-1, 2),
    )
    dataset = Dataset(
        name=name,
        classes=tuple(classes),
        images=FileImages(root, tuple(keys)),
        labels=np.zeros(len(keys), np.int64),
        split=np.array([images[key].split for key in keys], dtype="<U5"),
        warnings=tuple(sentences),
        box_faults=tuple(faults),
        has_stated_sizes=has_stated_sizes,
    )
    return dataset.with_objects(objects)


def _spelled(
    images: Mapping[str, ImageBoxes], where: str
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The class of each spelling, and a sentence on those that were merged."""
    labels = [box.label for image in images.values() for box in image.boxes]
    return merge_spellings(labels, where=where)
