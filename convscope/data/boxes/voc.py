"""Boxes of Pascal VOC: one-based, both ends included; those of ImageNet, too."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from convscope.boxes.truth import COUNTS, DIFFICULT
from convscope.data.boxes.annotations import ImageBoxes
from convscope.data.boxes.box import Box, four_numbers
from convscope.data.voc_xml import read_annotation
from convscope.errors import RequestError

_SIDES = ("xmin", "ymin", "xmax", "ymax")


def read_voc_boxes(path: Path, split: str = "") -> ImageBoxes:
    """The objects of one XML file. Raises RequestError for a file that cannot be read."""
    tree = read_annotation(path)
    try:
        size = _number(tree, "size/width"), _number(tree, "size/height")
    except ValueError as error:
        raise RequestError(
            f"{path} has no size with the image's width and height, which boxes need ({error})."
        ) from error
    return ImageBoxes(size, split, [box for _, box in voc_boxes(tree, path)])


def voc_boxes(tree: ET.Element, path: Path) -> Iterator[tuple[str, Box]]:
    """The boxes of one XML file, each with where it stands. Raises RequestError for no numbers."""
    for number, one in enumerate(tree.iter("object"), 1):
        where = f"{path}, object {number}"
        cells = [one.findtext(f"bndbox/{side}") for side in _SIDES]
        yield where, one_based(_text(one, "name"), cells, where, is_hard=_is_hard(one))


def one_based(label: str, cells: list[str | None], where: str, *, is_hard: bool = False) -> Box:
    """The box of xmin, ymin, xmax and ymax."""
    xmin, ymin, xmax, ymax = four_numbers(cells, where)
    return Box(label, xmin - 1, ymin - 1, xmax, ymax, DIFFICULT if is_hard else COUNTS)


def _is_hard(one: ET.Element) -> bool:
    return (_text(one, "difficult") or "0") == "1"


def _text(one: ET.Element, name: str) -> str:
    return (one.findtext(name) or "").strip()


def _number(tree: ET.Element, name: str) -> int:
    value = int(float(tree.findtext(name) or ""))
    if value < 1:
        raise ValueError(f"{name} is {value}")
    return value
