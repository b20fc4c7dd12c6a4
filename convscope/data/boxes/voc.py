"""Boxes of Pascal VOC: one-based, both ends included.

`xmin` 1 is the first column, and `xmax` the last column that belongs to the object: so the left
edge is xmin - 1, the right one xmax, and likewise for rows.
"""

from pathlib import Path
from xml.etree import ElementTree as ET

from convscope.boxes.truth import COUNTS, DIFFICULT
from convscope.data.boxes.annotations import ImageBoxes
from convscope.data.voc_xml import read_annotation
from convscope.errors import RequestError


def read_voc_boxes(path: Path, split: str = "") -> ImageBoxes:
    """The objects of one XML file. Raises RequestError for a file that cannot be read."""
    tree = read_annotation(path)
    try:
        image = ImageBoxes((_number(tree, "size/width"), _number(tree, "size/height")), split)
        for one in tree.iter("object"):
            xmin, ymin, xmax, ymax = (
                float(one.findtext(f"bndbox/{name}") or "") for name in _EDGES
            )
            is_hard = (one.findtext("difficult") or "0").strip() == "1"
            name = (one.findtext("name") or "").strip()
            state = DIFFICULT if is_hard else COUNTS
            image.add((xmin - 1, ymin - 1, xmax, ymax), name, state)
    except ValueError as error:
        raise RequestError(f"{path} cannot be read ({error}).") from error
    return image


_EDGES = ("xmin", "ymin", "xmax", "ymax")


def _number(tree: ET.Element, name: str) -> int:
    value = int(float(tree.findtext(name) or ""))
    if value < 1:
        raise ValueError(f"{name} is {value}")
    return value
