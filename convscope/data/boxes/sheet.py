"""Boxes in a CSV file: a row for each object, or ImageNet's on Kaggle."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from convscope.data.boxes.box import Box, four_numbers
from convscope.data.boxes.voc import one_based
from convscope.data.column_names import GROUPS, IMAGES, LABELS, SPLITS, names_a_group, plain
from convscope.data.csv_rows import Row, Sheet, read_sheet
from convscope.data.options import INDEPENDENT
from convscope.data.split_names import split_of
from convscope.data.synsets import SYNSET
from convscope.errors import RequestError

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


@dataclass
class SheetImage:
    """What a table says of an image: its split and its group, "" if it has none, and its boxes,
    each with where it stands.
    """

    split: str = ""
    group: str = ""
    boxes: list[tuple[str, Box]] = field(default_factory=list[tuple[str, Box]])


def has_boxes(path: Path) -> bool:
    """Whether a table has columns of boxes."""
    try:
        header = _header(_sheet(path))
        return tuple(header[:2]) == _KAGGLE or _columns(header) is not None
    except RequestError:
        return False


def read_box_sheet(
    path: Path,
    *,
    image_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = INDEPENDENT,
) -> dict[str, SheetImage]:
    """The images of a table with their boxes, by the path that it has for each.

    A row without numbers is an image without an object. `group_column` names the column of groups;
    None takes one that is called so, and refuses one of patients and the like. Raises RequestError,
    naming the row.
    """
    sheet = _sheet(path)
    header = _header(sheet)
    if tuple(header[:2]) == _KAGGLE:
        return {row.cell(0): SheetImage(boxes=[*_of_kaggle(path, row)]) for row in sheet.rows}
    columns = _columns(header)
    if columns is None:
        raise RequestError(
            f"{path} has no columns of boxes: xmin, ymin, xmax, ymax (edges in pixels, from 0), or "
            f"x, y, width, height. It has {', '.join(filter(None, header)) or 'no header'}."
        )
    places, is_corners = columns
    others = {place: name for place, name in enumerate(header) if place not in places}
    image = _column(sheet, image_column, others, IMAGES)
    if image is None:
        raise RequestError(f"{path}: no column names the images; call it path or filename.")
    label = _column(sheet, label_column, others, LABELS)
    split = _column(sheet, None, others, SPLITS)
    taken = {image, label, split}
    group = _group_column(
        sheet, group_column, {place: name for place, name in others.items() if place not in taken}
    )
    found: dict[str, SheetImage] = {}
    for row in sheet.rows:
        where = f"{path}, line {row.number}"
        name = row.cell(image).replace("\\", "/")
        named = "" if group is None else row.cell(group)
        one = found.setdefault(name, SheetImage(_split(row, split, where), named))
        if split is not None and one.split != _split(row, split, where):
            raise RequestError(f"{where}: {name} is in {one.split} and in {row.cell(split)}.")
        if one.group != named:
            raise RequestError(
                f"{where}: {name} is in group {one.group!r} and in {named!r}. An image is in one."
            )
        cells = [row.cell(place) for place in places]
        if not any(cells):
            continue  # an image without an object
        left, top, third, fourth = four_numbers(cells, where)
        if not is_corners:
            third, fourth = left + third, top + fourth
        text = "" if label is None else row.cell(label)
        one.boxes.append((where, Box(text, left, top, third, fourth)))
    return found


def _sheet(path: Path) -> Sheet:
    return read_sheet(path, lambda row: any(not _is_number(cell) for cell in row.cells[1:]))


def _header(sheet: Sheet) -> list[str]:
    return [plain(name) for name in sheet.header] if sheet.has_header else []


def _columns(header: Sequence[str]) -> tuple[list[int], bool] | None:
    """The places of the four numbers, and whether they are corners; None where there are none."""
    for is_corners, names in [(True, _CORNERS), (False, _SIZES)]:
        for four in names:
            if all(name in header for name in four):
                return [header.index(name) for name in four], is_corners
    return None


def _column(
    sheet: Sheet, stated: str | None, others: dict[int, str], known: frozenset[str]
) -> int | None:
    """The place of a column, by the name that was stated, or by what such columns are called."""
    if stated is None:
        return next((place for place, name in others.items() if name in known), None)
    if stated in sheet.header:
        return sheet.header.index(stated)
    raise RequestError(f"{sheet.path} has no column {stated!r}; it has {', '.join(sheet.header)}.")


def _group_column(sheet: Sheet, stated: str | None, others: dict[int, str]) -> int | None:
    """The place of the column of groups; None where images are independent."""
    if stated == INDEPENDENT:
        return None
    found = _column(sheet, stated, others, GROUPS)
    if found is not None:
        return found
    for place in others:
        header = sheet.header[place]
        if names_a_group(header) == "member":
            raise RequestError(
                f"{sheet.path}: by {header!r} several images may belong together; divided over "
                f"splits, they would make results too good. Set `group_column='{header}'` to keep "
                "them together, or `group_column='none'` if all images are independent."
            )
    return None


def _split(row: Row, column: int | None, where: str) -> str:
    if column is None or not row.cell(column):
        return ""
    split = split_of(row.cell(column))
    if split is None:
        raise RequestError(
            f"{where}: {row.cell(column)!r} is not a split. Allowed: train, val, test, or an empty "
            "cell."
        )
    return split


def _of_kaggle(path: Path, row: Row) -> Iterator[tuple[str, Box]]:
    """`n03995372 85 1 499 272 n03995372 ...`: the numbers of ImageNet's XML."""
    words = row.cell(1).split()
    where = f"{path}, line {row.number}"
    if len(words) % 5 or not all(map(SYNSET.fullmatch, words[::5])):
        raise RequestError(f"{where}: not a synset and four numbers for each box.")
    for start in range(0, len(words), 5):
        yield where, one_based(words[start], [*words[start + 1 : start + 5]], where)


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"\s*[-+]?\d*\.?\d*(?:[eE][-+]?\d+)?\s*", cell) is not None
