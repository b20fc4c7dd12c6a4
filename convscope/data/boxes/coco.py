"""Boxes of COCO: [x, y, width, height] in pixels, zero-based, as real numbers.

The left edge is x and the right one x + width. `iscrowd` is 1 where a box holds many objects.
"""

from collections.abc import Mapping
from typing import Any

from convscope.boxes.truth import COUNTS, CROWD, DIFFICULT
from convscope.data.boxes.box import Box, four_numbers
from convscope.errors import RequestError


def coco_box(annotation: Mapping[str, Any], name: str, where: str) -> Box:
    """The box of one annotation, of a category. Raises RequestError for one that has none."""
    where = f"{where}, annotation {annotation.get('id')}"
    sides = annotation.get("bbox")
    if not isinstance(sides, list):
        raise RequestError(f"{where} has no bbox [x, y, width, height].")
    x, y, width, height = four_numbers(sides, where)
    state = DIFFICULT if annotation.get("ignore") else COUNTS
    return Box(name, x, y, x + width, y + height, CROWD if annotation.get("iscrowd") else state)


def coco_size(image: Mapping[str, Any], where: str) -> tuple[int, int]:
    """Width and height of a listed image. Raises RequestError where they are missing."""
    width, height = image.get("width"), image.get("height")
    if not (isinstance(width, int) and isinstance(height, int) and min(width, height) > 0):
        raise RequestError(
            f"{where}: image {image.get('file_name')} has no width and height, which boxes need."
        )
    return width, height
