"""The boxes in a file or folder, by the names that it has for the images."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from convscope.data.boxes.box import Box, BoxesByImage, refuse_empty
from convscope.data.boxes.coco import coco_box
from convscope.data.boxes.sheet import read_box_sheet
from convscope.data.boxes.voc import voc_boxes
from convscope.data.voc_xml import read_annotation
from convscope.errors import RequestError
from convscope.regular_files import read_regular


def read_boxes(path: str | Path) -> BoxesByImage:
    """The boxes in a file of COCO's or a CSV file, or in a folder of Pascal VOC's XML files.

    Raises RequestError, naming the file and the box, for other files, for numbers that are none,
    and for boxes whose right or lower edge is not beyond the left or upper one.
    """
    source = Path(path).expanduser()
    if source.is_dir():
        found = _of_folder(source)
    elif not source.is_file():
        raise RequestError(f"There is no file or folder {path}.")
    elif source.suffix.lower() == ".json":
        found = _of_coco(source)
    elif source.suffix.lower() == ".xml":
        found = {source.stem: _of_xml(source)}
    else:
        found = {
            name: [refuse_empty(box, where) for where, box in image.boxes]
            for name, image in read_box_sheet(source).items()
        }
    if not any(found.values()):
        raise RequestError(f"{path} has no box.")
    return found


def boxes_of_images(boxes: BoxesByImage, keys: Sequence[str]) -> list[Sequence[Box]]:
    """The boxes of the images with these keys, by path, by file name, or by that without ending.

    Raises RequestError where a file name alone could be two images.
    """
    by_end: dict[str, list[str]] = {}
    for name in boxes:
        for end in {_stem(name), PurePosixPath(name).name}:
            by_end.setdefault(end, []).append(name)
    return [_matching(boxes, by_end, key) for key in keys]


def _matching(boxes: BoxesByImage, by_end: Mapping[str, Sequence[str]], key: str) -> Sequence[Box]:
    if key in boxes:
        return boxes[key]
    names = by_end.get(PurePosixPath(key).name) or by_end.get(_stem(key)) or ()
    if len(names) > 1:
        inside = [name for name in names if f"/{key}".endswith(f"/{name}")]
        inside = inside or [name for name in names if f"/{name}".endswith(f"/{key}")]
        if len(inside) != 1:
            raise RequestError(
                f"The boxes of {names[0]} and of {names[1]} could both be those of {key}. Name "
                "images by their paths in the file of boxes."
            )
        names = inside
    return boxes[names[0]] if names else ()


def _stem(name: str) -> str:
    return PurePosixPath(name).name.partition(".")[0]


def _of_folder(folder: Path) -> dict[str, list[Box]]:
    files = sorted(folder.rglob("*.xml"))
    if not files:
        raise RequestError(
            f"{folder} has no XML files of boxes. Name a folder of Pascal VOC's annotations, a "
            "JSON file of COCO's, or a CSV file."
        )
    return {file.relative_to(folder).with_suffix("").as_posix(): _of_xml(file) for file in files}


def _of_xml(path: Path) -> list[Box]:
    return [refuse_empty(box, where) for where, box in voc_boxes(read_annotation(path), path)]


def _of_coco(path: Path) -> dict[str, list[Box]]:
    try:
        held: Any = json.loads(read_regular(path))
        names = {one["id"]: str(one["name"]) for one in held["categories"]}
        files = {one["id"]: str(one["file_name"]) for one in held["images"]}
        found: dict[str, list[Box]] = {name: [] for name in files.values()}
        for one in held["annotations"]:
            box = coco_box(one, names[one["category_id"]], str(path))
            refuse_empty(box, f"{path}, annotation {one.get('id')}")
            found[files[one["image_id"]]].append(box)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise RequestError(
            f"{path} is not a file of COCO's boxes ({type(error).__name__}: {error})."
        ) from error
    return found
