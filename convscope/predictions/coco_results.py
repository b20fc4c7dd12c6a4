"""Objects as COCO's results: [x, y, width, height] in pixels, zero-based, with the file's ids."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from convscope.errors import RequestError
from convscope.predictions.objects import DetectedObject
from convscope.regular_files import read_regular


def coco_results(
    images: Sequence[tuple[str, Sequence[DetectedObject]]],
    classes: Sequence[str],
    annotations: str | Path | None = None,
) -> list[dict[str, Any]]:
    """A row for each object of images, given with their paths, as `pycocotools` loads them.

    Ids are those of the images and categories in the file `annotations`, which are found by their
    names. Without one, the id of an image is the number that its file is named by, as COCO's are,
    or else the file's name, or the path where two images would have one id; that of a category is
    its place among `classes`, from 1.

    Raises RequestError for images and classes that the file does not have.
    """
    if annotations is None:
        known = _own_ids([path for path, _ in images])
        categories = {name: index for index, name in enumerate(classes, start=1)}
    else:
        known, categories = _ids(Path(annotations))
    return [
        {
            "image_id": _image_id(path, known, annotations),
            "category_id": _category_id(one.label, categories, annotations),
            "bbox": [left, top, right - left, bottom - top],
            "score": one.score,
            "file_name": PurePath(path).name,
            "category": one.label,
        }
        for path, objects in images
        for one in objects
        for left, top, right, bottom in [one.box]
    ]


def _own_ids(paths: Sequence[str]) -> dict[str, object]:
    """The ids of images by their paths, as `coco_results` says."""
    names = {path: PurePath(path) for path in paths}
    ids = {
        path: int(name.stem) if name.stem.isdecimal() else name.name for path, name in names.items()
    }
    count = Counter(ids.values())
    return {path: one if count[one] == 1 else path for path, one in ids.items()}


def _image_id(path: str, ids: Mapping[str, Any], annotations: object) -> object:
    name = PurePath(path)
    for known in (path, name.name):
        if known in ids:
            return ids[known]
    raise RequestError(f"{annotations} has no image {name.name}.")


def _category_id(label: str, ids: Mapping[str, Any], annotations: object) -> object:
    if label not in ids:
        raise RequestError(f"{annotations} has no category {label!r}.")
    return ids[label]


def _ids(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The ids of images, by path and by file name, and of categories in a file of annotations."""
    try:
        held: Any = json.loads(read_regular(path.expanduser()))
        files = {str(one["file_name"]): one["id"] for one in held["images"]}
        categories = {str(one["name"]): one["id"] for one in held["categories"]}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise RequestError(
            f"{path} is not a file of COCO's annotations ({type(error).__name__}: {error})."
        ) from error
    return {**{PurePath(name).name: number for name, number in files.items()}, **files}, categories
