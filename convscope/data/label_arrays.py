"""Labels as people hand them over: integers, strings, one-hot rows, or several for each image."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.data.pixel_arrays import as_array
from convscope.data.task_error import TaskError
from convscope.errors import RequestError

Labels = NDArray[np.int64] | NDArray[np.str_] | NDArray[np.uint8]
"""(n,) indices or numbers of classes, or their names; uint8 (n, classes) of 0 and 1 where an image
may have any number of labels."""


def read_labels(labels: Any, *, where: str, task: str = "auto") -> Labels:
    """(n,) integers or names from an array, tensor or list; (n, classes) of several labels.

    One-hot rows become the index of their one, unless `task` is "multi-label"; rows of 0 and 1 with
    another number of ones are several labels, unless it is "single-label" or "ordinal". A column
    (n, 1), as Keras has for CIFAR, becomes a row; booleans become 0 and 1.

    Raises RequestError for several labels of an image with a task of one class, for probabilities,
    and for anything else.
    """
    array = as_array(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2 and array.dtype.kind in "biuf":
        if task == "multi-label" or (
            task == "auto" and np.isin(array, (0, 1)).all() and not _is_one_hot(array)
        ):
            return _from_multi_hot(array, where)
        return _from_one_hot(array, where)
    if array.ndim != 1:
        raise RequestError(
            f"{where}: the labels have the shape {array.shape}. One label per image is needed: an "
            "integer, a string, or a one-hot row."
        )
    return _from_row(array, where)


def name_labels(labels: Labels, names: Sequence[str], *, where: str) -> NDArray[np.str_]:
    """The class name of each label: integers are indices into `names`.

    Raises RequestError for an index or a string that `names` does not have.
    """
    if labels.dtype.kind == "U":
        if unknown := sorted(set(labels.tolist()) - set(names)):
            raise RequestError(
                f"{where} has the label {unknown[0]!r}, which is not among the class names "
                f"{', '.join(names)}."
            )
        return labels.astype(np.str_)
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(names):
        bad = labels.max() if labels.max() >= len(names) else labels.min()
        raise RequestError(
            f"{where} has the label {bad}, and there are {len(names)} class names, for the labels "
            f"0 to {len(names) - 1}."
        )
    return np.array(names, dtype=np.str_)[labels.astype(np.int64)]


def is_multi_hot(labels: Labels) -> bool:
    """Whether these are rows of 0 and 1, one for each image."""
    return labels.ndim == 2


def _from_multi_hot(array: NDArray[Any], where: str) -> NDArray[np.uint8]:
    wrong = ~np.isin(array, (0, 1))
    if wrong.any():
        row = int(np.flatnonzero(wrong.any(axis=1))[0])
        raise RequestError(
            f"{where}: the labels have the shape {array.shape} and are not 0 and 1; row {row} is "
            f"{array[row][:8].tolist()}. Each image needs one class, or 0 or 1 for each label."
        )
    if not array.any():
        raise RequestError(f"{where}: no image has a label.")
    return array.astype(np.uint8)


def _is_one_hot(array: NDArray[Any]) -> bool:
    return bool(np.isin(array, (0, 1)).all()) and bool((array.sum(axis=1) == 1).all())


def _from_one_hot(array: NDArray[Any], where: str) -> NDArray[np.int64]:
    if _is_one_hot(array):
        return array.argmax(axis=1).astype(np.int64)
    row = next(
        (
            number
            for number, values in enumerate(array)
            if set(values.tolist()) - {0, 1} or values.sum() != 1
        ),
        0,
    )
    fault = (
        f"{where}: the labels have the shape {array.shape} and are not one-hot; row {row} is "
        f"{array[row][:8].tolist()}"
    )
    raise TaskError(
        f"{fault}. Each image needs exactly one class; several labels need `task='multi-label'`.",
        fault=fault,
    )


def _from_row(array: NDArray[Any], where: str) -> Labels:
    match array.dtype.kind:
        case "i" | "u" | "b":
            return array.astype(np.int64)
        case "f":
            if not np.isfinite(array).all() or (array != np.round(array)).any():
                raise RequestError(
                    f"{where}: the labels are numbers that are not integers, such as "
                    f"{array[array != np.round(array)][0]}. A classifier needs classes."
                )
            return array.astype(np.int64)
        case "U":
            return np.array([str(value).strip() for value in array], dtype=np.str_)
        case _:
            return _from_objects(array.tolist(), where)


def _from_objects(values: list[Any], where: str) -> Labels:
    """Labels of a list with several types: strings and bytes, or integers and empty cells."""
    texts = [value.decode() if isinstance(value, bytes) else value for value in values]
    for number, value in enumerate(texts):
        if value is None or value != value or value == "":  # noqa: PLR0124  NaN is not itself
            raise RequestError(f"{where}: image {number} has no label. Leave it out.")
    if all(isinstance(value, str) for value in texts):
        return np.array([value.strip() for value in texts], dtype=np.str_)
    try:
        return read_labels(np.array([int(value) for value in texts]), where=where)
    except (TypeError, ValueError):
        odd = next(value for value in texts if not isinstance(value, int))
        raise RequestError(
            f"{where}: {odd!r} ({type(odd).__name__}) is not a label. Labels are integers, strings "
            "or one-hot rows."
        ) from None
