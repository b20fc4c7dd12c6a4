"""Which columns of a table are the images, the labels, the splits and the groups."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from convscope.data.classes import quote_names
from convscope.data.column_names import (
    FILES,
    FLAGS,
    GROUPS,
    IMAGES,
    LABELS,
    PATHS,
    SPLITS,
    THINGS,
    names_a_group,
    plain,
)  # fmt: skip
from convscope.data.csv_rows import Sheet
from convscope.data.formats import EXTENSIONS
from convscope.data.one_hot import is_one_hot, one_hot_columns
from convscope.data.options import INDEPENDENT, DataOptions
from convscope.data.split_names import split_of
from convscope.data.task_error import NOT_ONE_HOT, TaskError
from convscope.data.walk import ending
from convscope.errors import RequestError, nearest

Finds = Callable[[str], object]
"""Tells whether a cell names an image file."""

_SAMPLE = 50  # rows that are looked at to tell what a column is


@dataclass
class Columns:
    """The columns of a table, by number from 0.

    Attributes:
        label: None if there are the columns of a one-hot table instead.
        one_hot: columns of 0 and 1, each headed by its class.
        is_multi_label: whether an image may have any number of labels.
        split: None if there is none; `flagged` is the split of its rows with yes, "" if it names
            splits.
        group: None if there is none.
        unused: the others.
        notes: sentences about what was decided.
    """

    image: int
    label: int | None
    one_hot: list[int]
    split: int | None = None
    flagged: str = ""
    group: int | None = None
    is_multi_label: bool = False
    unused: list[int] = field(default_factory=list[int])
    notes: list[str] = field(default_factory=list[str])


def find_columns(sheet: Sheet, options: DataOptions, finds: Finds) -> Columns:
    """Find the columns by the options, by their headers, and where these say nothing by what is in
    them. `finds` tells whether a cell names an image file.

    Raises RequestError where it is not plain which column is meant.
    """
    split, flagged = _split_column(sheet)
    group = _group_column(sheet, options.get("group_column"))
    image = _image_column(sheet, options.get("image_column"), finds)
    taken = {image, split, group}
    columns = Columns(image, None, [], split, flagged, group)
    _find_labels(sheet, options, taken, columns)
    label, one_hot = columns.label, columns.one_hot
    if not sheet.has_header:
        columns.notes.append(
            f"it has no header: images are in column {image + 1}, labels in {_said(label)}"
        )
    elif label is not None and plain(sheet.header[label]) not in LABELS | THINGS:
        columns.notes.append(f"its labels are taken from the column {column_name(sheet, label)!r}")
    elif one_hot:
        names = quote_names([sheet.header[i] for i in one_hot], max_shown=4)
        what = "labels" if columns.is_multi_label else "classes"
        columns.notes.append(f"the {what} are its columns of 0 and 1: {names}")
    used = {image, label, split, group, *one_hot}
    columns.unused = [i for i in range(len(sheet.header)) if i not in used]
    if unused := [column_name(sheet, i) for i in columns.unused]:
        columns.notes.append(f"unused columns: {', '.join(unused)}")
    return columns


def _said(label: int | None) -> str:
    return "the others" if label is None else f"column {label + 1}"


def column_name(sheet: Sheet, column: int) -> str:
    """The header of a column, or its number from 1."""
    return sheet.header[column] or f"column {column + 1}"


def _sample(sheet: Sheet, column: int) -> list[str]:
    return [cell for cell in sheet.column(column)[:_SAMPLE] if cell]


def _named(sheet: Sheet, option: str, wish: str) -> int:
    """The column that an option names, by header or by number from 1."""
    for same in (str, str.casefold, plain):
        found = [
            i for i, name in enumerate(sheet.header) if name and same(name) == same(wish.strip())
        ]
        if len(found) > 1:
            raise RequestError(f"{sheet.path} has the column {wish!r} twice.")
        if found:
            return found[0]
    if wish.strip().isdecimal() and 1 <= int(wish) <= len(sheet.header):
        return int(wish) - 1
    known = ", ".join(name for name in sheet.header if name) or "it has no header, so give a number"
    raise RequestError(
        f"`{option}='{wish}'`: {sheet.path} has no such column.{nearest(wish, sheet.header)} "
        f"Columns: {known}."
    )


def _exact(sheet: Sheet, name: str) -> int | None:
    """The column whose header is just this word, in upper or lower case."""
    found = [i for i, header in enumerate(sheet.header) if header.casefold() == name]
    if len(found) > 1:
        raise RequestError(f"{sheet.path} has the column {name!r} twice.")
    return found[0] if found else None


def _image_column(sheet: Sheet, wish: str | None, finds: Finds) -> int:
    if wish is not None:
        return _named(sheet, "image_column", wish)
    if (exact := _exact(sheet, "path")) is not None:
        return exact
    named = [i for i, header in enumerate(sheet.header) if plain(header) in IMAGES]
    candidates = named or list(range(len(sheet.header)))

    def share(column: int, test: Finds) -> float:
        cells = _sample(sheet, column)
        return sum(bool(test(cell)) for cell in cells) / max(1, len(cells))

    by_ending = [i for i in candidates if share(i, _has_ending) > 0.5]
    if len(by_ending) == 1 or (len(named) == 1 and not by_ending):
        return (by_ending or named)[0]

    def names_image(cell: str) -> bool:
        return bool(named or not cell.isdecimal()) and bool(finds(cell))

    found = [i for i in (by_ending or candidates) if share(i, names_image) > 0.5]
    if len(found) == 1:
        return found[0]
    choice = found or by_ending or named
    for names in (PATHS, FILES):
        best = [i for i in choice if plain(sheet.header[i]) in names]
        if len(best) == 1:
            return best[0]
    raise _column_error(sheet, "image_column", choice)


def _has_ending(cell: str) -> bool:
    return ending(cell.replace("\\", "/").rpartition("/")[2]).removeprefix(".") in EXTENSIONS


def _find_labels(
    sheet: Sheet, options: DataOptions, taken: set[int | None], columns: Columns
) -> None:
    """Set the column of the labels, or those of a table with a column for each."""
    wish, task = options.get("label_column"), options.get("task") or "auto"
    several = _several(sheet, wish)
    if several:
        columns.is_multi_label = task in ("auto", "multi-label")
        if not columns.is_multi_label and not is_one_hot(sheet, several):
            raise TaskError(
                f"`task='{task}'` needs one class per image, and {NOT_ONE_HOT}. "
                "`task='multi-label'` allows any number of labels.",
                fault=NOT_ONE_HOT,
            )
        columns.one_hot = several
        return
    columns.is_multi_label = task == "multi-label"
    if columns.is_multi_label and wish is None:
        rest = [i for i in range(len(sheet.header)) if i not in taken]
        flags = one_hot_columns(sheet, rest)
        has_labels = any(plain(sheet.header[i]) in LABELS for i in rest)
        if len(flags) > 1 and not has_labels:
            columns.one_hot = flags
            return
    columns.label, columns.one_hot = _label_column(sheet, wish, taken)


def _several(sheet: Sheet, wish: str | None) -> list[int]:
    """The columns that `label_column` names, if it names more than one."""
    if wish is None or any(plain(name) == plain(wish) for name in sheet.header if name):
        return []
    [names] = csv.reader([wish], skipinitialspace=True)
    found = [_named(sheet, "label_column", name) for name in names if name.strip()]
    if len(found) > len(set(found)):
        raise RequestError(f"`label_column='{wish}'` names a column twice.")
    return found if len(found) > 1 else []


def _label_column(
    sheet: Sheet, wish: str | None, taken: set[int | None]
) -> tuple[int | None, list[int]]:
    """The column of the labels, or the columns of a one-hot table."""
    if wish is not None:
        return _named(sheet, "label_column", wish), []
    if (exact := _exact(sheet, "label")) is not None:
        return exact, []
    rest = [i for i in range(len(sheet.header)) if i not in taken]
    named = [i for i in rest if plain(sheet.header[i]) in LABELS]
    one_hot = one_hot_columns(sheet, rest)
    if not named and is_one_hot(sheet, one_hot):
        return None, one_hot
    things = [i for i in rest if plain(sheet.header[i]) in THINGS]
    named = named or [i for i in things if not _is_one_of_scores(sheet, i, rest)]
    others = [i for i in rest if _may_be_labels(sheet, i)]
    candidates = _without_copies(sheet, named) or (others if len(others) == 1 else [])
    if len(candidates) == 1:
        return candidates[0], []
    raise _label_error(sheet, candidates, others, one_hot)


def _is_one_of_scores(sheet: Sheet, column: int, others: Sequence[int]) -> bool:
    """Whether a column and another are numbers from 0 to 1: both are classes, no labels."""
    return sum(i == column or _has_shares(sheet, i) for i in others) > 1 and _has_shares(
        sheet, column
    )


def _has_shares(sheet: Sheet, column: int) -> bool:
    cells = _sample(sheet, column)
    return bool(cells) and all(_is_number(cell) and 0 <= float(cell) <= 1 for cell in cells)


def _may_be_labels(sheet: Sheet, column: int) -> bool:
    """Whether a column that no header explains may be the labels: it is no index and no group."""
    header = sheet.header[column]
    if not header:
        return not sheet.has_header
    return names_a_group(header) is None and plain(header) not in IMAGES | SPLITS | FLAGS.keys()


def _without_copies(sheet: Sheet, columns: Sequence[int]) -> list[int]:
    """The columns without those that say the same by other words: a number and a name."""
    kept: list[int] = []
    for column in sorted(columns, key=lambda i: (all(map(_is_number, _sample(sheet, i))), i)):
        cells = sheet.column(column)
        if not any(_say_the_same(cells, sheet.column(other)) for other in kept):
            kept.append(column)
    return kept


def _say_the_same(first: list[str], second: list[str]) -> bool:
    pairs = set(zip(first, second, strict=True))
    return len(pairs) == len(set(first)) == len(set(second))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _label_error(
    sheet: Sheet, named: Sequence[int], others: Sequence[int], one_hot: Sequence[int]
) -> RequestError:
    """What to raise for a table whose column of labels is not plain."""
    if not named and len(one_hot) > 1 and len(one_hot) == len(others):
        fault = f"{sheet.path} has {len(one_hot)} columns of 0 and 1, but not one 1 in each row"
        return TaskError(
            f"{fault}. If an image may have several labels, or none, set `task='multi-label'`; "
            "else leave such rows out, or add a column label.",
            fault=fault,
        )
    error = _column_error(sheet, "label_column", named or others)
    if named or len(one_hot) < 2:
        return error
    names = ",".join(sheet.header[column] for column in one_hot)
    return RequestError(
        f"{error} If the columns of 0 and 1 are labels of which an image may have any number: "
        f"`label_column='{names}'`."
    )


_MEANT = {
    "image_column": ("images", "image files", "path"),
    "label_column": ("labels", "labels", "label"),
}
"""What an option names: two words for it, and the header that needs no option."""


def _column_error(sheet: Sheet, option: str, candidates: Sequence[int]) -> RequestError:
    """What to raise where several columns may be meant, or none is."""
    what, cells, usual = _MEANT[option]
    if candidates:
        names = [column_name(sheet, i) for i in candidates]
        return RequestError(
            f"{sheet.path}: {what} may be in {quote_names(names)}. Say which: "
            f"`{option}='{names[0]}'`."
        )
    header = ", ".join(map(repr, sheet.header)) if sheet.has_header else "there is no header"
    return RequestError(
        f"{sheet.path} has no column of {cells} ({header}). Call it {usual}, or name it with "
        f"`{option}`."
    )


def _split_column(sheet: Sheet) -> tuple[int | None, str]:
    """The column of the splits, and, if it says yes and no, the split of yes."""
    if (exact := _exact(sheet, "split")) is not None:
        return exact, ""
    for column, header in enumerate(sheet.header):
        name, cells = plain(header), set(sheet.column(column))
        splits = {split_of(cell) for cell in cells if cell}
        if name in SPLITS and splits and ("train" in splits or None not in splits):
            return column, ""
        if name in FLAGS and {cell.casefold() for cell in cells} <= YES | NO:
            return column, FLAGS[name]
    return None, ""


YES = frozenset({"1", "1.0", "true", "yes", "y", "t"})
NO = frozenset({"0", "0.0", "false", "no", "n", "f", ""})


def _group_column(sheet: Sheet, wish: str | None) -> int | None:
    if wish == INDEPENDENT:
        return None
    if wish is not None:
        return _named(sheet, "group_column", wish)
    if (exact := _exact(sheet, "group")) is not None:
        return exact
    found = [i for i, header in enumerate(sheet.header) if plain(header) in GROUPS]
    return found[0] if len(found) == 1 else None
