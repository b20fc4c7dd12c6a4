"""Data sets of Hugging Face's `datasets`, by their features; the library is never imported."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from convscope.data.items import ItemImages, NumberedKeys, pixel_range_of
from convscope.data.label_arrays import Labels
from convscope.data.label_values import (
    ReadLabels,
    read_label_columns,
    read_label_values,
    several_columns,
)
from convscope.data.labeled import LabeledImages
from convscope.errors import RequestError

_LABEL_COLUMNS = frozenset(["label", "labels", "class", "category", "target", "y", "class_name"])
NO_LABEL = -1
"""What data sets of the library have where the labels of a test split are withheld."""


def is_hugging_face(data: Any) -> bool:
    """Whether it is an object of the library `datasets`."""
    modules = {kind.__module__.partition(".")[0] for kind in type(data).__mro__}
    return "datasets" in modules and hasattr(data, "features")  # people name packages so, too


def read_hugging_face(
    data: Any,
    *,
    prefix: str = "",
    image_column: str | None = None,
    label_column: str | None = None,
    task: str = "auto",
) -> LabeledImages | None:
    """The images and labels of one split; None if all of its labels are withheld (-1).

    Images are decoded by the library, without the format or transform that was set on the data set.
    The columns are `image_column` and `label_column`, else the only `Image` feature, and the only
    `ClassLabel`, or list of them, or the column whose name is usual for labels.

    Raises RequestError for a streamed data set, and where the columns are not plain.
    """
    name = hugging_face_name(data)
    if not hasattr(data, "__len__"):
        raise RequestError(
            f"{name} is a {type(data).__name__}, which is streamed: its images can only be read in "
            "order. Load it with `streaming=False`."
        )
    plain = data.with_format(None)
    features: Mapping[str, Any] = plain.features
    image = find_image_column(name, features, image_column)
    columns = find_label_columns(name, features, label_column, image)
    read = read_columns({one: list(plain[one]) for one in columns}, features, name, task)
    labels, notes = read.labels, [*read.notes]
    if (data.format or {}).get("type") is not None:
        notes.append(f"{name}: the format or transform that was set on it is not used.")
    kept = labeled_images(labels)
    if len(kept) < len(labels):
        if not len(kept):
            return None
        notes.append(
            f"{name}: {len(labels) - len(kept):,} images have no label (-1) and are left out."
        )
        plain, labels = plain.select(kept.tolist()), labels[kept]
    images = _images(plain, image, prefix, name)
    return LabeledImages(name, images, labels, read.names, tuple(notes))


def hugging_face_name(data: Any) -> str:
    """The name under which it was loaded, else that of its kind."""
    info = getattr(data, "info", None)
    return getattr(info, "dataset_name", None) or getattr(info, "builder_name", None) or "dataset"


def _images(data: Any, column: str, prefix: str, name: str) -> ItemImages:
    def read_item(index: int) -> Any:
        item: Any = data[index][column]
        return cast("Any", np.array(item)) if isinstance(item, list) else item

    pixel_range = pixel_range_of([read_item(0)], where=name)
    return ItemImages(len(data), read_item, NumberedKeys(prefix), pixel_range)


def _kind(feature: Any) -> str:
    """The name of a feature's kind: "Image", "ClassLabel", "Value"."""
    return getattr(feature, "_type", None) or type(feature).__name__


def find_image_column(name: str, features: Mapping[str, Any], chosen: str | None) -> str:
    """The column of images: the chosen one, else the only `Image`. Raises RequestError."""
    if chosen is not None:
        return existing_column(name, features, chosen)
    columns = [column for column, feature in features.items() if _kind(feature) == "Image"]
    if len(columns) == 1:
        return columns[0]
    what = f"several columns of images ({', '.join(columns)})" if columns else "no column of images"
    raise RequestError(
        f"{name} has {what}; its columns are {_described(features)}. Name one with `image_column`."
    )


def find_label_columns(
    name: str, features: Mapping[str, Any], chosen: str | None, image: str
) -> list[str]:
    """The columns of labels: the chosen ones, or the only `ClassLabel`, or list of them, or the
    only one of a usual name.

    Raises RequestError.
    """
    if chosen is not None:
        several = several_columns(chosen, features) or [chosen]
        return [existing_column(name, features, column) for column in several]
    columns = [column for column, feature in features.items() if class_names_of(feature)]
    if not columns:
        columns = [column for column in features if column.lower() in _LABEL_COLUMNS]
    if len(columns) == 1:
        return columns
    what = f"several columns of labels ({', '.join(columns)})" if columns else "no column of labels"
    others = {column: feature for column, feature in features.items() if column != image}
    raise RequestError(
        f"{name} has {what}; its columns are {_described(others)}. Name one with `label_column`, "
        "or with commas a column of yes and no for each label."
    )


def read_columns(
    columns: Mapping[str, Sequence[Any]], features: Mapping[str, Any], where: str, task: str
) -> ReadLabels:
    """The labels in a column, or in a column of yes and no for each. Raises RequestError."""
    if len(columns) > 1:
        return read_label_columns(columns, where=where, task=task)
    [(column, values)] = columns.items()
    return read_label_values(values, where=where, task=task, names=class_names_of(features[column]))


def labeled_images(labels: Labels) -> NDArray[np.intp]:
    """The indices of the images whose label is not withheld."""
    is_known = labels != NO_LABEL if labels.dtype.kind == "i" else np.ones(len(labels), np.bool_)
    return np.flatnonzero(is_known)


def existing_column(name: str, features: Mapping[str, Any], column: str) -> str:
    """A column that was asked for. Raises RequestError where there is none of that name."""
    if column not in features:
        raise RequestError(
            f"{name} has no column {column!r}; its columns are {_described(features)}."
        )
    return column


def _described(features: Mapping[str, Any]) -> str:
    return ", ".join(f"{column} ({_kind(feature)})" for column, feature in features.items())


def class_names_of(feature: Any) -> tuple[str, ...] | None:
    """The names of a `ClassLabel`, or of those in a list, by their integers; None of others."""
    listed = cast("list[Any]", feature)[:1] if isinstance(feature, list) else []  # older versions
    inner = next(iter(listed), None) or getattr(feature, "feature", None) or cast("Any", feature)
    names = getattr(inner, "names", None)
    return tuple(map(str, names)) if _kind(inner) == "ClassLabel" and names else None
