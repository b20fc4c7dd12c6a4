"""A CSV of paths and labels: `path,label[,split][,group]`."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from convscope.data.classes import tie_classes
from convscope.data.dataset import Dataset, FileImages, Split
from convscope.errors import RequestError, nearest

SPLIT_WORDS: dict[str, Split | str] = {
    "": "", "train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test",
}  # fmt: skip
REQUIRED = ("path", "label")
OPTIONAL = ("split", "group")


@dataclass(frozen=True)
class _Row:
    """One line: its number in the file, counted from 1 with the header."""

    number: int
    path: str
    label: str
    split: str
    group: str


def read_table(path: Path) -> Dataset:
    """Read a table of pictures; none of them is opened.

    The first line names the columns, in any order; `path` and `label` are needed, `split` and
    `group` are known, others are passed over. Separators are comma, semicolon or tab, as the first
    line has them; the text is UTF-8. Paths are relative to the table's folder, or absolute. A
    split is train, val (valid, validation), test, or empty for "decide for me". A line that says
    again what another said is dropped with a warning.

    Raises RequestError, naming the line, for whatever is not so; for a path with two labels or two
    splits; for a group in two splits; and when not a single file exists.
    """
    rows, repeated = _unique(path, list(_rows(path, _text(path))))
    if not rows:
        raise RequestError(f"{path} has no rows below its header.")
    _refuse_straddling(path, rows)
    if not any(_exists(path.parent / row.path) for row in rows):
        raise RequestError(
            f"{path}: not one of its {len(rows):,} files exists, the first being "
            f"{path.parent / rows[0].path}. Paths are relative to the folder of the CSV."
        )
    rows.sort(key=lambda row: row.path)
    classes = sorted({row.label for row in rows})
    place = {name: label for label, name in enumerate(classes)}
    groups = tuple(row.group for row in rows)
    dataset = Dataset(
        name=path.stem,
        classes=tuple(classes),
        images=FileImages(path.parent, tuple(row.path for row in rows)),
        labels=np.array([place[row.label] for row in rows], dtype=np.int64),
        split=np.array([row.split for row in rows], dtype="<U5"),
        groups=groups if any(groups) else None,
        warnings=(f"{path}: {repeated:,} rows repeat others.",) if repeated else (),
    )
    return tie_classes(dataset, where=str(path))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # too long a name, a forbidden folder
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


def _rows(path: Path, text: str) -> Iterator[_Row]:
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = next(reader, list[str]())
        columns = _columns(path, header)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield _row(path, reader.line_num, cells, columns)
    except csv.Error as error:
        raise RequestError(f"{path}, row {reader.line_num}: {error}.") from error


def _columns(path: Path, header: list[str]) -> dict[str, int]:
    names = [name.strip().lower() for name in header]
    for name in REQUIRED:
        if name not in names:
            raise RequestError(
                f"{path} has no column {name!r} in its first line, {header}."
                f"{nearest(name, names)} It must name path and label, and may name split and group."
            )
    for name in (*REQUIRED, *OPTIONAL):
        if names.count(name) > 1:
            raise RequestError(f"{path} has the column {name!r} twice.")
    return {name: names.index(name) for name in (*REQUIRED, *OPTIONAL) if name in names}


def _row(path: Path, number: int, cells: list[str], columns: dict[str, int]) -> _Row:
    found = {
        name: cells[place].strip() if place < len(cells) else "" for name, place in columns.items()
    }
    for name in REQUIRED:
        if not found[name] or "\0" in found[name]:
            raise RequestError(f"{path}, row {number}: the {name} is empty.")
    split = SPLIT_WORDS.get(found.get("split", "").lower())
    if split is None:
        raise RequestError(
            f"{path}, row {number}: {found['split']!r} is no split. Allowed: train, val, test, or "
            "nothing."
        )
    return _Row(number, _key(path, found["path"]), found["label"], split, found.get("group", ""))


def _key(path: Path, text: str) -> str:
    """The path as the table's folder sees it, so that moving the whole changes no key."""
    pure = PurePosixPath(text)
    home = PurePosixPath(path.parent.absolute())
    return str(pure.relative_to(home) if pure.is_relative_to(home) else pure)


def _unique(path: Path, rows: list[_Row]) -> tuple[list[_Row], int]:
    """The rows with each path once, and how many were dropped for saying the same again."""
    first: dict[str, _Row] = {}
    for row in rows:
        other = first.setdefault(row.path, row)
        for what in ("label", "split", "group"):
            mine, yours = getattr(row, what), getattr(other, what)
            if mine != yours:
                raise RequestError(
                    f"{path}, rows {other.number} and {row.number}: {row.path} is listed with the "
                    f"{what}s {yours!r} and {mine!r}."
                )
    return list(first.values()), len(rows) - len(first)


def _refuse_straddling(path: Path, rows: list[_Row]) -> None:
    first: dict[str, _Row] = {}
    for row in rows:
        if row.group and row.split:
            other = first.setdefault(row.group, row)
            if other.split != row.split:
                raise RequestError(
                    f"{path}, rows {other.number} and {row.number}: group {row.group!r} is in "
                    f"{other.split} and in {row.split}. What belongs together must not be in two "
                    "splits."
                )
