"""Tables of images with any number of labels: lists in a column, or a column for each label."""

import re
from collections import Counter
from collections.abc import Sequence

from convscope.data.classes import quote_names
from convscope.data.columns import NO, YES, Columns
from convscope.data.csv_rows import Sheet
from convscope.data.spellings import merge_spellings
from convscope.errors import RequestError

SEPARATORS = "|;,"
"""What divides the labels of a cell: the first of these that is in any cell."""

_YES = YES | {"1.", "x", "positive", "present"}
_NO = NO | {"0.", "nan", "null", "<na>", "#n/a", "negative", "absent"}
_NONE = frozenset(
    {"", "nan", "null", "<na>", "#n/a", "none", "no finding", "no findings", "no label", "nothing"}
)
_BRACKETS = re.compile(r"^\[(.*)\]$")  # a list as Python writes it

LabelList = tuple[str, ...]


def read_label_lists(sheet: Sheet, columns: Columns) -> tuple[list[LabelList], list[str]]:
    """The labels of each row, and sentences about how they were read.

    Raises RequestError, naming the row, for a cell that is neither yes nor no in a label's column.
    """
    if columns.label is None:
        return _from_columns(sheet, columns)
    return split_lists(sheet.column(columns.label), where=str(sheet.path))


def _from_columns(sheet: Sheet, columns: Columns) -> tuple[list[LabelList], list[str]]:
    names = [sheet.header[column] or f"column {column + 1}" for column in columns.one_hot]
    rows: list[LabelList] = []
    num_empty = 0
    for row in sheet.rows:
        cells = [row.cell(column).casefold() for column in columns.one_hot]
        place = f"{sheet.path}, row {row.number}"
        flags = [is_yes(c, n, place=place) for n, c in zip(names, cells, strict=True)]
        num_empty += cells.count("")
        rows.append(tuple(name for name, has_it in zip(names, flags, strict=True) if has_it))
    return rows, notes_on_flags(rows, num_empty)


def is_yes(cell: str, column: str, *, place: str) -> bool:
    """Whether a cell of a label's column, in lower case, says yes.

    Raises RequestError, naming the place, for one that says neither yes nor no.
    """
    if cell not in _YES | _NO:
        raise RequestError(
            f"{place}: {cell!r} in the column {column!r} is neither yes (1, true, yes) nor no (0, "
            "false, no, empty). Write what is uncertain as one of them, or leave such rows out."
        )
    return cell in _YES


def notes_on_flags(rows: Sequence[LabelList], num_empty: int) -> list[str]:
    """Sentences about how columns of yes and no were read."""
    notes = [f"{num_empty:,} empty cells are taken as no"] if num_empty else []
    if all(len(labels) == 1 for labels in rows):
        notes.append(
            "each row has exactly one label; with `task='single-label'` they exclude each other"
        )
    return notes


def split_lists(cells: Sequence[str], *, where: str) -> tuple[list[LabelList], list[str]]:
    """The labels of each cell, as in `a;b`, and sentences about how they were read."""
    bare = [_BRACKETS.sub(r"\1", cell) for cell in cells]
    separator = next((sign for sign in SEPARATORS if any(sign in cell for cell in bare)), None)
    parts = [
        [part.strip(" '\"") for part in (cell.split(separator) if separator else [cell])]
        for cell in bare
    ]
    none: Counter[str] = Counter()
    rows: list[LabelList] = []
    for cell, listed in zip(cells, parts, strict=True):
        labels = [part for part in listed if part.casefold() not in _NONE]
        none[cell] += not labels
        rows.append(tuple(dict.fromkeys(labels)))
    merged, spelled = merge_spellings(
        [label for labels in rows for label in labels], where=where, numeric=True
    )
    notes = [*spelled]
    if separator:
        notes.append(f"its labels are divided at {separator!r}")
    if found := [f"{cell!r} ({count:,})" for cell, count in none.items() if count]:
        notes.append(f"taken as no label: {', '.join(found[:5])}")
    return [tuple(dict.fromkeys(merged[label] for label in labels)) for labels in rows], notes


def refuse_unlabeled(where: str, rows: Sequence[LabelList]) -> None:
    """Raise RequestError if no row has a label."""
    if not any(rows):
        raise RequestError(f"{where}: no image has a label.")


def leave_out_empty(names: Sequence[str], rows: Sequence[LabelList]) -> list[str]:
    """A sentence on labels that no image has, which are left out."""
    absent = [name for name in names if not any(name in row for row in rows)]
    return [f"no images of {quote_names(absent)}; these labels are left out"] if absent else []
