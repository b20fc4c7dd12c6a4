"""A CSV file of paths and labels: `path,label[,split][,group]`, or by other names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from convscope.data.classes import check_classes
from convscope.data.column_names import is_known
from convscope.data.columns import NO, Columns, column_name, find_columns
from convscope.data.csv_rows import Row, Sheet, read_sheet
from convscope.data.dataset import Dataset, FileImages, Split
from convscope.data.doubtful_labels import doubts_about
from convscope.data.file_finder import FileFinder
from convscope.data.formats import EXTENSIONS
from convscope.data.group_columns import refuse_unasked_groups
from convscope.data.group_pattern import groups_by_pattern
from convscope.data.label_lists import (
    LabelList,
    leave_out_empty,
    read_label_lists,
    refuse_unlabeled,
)
from convscope.data.one_hot import class_of
from convscope.data.options import DataOptions
from convscope.data.spellings import in_order, merge_spellings
from convscope.data.split_names import split_of
from convscope.data.walk import ending
from convscope.errors import RequestError

MISSING = frozenset({"", "nan", "null", "<na>", "#n/a"})
"""Labels, in lower case, that say that there is none."""

NOT_CSV = {
    ".xlsx": "an Excel file", ".xls": "an Excel file", ".xlsm": "an Excel file",
    ".ods": "a spreadsheet", ".numbers": "a spreadsheet",
    ".feather": "a Feather file", ".jsonl": "a JSON file",
    ".pkl": "a pickle", ".sqlite": "a database", ".db": "a database", ".h5": "an HDF5 file",
    ".hdf5": "an HDF5 file", ".mat": "a MATLAB file", ".npy": "a NumPy file",
    ".xml": "an XML file",
}  # fmt: skip
"""What other files with labels are, by their endings."""
SAVE_AS_CSV = (
    "Save it as CSV with the columns path and label (spreadsheets: Save As; pandas: to_csv)."
)


@dataclass(frozen=True)
class _Image:
    """One row; `number` is its line in the file, `others` are the cells of unused columns."""

    number: int
    path: str
    label: str | LabelList
    split: Split | str
    group: str
    others: tuple[str, ...] = ()


def read_table(
    path: Path,
    *,
    image_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    group_pattern: str | None = None,
    task: str = "auto",
    for_training: bool = True,
) -> Dataset:
    """Read a table of images without opening them.

    The first line names the columns, in any order; `find_columns` says which are taken. Paths are
    absolute or relative to the table's folder; `FileFinder` says where others are looked for. Of
    a one-hot table, the headers are the classes. A split is train, val or test in any of the
    spellings of `split_of`; an empty one is decided later. Repeated rows are dropped with a
    warning; where an image may have several labels (see `read_label_lists`), they are put together.
    Labels that are surely the same are one class, see `merge_spellings`; if all are
    numbers, they are sorted by value.

    Raises RequestError, naming the row, for any other content, for a path with two labels, splits
    or groups, for a group in two splits, for a column of patients or the like that no option speaks
    of, and if none of the files exists.
    """
    options: DataOptions = {
        "image_column": image_column,
        "label_column": label_column,
        "group_column": group_column,
        "group_pattern": group_pattern,
        "task": task,
    }
    if group_column is not None and group_pattern is not None:
        raise RequestError("`group_column` and `group_pattern` exclude each other; choose one.")
    sheet = read_sheet(path, lambda row: _is_header(path, row, options))
    finder: list[FileFinder] = []

    def finds(text: str) -> bool:
        if not finder:
            finder.append(FileFinder(path.parent, ()))
        return finder[0].find(text) is not None

    columns = find_columns(sheet, options, finds)
    refuse_unasked_groups(sheet, columns, options)
    images, notes = _images(sheet, columns)
    rows, repeated = _unique(path, images)
    dataset = _dataset(path, rows, repeated, (*sheet.notes, *columns.notes, *notes), group_pattern)
    names = [column_name(sheet, column) for column in columns.unused]
    cells = zip(*(row.others for row in rows), strict=True)  # in the order of the images
    dataset = replace(dataset, columns=dict(zip(names, cells, strict=True)))
    return check_classes(dataset, where=str(path), for_training=for_training)


def _is_header(path: Path, row: Row, options: DataOptions) -> bool:
    """Whether the first row names the columns: it has usual names, or no image in it."""
    cells = [cell.strip() for cell in row.cells]
    if {options.get("image_column"), options.get("label_column")} & {*cells}:
        return True
    if any(_is_image(path.parent, cell) for cell in cells):
        return False
    return any(map(is_known, cells)) or not any(cell.isdecimal() for cell in cells)


def _is_image(folder: Path, cell: str) -> bool:
    name = cell.replace("\\", "/")
    if ending(name.rpartition("/")[2]).removeprefix(".") in EXTENSIONS:
        return True
    try:
        return bool(cell) and (folder / name).is_file()
    except (OSError, ValueError):
        return False


def _images(sheet: Sheet, columns: Columns) -> tuple[list[_Image], tuple[str, ...]]:
    """The rows as images, and sentences about where files were found and labels merged."""
    texts = sheet.column(columns.image)
    _refuse_empty(sheet, texts, "path", frozenset({""}))
    if any("\0" in text for text in texts):
        raise RequestError(f"{sheet.path}: a path has a zero byte in it.")
    if columns.is_multi_label:
        labels, notes = read_label_lists(sheet, columns)
        refuse_unlabeled(str(sheet.path), labels)
        names = [sheet.header[column] for column in columns.one_hot]
        return _rows(sheet, columns, texts, labels, [*notes, *leave_out_empty(names, labels)])
    if columns.label is None:
        names = [sheet.header[column] for column in columns.one_hot]
        labels = [names[class_of([r.cell(c) for c in columns.one_hot])] for r in sheet.rows]
    else:
        labels = sheet.column(columns.label)
    _refuse_empty(sheet, labels, "label", MISSING)
    merged, notes = merge_spellings(labels, where=str(sheet.path), numeric=True)
    return _rows(
        sheet, columns, texts, [merged[label] for label in labels], [*notes, *doubts_about(labels)]
    )


def _rows(
    sheet: Sheet,
    columns: Columns,
    texts: Sequence[str],
    labels: Sequence[str | LabelList],
    notes: Sequence[str],
) -> tuple[list[_Image], tuple[str, ...]]:
    """The rows as images, and sentences about them."""
    keys, found = FileFinder(sheet.path.parent, texts).locate(texts)
    images = [
        _Image(
            row.number,
            str(PurePosixPath(key)),
            label,
            _split(sheet, columns, row),
            "" if columns.group is None else row.cell(columns.group),
            tuple(row.cell(column) for column in columns.unused),
        )
        for row, key, label in zip(sheet.rows, keys, labels, strict=True)
    ]
    return images, (*found, *notes)


def _refuse_empty(sheet: Sheet, cells: Sequence[str], what: str, empty: frozenset[str]) -> None:
    """Raise RequestError for cells that say nothing, naming the first rows."""
    rows = [
        str(row.number)
        for row, cell in zip(sheet.rows, cells, strict=True)
        if cell.casefold() in empty
    ]
    if len(rows) == 1:
        raise RequestError(f"{sheet.path}, row {rows[0]}: the {what} is empty.")
    if rows:
        more = f" and {len(rows) - 5:,} more" if len(rows) > 5 else ""
        raise RequestError(
            f"{sheet.path}: the {what} is empty in {len(rows):,} of {len(cells):,} rows, "
            f"{', '.join(rows[:5])}{more}. Fill in or delete these rows."
        )


def _split(sheet: Sheet, columns: Columns, row: Row) -> Split | str:
    if columns.split is None:
        return ""
    cell = row.cell(columns.split)
    if columns.flagged:
        is_no = cell.casefold() in NO
        yes, no = ("train", "test") if columns.flagged == "train" else (columns.flagged, "train")
        return no if is_no else yes
    split = split_of(cell) if cell else ""
    if split is None:
        raise RequestError(
            f"{sheet.path}, row {row.number}: {cell!r} is not a split. Allowed: train, val, test, "
            "or an empty cell."
        )
    return split


def _dataset(
    path: Path,
    rows: list[_Image],
    repeated: int,
    notes: Sequence[str],
    group_pattern: str | None,
) -> Dataset:
    """The images of `rows`, which are put in the order of their paths."""
    _refuse_split_groups(path, rows)
    _require_files(path, rows)
    rows.sort(key=lambda row: row.path)
    classes = _classes(rows)
    groups, said = tuple(row.group for row in rows), ()
    if group_pattern is not None:
        keys = [row.path for row in rows]
        groups, said = groups_by_pattern(keys, group_pattern, where=str(path))
    sentences = [note if note.startswith(str(path)) else f"{path}: {note}." for note in notes]
    if repeated:
        what = "put together" if isinstance(rows[0].label, tuple) else "dropped"
        sentences.append(f"{path}: repeated rows {what}: {repeated:,}.")
    label_of = {name: label for label, name in enumerate(classes)}
    labels = [-1 if isinstance(row.label, tuple) else label_of[row.label] for row in rows]
    dataset = Dataset(
        name=path.stem,
        classes=tuple(classes),
        images=FileImages(path.parent, tuple(row.path for row in rows)),
        labels=np.array(labels, dtype=np.int64),
        split=np.array([row.split for row in rows], dtype="<U5"),
        groups=groups if any(groups) else None,
        warnings=(*sentences, *said),
    )
    if not any(isinstance(row.label, tuple) for row in rows):
        return dataset
    targets = [[name in row.label for name in classes] for row in rows]
    return dataset.with_targets(np.array(targets, np.uint8), classes)


def _classes(rows: Sequence[_Image]) -> list[str]:
    """The classes or labels that occur, in their order."""
    names: set[str] = set()
    for row in rows:
        names |= {*row.label} if isinstance(row.label, tuple) else {row.label}
    return in_order(names)


def _require_files(path: Path, rows: list[_Image]) -> None:
    """Raise RequestError if no file exists, and tell where they were looked for."""
    if any(_exists(path.parent / row.path) for row in rows):
        return
    windows = " It seems to be a path of another machine." if rows[0].path[1:2] == ":" else ""
    raise RequestError(
        f"{path}: none of its {len(rows):,} files exists, the first is "
        f"{path.parent / rows[0].path}. Paths are relative to the folder of the CSV file, and no "
        f"file below it has such a name.{windows} Put the CSV file beside the images."
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # the name is too long, or the folder forbidden
        return False


def _unique(path: Path, rows: list[_Image]) -> tuple[list[_Image], int]:
    """The rows without repetitions, and the number of those dropped or put together."""
    first: dict[str, _Image] = {}
    problems: list[str] = []
    for row in rows:
        other = first.setdefault(row.path, row)
        is_list = isinstance(row.label, tuple)
        for column in ("split", "group") if is_list else ("label", "split", "group"):
            value, first_value = getattr(row, column), getattr(other, column)
            if value != first_value:
                problems.append(
                    f"{path}, rows {other.number} and {row.number}: {row.path} is listed with the "
                    f"{column}s {first_value!r} and {value!r}"
                )
        if other is not row and is_list:
            both = tuple(dict.fromkeys([*other.label, *row.label]))
            first[row.path] = replace(other, label=both)
    if problems:
        more = f", and {len(problems) - 1:,} more such rows" if len(problems) > 1 else ""
        raise RequestError(f"{problems[0]}{more}. An image has one label, split and group.")
    return list(first.values()), len(rows) - len(first)


def _refuse_split_groups(path: Path, rows: list[_Image]) -> None:
    first: dict[str, _Image] = {}
    for row in rows:
        if row.group and row.split:
            other = first.setdefault(row.group, row)
            if other.split != row.split:
                raise RequestError(
                    f"{path}, rows {other.number} and {row.number}: group {row.group!r} is in "
                    f"{other.split} and in {row.split}. A group must be in a single split."
                )
