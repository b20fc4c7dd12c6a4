"""A CSV file of paths and labels: `path,label[,split][,group]`."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from convscope.data.classes import check_classes
from convscope.data.dataset import Dataset, FileImages, Split
from convscope.data.group_pattern import groups_by_pattern
from convscope.errors import RequestError, nearest

SPLIT_NAMES: dict[str, Split | str] = {
    "": "", "train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test",
}  # fmt: skip
REQUIRED = ("path", "label")
OPTIONAL = ("split", "group")


@dataclass(frozen=True)
class _Row:
    """One row; `number` is its line in the file, and the header is line 1."""

    number: int
    path: str
    label: str
    split: str
    group: str


def read_table(
    path: Path,
    *,
    image_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    group_pattern: str | None = None,
    for_training: bool = True,
) -> Dataset:
    """Read a table of images without opening them.

    The first line names the columns, in any order; `path` and `label` are required, `split` and
    `group` optional, others are ignored. The separator is the most frequent of comma, semicolon and
    tab in the first line; the text is UTF-8. Paths are absolute or relative to the table's folder.
    A split is train, val (valid, validation) or test; an empty one is decided later. Repeated rows
    are dropped with a warning.

    Raises RequestError, naming the row, for any other content, for a path with two labels, splits
    or groups, for a group in two splits, and if none of the files exists.
    """
    wanted = {"path": image_column, "label": label_column, "group": group_column}
    rows, repeated = _unique(path, list(_rows(path, _text(path), wanted)))
    if not rows:
        raise RequestError(f"{path} has no rows below its header.")
    _refuse_split_groups(path, rows)
    if not any(_exists(path.parent / row.path) for row in rows):
        raise RequestError(
            f"{path}: none of its {len(rows):,} files exists, the first is "
            f"{path.parent / rows[0].path}. Paths are relative to the folder of the CSV file."
        )
    rows.sort(key=lambda row: row.path)
    classes = sorted({row.label for row in rows})
    label_of = {name: label for label, name in enumerate(classes)}
    groups, notes = tuple(row.group for row in rows), ()
    if group_pattern is not None:
        keys = [row.path for row in rows]
        groups, notes = groups_by_pattern(keys, group_pattern, where=str(path))
    dataset = Dataset(
        name=path.stem,
        classes=tuple(classes),
        images=FileImages(path.parent, tuple(row.path for row in rows)),
        labels=np.array([label_of[row.label] for row in rows], dtype=np.int64),
        split=np.array([row.split for row in rows], dtype="<U5"),
        groups=groups if any(groups) else None,
        warnings=(*notes, *([f"{path}: repeated rows dropped: {repeated:,}."] if repeated else [])),
    )
    return check_classes(dataset, where=str(path), for_training=for_training)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # the name is too long, or the folder forbidden
        return False


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise RequestError(f"{path} is not a regular file.")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        hint = nearest(path.name, [p.name for p in path.parent.glob("*")])
        raise RequestError(f"{path} does not exist.{hint}") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"{path} is not UTF-8 text ({error}). Save it as UTF-8.") from error
    except OSError as error:
        raise RequestError(f"{path} could not be read: {error.strerror or error}.") from error


def _rows(path: Path, text: str, wanted: dict[str, str | None]) -> Iterator[_Row]:
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = next(reader, list[str]())
        columns = _columns(path, header, wanted)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield _row(path, reader.line_num, cells, columns)
    except csv.Error as error:
        raise RequestError(f"{path}, row {reader.line_num}: {error}.") from error


def _columns(path: Path, header: list[str], wanted: dict[str, str | None]) -> dict[str, int]:
    names = [name.strip().lower() for name in header]
    for name, column in wanted.items():
        if column and column.strip().lower() in names:
            names[names.index(column.strip().lower())] = name
    for name in REQUIRED:
        if name not in names:
            raise RequestError(
                f"{path} has no column {name!r} in its first line, {header}."
                f"{nearest(name, names)} It needs path and label; split and group are optional."
            )
    for name in (*REQUIRED, *OPTIONAL):
        if names.count(name) > 1:
            raise RequestError(f"{path} has the column {name!r} twice.")
    return {name: names.index(name) for name in (*REQUIRED, *OPTIONAL) if name in names}


def _row(path: Path, number: int, cells: list[str], columns: dict[str, int]) -> _Row:
    values = {
        name: cells[column].strip() if column < len(cells) else ""
        for name, column in columns.items()
    }
    for name in REQUIRED:
        if not values[name] or "\0" in values[name]:
            raise RequestError(f"{path}, row {number}: the {name} is empty.")
    split = SPLIT_NAMES.get(values.get("split", "").lower())
    if split is None:
        raise RequestError(
            f"{path}, row {number}: {values['split']!r} is not a split. Allowed: train, val, test, "
            "or an empty cell."
        )
    return _Row(number, _key(path, values["path"]), values["label"], split, values.get("group", ""))


def _key(path: Path, text: str) -> str:
    """The path relative to the table's folder, so that moving both changes no key."""
    pure = PurePosixPath(text)
    folder = PurePosixPath(path.parent.absolute())
    return str(pure.relative_to(folder) if pure.is_relative_to(folder) else pure)


def _unique(path: Path, rows: list[_Row]) -> tuple[list[_Row], int]:
    """The rows without repetitions, and the number of those dropped."""
    first: dict[str, _Row] = {}
    for row in rows:
        other = first.setdefault(row.path, row)
        for column in ("label", "split", "group"):
            value, first_value = getattr(row, column), getattr(other, column)
            if value != first_value:
                raise RequestError(
                    f"{path}, rows {other.number} and {row.number}: {row.path} is listed with the "
                    f"{column}s {first_value!r} and {value!r}."
                )
    return list(first.values()), len(rows) - len(first)


def _refuse_split_groups(path: Path, rows: list[_Row]) -> None:
    first: dict[str, _Row] = {}
    for row in rows:
        if row.group and row.split:
            other = first.setdefault(row.group, row)
            if other.split != row.split:
                raise RequestError(
                    f"{path}, rows {other.number} and {row.number}: group {row.group!r} is in "
                    f"{other.split} and in {row.split}. A group must be in a single split."
                )
