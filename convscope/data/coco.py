"""COCO's labels for classification: which categories an image has, whatever their boxes are.

Numbers of categories are not contiguous (of 80, the last is 90): classes are their names.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from convscope.data.boxes.annotations import UNNAMED, ImageBoxes, dataset_of_boxes
from convscope.data.boxes.coco import coco_box, coco_size
from convscope.data.dataset import Dataset
from convscope.data.presence import Presence, dataset_of
from convscope.data.split_names import split_of
from convscope.errors import RequestError
from convscope.regular_files import read_regular

ROBOFLOW = "_annotations.coco.json"


def find_coco(root: Path) -> list[Path]:
    """The files of annotations below a folder, sorted: `annotations/instances_train2017.json`, or,
    as Roboflow has them, `train/_annotations.coco.json`.
    """
    return sorted((root / "annotations").glob("instances_*.json")) or sorted(
        root.glob(f"*/{ROBOFLOW}")
    )


def read_coco(
    paths: Sequence[Path], root: Path, *, name: str, task: str = "auto", for_training: bool = True
) -> Dataset:
    """The images of some files of annotations, and the categories that each has.

    Images are looked for as `file_name` says below `root`, in the folder of the split's name
    (`train2017`), in `images`, and beside the file. Regions of crowds count. See `dataset_of`;
    with the task "detection" `dataset_of_boxes`.

    Raises RequestError for files that are damaged, and for annotations of images or categories that
    are not listed.
    """
    presence: dict[str, Presence] = {}
    boxes: dict[str, ImageBoxes] = {}
    names: list[str] = []
    for path in paths:
        lists = _lists(path)
        part = path.stem.removeprefix("instances_")
        part = path.parent.name if path.name == ROBOFLOW else part
        split = split_of(re.sub(r"\d+$", "", part)) or ""
        known = {one["id"]: str(one["name"]) for one in lists["categories"]}
        names += [one for one in known.values() if one not in names]
        folder = _folder(root, path, part, lists["images"])
        keys: dict[Any, str] = {}
        for image in lists["images"]:
            key = "/".join(p for p in (folder, str(image["file_name"])) if p)
            if key in presence or image["id"] in keys:
                raise RequestError(f"{path}: {key} is listed twice.")
            keys[image["id"]], presence[key] = key, Presence(split, set())
            if task == "detection":
                boxes[key] = ImageBoxes(coco_size(image, str(path)), split)
        for one in lists["annotations"]:
            category = known.get(one["category_id"])
            if category is None and task == "detection":
                category = f"{UNNAMED}{one['category_id']}"
            if one["image_id"] not in keys or category is None:
                raise RequestError(
                    f"{path}: annotation {one.get('id')} is of image {one['image_id']} and "
                    f"category {one['category_id']}, which are not both listed."
                )
            key = keys[one["image_id"]]
            presence[key].classes.add(category)
            if task == "detection":
                boxes[key].boxes.append(coco_box(one, category, str(path)))
    where = str(paths[0] if len(paths) == 1 else root)
    if task == "detection":
        return dataset_of_boxes(
            boxes, root=root, name=name, where=where, order=names, has_stated_sizes=True
        )
    return dataset_of(
        presence, root=root, name=name, where=where,
        order=names, task=task, for_training=for_training,
    )  # fmt: skip


def _folder(root: Path, path: Path, part: str, images: Sequence[Mapping[str, Any]]) -> str:
    """The folder below `root` in which the first image is. Raises RequestError."""
    if not images:
        raise RequestError(f"{path} has no images.")
    for image in images:
        file = str(image["file_name"])
        if file.startswith("/") or ".." in file.split("/"):
            raise RequestError(f"{path} names the image {file!r}, which is not below its folder.")
    first = str(images[0]["file_name"])
    for folder in ("", part, "images", f"images/{part}", "data"):
        if (root / folder / first).is_file():
            return folder
    raise RequestError(
        f"{path} names {first}, which is neither in {root} nor in {part} or images in it. Put the "
        "images there, or pass another file of annotations alone."
    )


def _lists(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The lists of a file of annotations. Raises RequestError."""
    try:
        parsed: Any = json.loads(read_regular(path))
        fields = ("images", "annotations", "categories")
        lists = {key: cast("list[dict[str, Any]]", parsed[key]) for key in fields}
        ids = [(i["id"], i["file_name"]) for i in lists["images"]]
        ids += [(a["image_id"], a["category_id"]) for a in lists["annotations"]]
        ids += [(c["id"], c["name"]) for c in lists["categories"]]
        hash(tuple(ids))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RequestError(
            f"{path} is not a file of COCO's annotations ({type(error).__name__}: {error}). Other "
            "labels are read from a CSV file with the columns path and label."
        ) from error
    return lists
