"""Where the boxes of objects are once an image is brought to a network's input."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convscope.boxes.detections import Detections
from convscope.boxes.truth import DIFFICULT, Objects
from convscope.card import Card
from convscope.data.dataset import Dataset
from convscope.data.fit import in_pixels, shares_to_pixels
from convscope.errors import RequestError

LEAST_SEEN = 0.25
"""The share of an object's area that must be left, where an image is cut, for it to be found."""


def fitted(dataset: Dataset, card: Card, *, whole: NDArray[np.bool_] | None = None) -> Dataset:
    """The data with boxes as shares of the network's input, as the card resizes its images.

    Boxes end at the edges of what the network sees. An object of which less than LEAST_SEEN is left
    need not be found, and counts as difficult. A network of another task gets no boxes. Those of
    the images of which `whole` (n,) is True are shares of the image itself, from which windows will
    be cut.

    Raises RequestError for images whose size is not known.
    """
    objects = dataset.objects
    if objects is None or card.task != "detection":
        return replace(dataset, objects=None)
    if not (objects.images > 0).all():
        raise RequestError(f"The sizes of the images of {dataset.name} are not known.")
    boxes = objects.boxes.copy()
    for index, size in enumerate(objects.images.tolist()):
        of = objects.of_image(index)
        if of.start == of.stop:
            continue
        if whole is not None and whole[index]:
            boxes[of] /= np.tile(size, 2)
            continue
        scale, begin = shares_to_pixels((size[0], size[1]), card)
        boxes[of] = (boxes[of] - begin) / scale
    return replace(dataset, objects=cut_off(replace(objects, boxes=boxes)))


def within_images(
    found: Sequence[Detections], images: NDArray[np.int64], card: Card
) -> list[Detections]:
    """The boxes found in each image, as shares of the network's input, cut off at the edges of the
    image as `in_pixels` does; those that lie beside it, in the black bars, are left out.

    `images` are widths and heights (n, 2); where these are not known, boxes stay as they are.
    """
    kept: list[Detections] = []
    for one, (width, height) in zip(found, images.tolist(), strict=True):
        if not (width and height and len(one)):
            kept.append(one)
            continue
        scale, begin = shares_to_pixels((width, height), card)
        low, high = -begin / scale, (np.tile((width, height), 2) - begin) / scale
        boxes = one.boxes.clip(low, high).clip(0, 1)
        has_area = (boxes[:, 2:] > boxes[:, :2]).all(1)
        kept.append(replace(one, boxes=boxes).subset(np.flatnonzero(has_area)))
    return kept


def areas_in_pixels(
    found: Sequence[Detections], images: NDArray[np.int64], card: Card
) -> list[NDArray[np.float64]] | None:
    """The areas (m,) of the boxes found in each image, in its pixels; None where the widths and
    heights of the images (n, 2) are not known.
    """
    if not (images > 0).all():
        return None
    sizes = [(width, height) for width, height in images.tolist()]
    return [
        _areas(in_pixels(one.boxes, size, card)) for one, size in zip(found, sizes, strict=True)
    ]


def cut_off(objects: Objects) -> Objects:
    """Objects with boxes in shares that end at the edges; see `fitted`."""
    boxes, states = visible(objects.boxes, objects.states)
    return replace(objects, boxes=boxes, states=states)


def visible(
    boxes: NDArray[np.float64], states: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Boxes (m, 4) within 0..1, and the states of their objects; see `fitted`."""
    inside = boxes.clip(0, 1)
    before, after = _areas(boxes), _areas(inside)
    is_lost = after < LEAST_SEEN * before
    return inside, np.where(is_lost & (states == 0), DIFFICULT, states)


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1)
