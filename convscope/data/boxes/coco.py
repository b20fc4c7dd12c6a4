"""Boxes of COCO: [x, y, width, height] in pixels, zero-based, as real numbers.

The left edge is x and the right one x + width. `iscrowd` is 1 where a box holds many objects.
"""

from collections.abc import Mapping
from typing import Any

from convscope.boxes.truth import COUNTS, CROWD, DIFFICULT
from convscope.data.boxes.annotations import ImageBoxes
from convscope.errors import RequestError


def add_coco_box(image: ImageBoxes, annotation: Mapping[str, Any], name: str, where: str) -> None:
    """Add the box of one annotation. Raises RequestError for one that has none."""
    try:
        x, y, width, height = (float(value) for value in annotation["bbox"])
    except (KeyError, TypeError, ValueError) as error:
        raise RequestError(
            f"{where}: annotation {annotation.get('id')} has no bbox [x, y, width, height]."
        ) from error
    state = DIFFICULT if annotation.get("ignore") else COUNTS
    image.add((x, y, x + width, y + height), name, CROWD if annotation.get("iscrowd") else state)


def coco_size(image: Mapping[str, Any], where: str) -> tuple[int, int]:
    """Width and height of a listed image. Raises RequestError where they are missing."""
    width, height = image.get("width"), image.get("height")
    if not (isinstance(width, int) and isinstance(height, int) and min(width, height) > 0):
        raise RequestError(
            f"{where}: image {image.get('file_name')} has no width and height, which boxes need."
        )
    return width, height
