"""Boxes of objects in files: Pascal VOC's XML, COCO's JSON, and CSV.

All become left, top, right, bottom in pixels of the upright image, whose upper left corner is
(0, 0): edges, so that right - left is the width. What each kind of file means by its numbers:

- Pascal VOC, also ImageNet's: `xmin` to `xmax` are pixels counted from 1, both inside: the edges
  are xmin - 1 and xmax. `LOC_val_solution.csv` of Kaggle has the same numbers.
- COCO: `bbox` is x, y, width, height from 0: the edges are x and x + width.
- CSV: columns `xmin, ymin, xmax, ymax` (or left, top, right, bottom; x1, y1, x2, y2) are edges from
  0, and `x, y, width, height` (or x, y, w, h) are COCO's.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from convscope.boxes.truth import COUNTS, CROWD, DIFFICULT
from convscope.data.column_names import IMAGES, LABELS, plain
from convscope.data.csv_rows import Row, Sheet, read_sheet
from convscope.data.synsets import SYNSET
from convscope.data.voc_xml import read_annotation
from convscope.errors import RequestError
from convscope.regular_files import read_regular

_CORNERS = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("left", "top", "right", "bottom"),
    ("x1", "y1", "x2", "y2"),
    ("x0", "y0", "x1", "y1"),
)
_SIZES = (
    ("x", "y", "width", "height"),
    ("x", "y", "w", "h"),
    ("left", "top", "width", "height"),
    ("bboxx", "bboxy", "bboxwidth", "bboxheight"),
)
_KAGGLE = ("imageid", "predictionstring")


@dataclass(frozen=True)
class Box:
    """One object: its class ("" where the file has none), its edges in pixels, and whether it
    counts, as `convscope.boxes.truth` has it.
    """

    label: str
    left: float
    top: float
    right: float
    bottom: float
    state: int = COUNTS

    @property
    def edges(self) -> tuple[float, float, float, float]:
        return self.left, self.top, self.right, self.bottom


BoxesByImage = Mapping[str, Sequence[Box]]
"""The boxes of each image, by its name as the file has it: `a/1.jpg`, `1.jpg` or `1`."""


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
        found = {source.stem: list(_of_voc(source))}
    else:
        found = _of_sheet(source)
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
    return {file.relative_to(folder).with_suffix("").as_posix(): [*_of_voc(file)] for file in files}


def _of_voc(path: Path) -> Iterator[Box]:
    for number, one in enumerate(read_annotation(path).iter("object"), 1):
        where = f"{path}, object {number}"
        cells = [one.findtext(f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")]
        low_x, low_y, high_x, high_y = _numbers(cells, where)
        label = (one.findtext("name") or "").strip()
        is_difficult = (one.findtext("difficult") or "0").strip() == "1"
        edges = low_x - 1, low_y - 1, high_x, high_y
        yield _box(label, edges, where, DIFFICULT if is_difficult else COUNTS)


def _of_coco(path: Path) -> dict[str, list[Box]]:
    try:
        held: Any = json.loads(read_regular(path))
        names = {one["id"]: str(one["name"]) for one in held["categories"]}
        files = {one["id"]: str(one["file_name"]) for one in held["images"]}
        found: dict[str, list[Box]] = {name: [] for name in files.values()}
        for one in held["annotations"]:
            where = f"{path}, annotation {one.get('id')}"
            left, top, width, height = _numbers(one["bbox"], where)
            state = CROWD if one.get("iscrowd") else DIFFICULT if one.get("ignore") else COUNTS
            box = _box(
                names[one["category_id"]], (left, top, left + width, top + height), where, state
            )
            found[files[one["image_id"]]].append(box)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise RequestError(
            f"{path} is not a file of COCO's boxes ({type(error).__name__}: {error})."
        ) from error
    return found


def _of_sheet(path: Path) -> dict[str, list[Box]]:
    sheet = read_sheet(path, lambda row: any(not _is_number(cell) for cell in row.cells[1:]))
    header = [plain(name) for name in sheet.header] if sheet.has_header else []
    if tuple(header[:2]) == _KAGGLE:
        return {row.cell(0): [*_of_kaggle(path, row)] for row in sheet.rows}
    columns, is_corners = _columns(path, header)
    others = {place: name for place, name in enumerate(header) if place not in columns}
    image = next((place for place, name in others.items() if name in IMAGES), None)
    label = next((place for place, name in others.items() if name in LABELS), None)
    if image is None:
        raise RequestError(f"{path}: no column names the images; call it path or filename.")
    return _of_rows(sheet, image, label, columns, is_corners=is_corners)


def _of_rows(
    sheet: Sheet, image: int, label: int | None, columns: Sequence[int], *, is_corners: bool
) -> dict[str, list[Box]]:
    found: dict[str, list[Box]] = {}
    for row in sheet.rows:
        where = f"{sheet.path}, line {row.number}"
        boxes = found.setdefault(row.cell(image).replace("\\", "/"), [])
        cells = [row.cell(column) for column in columns]
        if not any(cells):
            continue  # an image without an object
        left, top, third, fourth = _numbers(cells, where)
        edges = (left, top, third, fourth) if is_corners else (
            left, top, left + third, top + fourth
        )  # fmt: skip
        boxes.append(_box("" if label is None else row.cell(label), edges, where))
    return found


def _columns(path: Path, header: Sequence[str]) -> tuple[list[int], bool]:
    for is_corners, names in [(True, _CORNERS), (False, _SIZES)]:
        for four in names:
            if all(name in header for name in four):
                return [header.index(name) for name in four], is_corners
    raise RequestError(
        f"{path} has no columns of boxes: xmin, ymin, xmax, ymax (edges in pixels, from 0), or x, "
        f"y, width, height. It has {', '.join(filter(None, header)) or 'no header'}."
    )


def _of_kaggle(path: Path, row: Row) -> Iterator[Box]:
    """`n03995372 85 1 499 272 n03995372 ...`: the numbers of ImageNet's XML."""
    words = row.cell(1).split()
    where = f"{path}, line {row.number}"
    if len(words) % 5 or not all(map(SYNSET.fullmatch, words[::5])):
        raise RequestError(f"{where}: not a synset and four numbers for each box.")
    for start in range(0, len(words), 5):
        low_x, low_y, high_x, high_y = _numbers(words[start + 1 : start + 5], where)
        yield _box(words[start], (low_x - 1, low_y - 1, high_x, high_y), where)


def _numbers(cells: Iterable[object], where: str) -> tuple[float, float, float, float]:
    try:
        values = [float(cell) for cell in cells]  # pyright: ignore[reportArgumentType]
        first, second, third, fourth = values
    except (TypeError, ValueError) as error:
        raise RequestError(f"{where}: a box is four numbers of pixels, not {error}.") from error
    if not all(map(math.isfinite, values)):
        raise RequestError(f"{where}: a box is four finite numbers, not {values}.")
    return first, second, third, fourth


def _box(
    label: str, edges: tuple[float, float, float, float], where: str, state: int = COUNTS
) -> Box:
    left, top, right, bottom = edges
    if right <= left or bottom <= top:
        raise RequestError(
            f"{where}: the box from ({left:g}, {top:g}) to ({right:g}, {bottom:g}) is empty. Its "
            "corners may be swapped, or be a width and a height."
        )
    return Box(label, left, top, right, bottom, state)


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"\s*[-+]?\d*\.?\d*(?:[eE][-+]?\d+)?\s*", cell) is not None
