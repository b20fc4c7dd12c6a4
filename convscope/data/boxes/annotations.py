"""What files say of the objects of images, checked, and the data set that follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from convscope.boxes.truth import COUNTS, Objects
from convscope.data.classes import quote_names
from convscope.data.dataset import Dataset, FileImages
from convscope.errors import RequestError

Edges = tuple[float, float, float, float]


@dataclass
class ImageBoxes:
    """The objects of one image.

    Attributes:
        size: width and height of the image in pixels.
        split: train, val, test or "".
        boxes: left, top, right, bottom of each object, in pixels; the image begins at 0.
        names: of the objects' classes.
        states: whether they count, see `convscope.boxes.truth`.
    """

    size: tuple[int, int]
    split: str = ""
    boxes: list[Edges] = field(default_factory=list[Edges])
    names: list[str] = field(default_factory=list[str])
    states: list[int] = field(default_factory=list[int])

    def add(self, box: Edges, name: str, state: int = COUNTS) -> None:
        self.boxes.append(box)
        self.names.append(name)
        self.states.append(state)


def dataset_of_boxes(
    images: Mapping[str, ImageBoxes],
    *,
    root: Path,
    name: str,
    where: str,
    order: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Dataset:
    """The data set of images by their keys below `root`, with the boxes of their objects.

    Classes are in `order`, else sorted; those without an object are left out, and said. Boxes end
    at the edges of their image; those that are empty, or lie outside, are left out, and said; so
    are exact duplicates.

    Raises RequestError where edges are swapped, and where no object is left.
    """
    keys = sorted(images)
    sentences = [*notes, *_cleaned(images, where)]
    present = {one for key in keys for one in images[key].names}
    if not present:
        raise RequestError(f"{where} has no object with a box.")
    classes = [one for one in order or sorted(present) if one in present]
    if absent := [one for one in order if one not in present]:
        sentences.append(f"{where}: no objects of {quote_names(absent)}; these are left out.")
    numbers = {one: number for number, one in enumerate(classes)}
    objects = Objects.of(
        [np.array(images[key].boxes, np.float64).reshape(-1, 4) for key in keys],
        [np.array([numbers[one] for one in images[key].names], np.int64) for key in keys],
        [np.array(images[key].states, np.int64) for key in keys],
        images=np.array([images[key].size for key in keys], np.int64).reshape(-1, 2),
    )
    dataset = Dataset(
        name=name,
        classes=tuple(classes),
        images=FileImages(root, tuple(keys)),
        labels=np.zeros(len(keys), np.int64),
        split=np.array([images[key].split for key in keys], dtype="<U5"),
        warnings=tuple(sentences),
    )
    return dataset.with_objects(objects)


def _cleaned(images: Mapping[str, ImageBoxes], where: str) -> list[str]:
    """Cut boxes off at the edges of their images, and leave out what is none; sentences on that."""
    cut, empty, doubled = list[str](), list[str](), list[str]()
    for key, image in images.items():
        width, height = image.size
        kept = ImageBoxes(image.size)
        seen: set[tuple[Edges, str]] = set()
        for box, name, state in zip(image.boxes, image.names, image.states, strict=True):
            left, top, right, bottom = box
            if right < left or bottom < top:
                raise RequestError(
                    f"{where}: a box of {name!r} in {key} has its right edge at {right:g} and its "
                    f"left one at {left:g}, its bottom at {bottom:g} and its top at {top:g}. Swap "
                    "them there."
                )
            inside = (max(left, 0.0), max(top, 0.0), min(right, width), min(bottom, height))
            if inside[2] <= inside[0] or inside[3] <= inside[1]:
                empty.append(key)
            elif (inside, name) in seen:
                doubled.append(key)
            else:
                seen.add((inside, name))
                kept.add(inside, name, state)
                cut += [key] * (inside != box)
        image.boxes, image.names, image.states = kept.boxes, kept.names, kept.states
    told = (
        (cut, "boxes that reach beyond their image end at its edge"),
        (empty, "boxes that are empty or lie outside of their image are left out"),
        (doubled, "boxes that are there twice, with the same class, are taken once"),
    )
    return [f"{where}: {what}: {len(keys):,}, first in {keys[0]}." for keys, what in told if keys]
