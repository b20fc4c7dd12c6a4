"""Data sets of Hugging Face's `datasets`, by their features; the library is never imported."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from convscope.data.items import ItemImages, NumberedKeys, pixel_range_of
from convscope.data.label_arrays import read_labels
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
    `ClassLabel` or the column whose name is usual for labels.

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
    label = find_label_column(name, features, label_column, image)
    labels = read_labels(list(plain[label]), where=name, task=task)
    notes: list[str] = []
    if (data.format or {}).get("type") is not None:
        notes.append(f"{name}: the format or transform that was set on it is not used.")
    kept = np.flatnonzero(labels != NO_LABEL) if labels.dtype.kind == "i" else None
    if kept is not None and len(kept) < len(labels):
        if not len(kept):
            return None
        notes.append(
            f"{name}: {len(labels) - len(kept):,} images have no label (-1) and are left out."
        )
        plain, labels = plain.select(kept.tolist()), labels[kept]
    return LabeledImages(name, _images(plain, image, prefix, name), labels,
                         class_names_of(features[label]), tuple(notes))  # fmt: skip


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


def find_label_column(
    name: str, features: Mapping[str, Any], chosen: str | None, image: str
) -> str:
    """The column of labels: the chosen one, the only `ClassLabel`, or the only one of a usual name.

    Raises RequestError.
    """
    if chosen is not None:
        return existing_column(name, features, chosen)
    columns = [column for column, feature in features.items() if _kind(feature) == "ClassLabel"]
    if not columns:
        columns = [column for column in features if column.lower() in _LABEL_COLUMNS]
    if len(columns) == 1:
        return columns[0]
    what = f"several columns of labels ({', '.join(columns)})" if columns else "no column of labels"
    others = {column: feature for column, feature in features.items() if column != image}
    raise RequestError(
        f"{name} has {what}; its columns are {_described(others)}. Name one with `label_column`."
    )


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
    """The names of a `ClassLabel`, in the order of its integers; None of another feature."""
    names = getattr(feature, "names", None)
    return tuple(map(str, names)) if _kind(feature) == "ClassLabel" and names else None
