"""Labels as tables and data sets have them: one for each image, lists, `a;b`, or yes and no."""

import csv
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from torch import Tensor

from convscope.data.label_arrays import Labels, read_labels
from convscope.data.label_lists import LabelList, is_yes, notes_on_flags, split_lists
from convscope.data.pixel_arrays import as_array
from convscope.data.spellings import in_order, merge_spellings
from convscope.data.task_error import NOT_ONE_HOT, TaskError
from convscope.errors import RequestError


@dataclass(frozen=True, eq=False)
class ReadLabels:
    """The labels of images, as `LabeledImages` takes them.

    Attributes:
        names: of the classes; of integers alone, of lists the integers as text.
    """

    labels: Labels
    names: tuple[str, ...] | None
    notes: tuple[str, ...] = ()


def read_label_values(
    values: Any, *, where: str, task: str = "auto", names: Sequence[str] | None = None
) -> ReadLabels:
    """The labels of a column of values, or of a list.

    Lists of names, or of integers, are several labels of an image, unless each has just one and
    `task` is not "multi-label". With that task, texts are lists such as `a;b`, too. Anything else,
    rows of 0 and 1 among it, is read by `read_labels`.

    Args:
        names: of the classes that integers stand for.

    Raises RequestError for several labels with a task of one class, for a label without a name, and
    as `read_labels`.
    """
    known, notes = None if names is None else tuple(names), list[str]()
    items = _items(values)
    rows = None if items is None else _lists(items, where, known)
    if rows is None:
        texts = _texts(items) if task == "multi-label" else None
        if texts is None:
            return ReadLabels(read_labels(values, where=where, task=task), known)
        rows, notes = split_lists(texts, where=where)
    elif task != "multi-label" and all(len(row) == 1 for row in rows):
        return ReadLabels(read_labels([row[0] for row in rows], where=where, task=task), known)
    if task not in ("auto", "multi-label"):
        number = next(number for number, row in enumerate(rows) if len(row) != 1)
        fault = f"{where}: image {number} has {len(rows[number])} labels"
        raise TaskError(
            f"{fault}, and `task='{task}'` needs one class for each. `task='multi-label'` allows "
            "any number.",
            fault=fault,
        )
    return _multi_hot(rows, where, known, notes)


def read_label_columns(
    columns: Mapping[str, Sequence[Any]], *, where: str, task: str = "auto"
) -> ReadLabels:
    """The labels of a column of yes and no for each: 1, true, yes; 0, false, no, or nothing.

    With a task of one class, each image has yes in one of them. Raises RequestError where it has
    not, and for other values.
    """
    names = tuple(columns)
    cells = [["" if v is None else str(v).strip().casefold() for v in columns[n]] for n in names]
    rows = [
        tuple(
            name
            for name, cell in zip(names, row, strict=True)
            if is_yes(cell, name, place=f"{where}, row {number}")
        )
        for number, row in enumerate(zip(*cells, strict=True))
    ]
    if task not in ("auto", "multi-label"):
        if any(len(row) != 1 for row in rows):
            raise TaskError(
                f"`task='{task}'` needs one class per image, and {NOT_ONE_HOT}. "
                "`task='multi-label'` allows any number of labels.",
                fault=NOT_ONE_HOT,
            )
        return ReadLabels(np.array([row[0] for row in rows], np.str_), names)
    return _multi_hot(rows, where, names, notes_on_flags(rows, sum(c.count("") for c in cells)))


def several_columns(wish: str | None, known: Collection[str]) -> list[str]:
    """The columns that `label_column` names, if it names more than one: "N,D,G"."""
    if wish is None or wish in known:
        return []
    [names] = csv.reader([wish], skipinitialspace=True)
    found = [name.strip() for name in names if name.strip()]
    if len(found) > len(set(found)):
        raise RequestError(f"`label_column='{wish}'` names a column twice.")
    return found if len(found) > 1 else []


def _items(values: Any) -> list[Any] | None:
    """The values of a list, a tuple or a column of objects; None of an array of numbers."""
    if not isinstance(values, list | tuple):
        values = as_array(values)
        if values.dtype.kind not in "OUS":
            return None
    return [v.tolist() if isinstance(v, Tensor | np.ndarray) else v for v in cast("Any", values)]


def _lists(
    items: Sequence[Any], where: str, known: tuple[str, ...] | None
) -> list[tuple[str, ...]] | list[tuple[int, ...]] | None:
    """The labels of each image, where these are lists; None of single ones and rows of 0 and 1."""
    if not any(map(_is_list, items)):
        return None
    rows = [() if item is None else tuple(item if _is_list(item) else [item]) for item in items]
    flat = [label for row in rows for label in row]
    if all(isinstance(label, str | bytes) for label in flat):
        return [tuple(filter(None, map(_text, row))) for row in rows]
    width = len(known or rows[0])
    if {len(row) for row in rows} == {width} and {*flat} <= {0, 1}:
        return None
    for number, row in enumerate(rows):
        for label in row:
            if isinstance(label, bool) or not isinstance(label, int) or label < 0:
                raise RequestError(
                    f"{where}: {label!r} of image {number} is not a label. A list has the names of "
                    "labels, or their numbers from 0; else pass 0 or 1 for each label."
                )
    return [tuple(row) for row in rows]


def _is_list(item: Any) -> bool:
    return isinstance(item, list | tuple | set | frozenset)


def _text(label: str | bytes) -> str:
    return (label.decode() if isinstance(label, bytes) else label).strip()


def _texts(items: Sequence[Any] | None) -> list[str] | None:
    """Values that are texts or nothing; None of others."""
    if items is None or not all(item is None or isinstance(item, str | bytes) for item in items):
        return None
    return ["" if item is None else _text(item) for item in items]


def _multi_hot(
    rows: Sequence[tuple[str, ...]] | Sequence[tuple[int, ...]],
    where: str,
    known: tuple[str, ...] | None,
    notes: Iterable[str],
) -> ReadLabels:
    """Rows of 0 and 1, a column for each name; of integers without names, for each that occurs."""
    named, said = _named(rows, where, known)
    names = known or tuple(in_order({name for row in named for name in row}))
    if not any(named):
        raise RequestError(f"{where}: no image has a label.")
    column = {name: number for number, name in enumerate(names)}
    targets = np.zeros((len(named), len(names)), np.uint8)
    for number, row in enumerate(named):
        targets[number, [column[name] for name in row]] = 1
    sentences = [n if n.startswith(where) else f"{where}: {n}." for n in (*notes, *said)]
    return ReadLabels(targets, names, tuple(sentences))


def _named(
    rows: Sequence[tuple[str, ...]] | Sequence[tuple[int, ...]],
    where: str,
    known: tuple[str, ...] | None,
) -> tuple[list[LabelList], tuple[str, ...]]:
    """The names of each image's labels, and sentences about spellings."""
    flat = [label for row in rows for label in row]
    if known is not None:
        names = dict(enumerate(known)) | {name: name for name in known}
        if unknown := [label for label in flat if label not in names]:
            raise RequestError(
                f"{where} has the label {unknown[0]!r}, which is not among the {len(known)} class "
                f"names: {', '.join(known)}."
            )
        return [tuple(names[label] for label in row) for row in rows], ()
    texts = [str(label) for label in flat]
    if any(isinstance(label, int) for label in flat):
        return [tuple(map(str, row)) for row in rows], ()
    merged, said = merge_spellings(texts, where=where)
    return [tuple(merged[str(label)] for label in row) for row in rows], said
