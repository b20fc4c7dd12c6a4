"""Data handed over in Python: arrays, data sets of PyTorch and Hugging Face, splits of these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

import numpy as np
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from convscope.data.arrays import read_arrays
from convscope.data.dataset import SPLITS, Dataset, Split
from convscope.data.hugging_face import (
    hugging_face_name,
    is_hugging_face,
    read_hugging_face,
)
from convscope.data.labeled import LabeledImages, merge
from convscope.data.options import DataOptions
from convscope.data.split_names import split_of
from convscope.data.torch_dataset import dataset_name, read_torch_dataset
from convscope.errors import RequestError

TAKEN = (
    "a named source, the path of a folder or of a CSV file, (images, labels), a torch Dataset, a "
    "Hugging Face data set, or a dictionary of splits of these"
)
"""What is taken as data, for messages."""

ARRAYS = "arrays"
"""The name of images that were handed over as arrays."""

SplitName = Split | Literal[""]
Parts = dict[SplitName, LabeledImages]


@dataclass(frozen=True, kw_only=True)
class ObjectReader:
    """Reads data that were handed over as an object.

    Attributes:
        class_names: the names of the classes, in the order of integer labels.
        default_names: names for integer labels if nothing else names them; a run's classes.
        options: the columns of a Hugging Face data set, and the task.
    """

    class_names: Sequence[str] | None = None
    default_names: Sequence[str] | None = None
    options: DataOptions = field(default_factory=DataOptions)

    def read(self, data: Any) -> Dataset:
        """The data set. Raises RequestError for what is none, and for what is not plain in it."""
        parts = self._splits(data)
        return merge(parts, class_names=self.class_names, default_names=self.default_names)

    def _splits(self, data: Any) -> Parts:
        if isinstance(data, Mapping):
            return self._from_mapping(cast("Mapping[Any, Any]", data))
        if isinstance(data, tuple | list) and (splits := _as_splits(cast("list[Any]", data))):
            parts = self._from_mapping(splits)
            note = f"The {len(splits)} data sets are taken as {', '.join(splits)}, in this order."
            return {
                split: replace(part, notes=(note, *part.notes)) for split, part in parts.items()
            }
        part = self._one(data, "")
        if part is None:
            raise RequestError(f"{describe_data(data)}: none of the images has a label.")
        return {"": part}

    def _from_mapping(self, data: Mapping[Any, Any]) -> Parts:
        splits = _named_splits(data)
        parts: Parts = {}
        unlabeled: list[str] = []
        for split, value in splits.items():
            part = self._one(value, f"{split}/" if split else "")
            if part is None:
                unlabeled.append(split)
            else:
                parts[split] = part
        if not parts:
            raise RequestError(f"{describe_data(data)}: none of the images has a label.")
        if unlabeled:
            first = next(iter(parts))
            note = f"The images of {', '.join(unlabeled)} have no labels (-1) and are left out."
            parts[first] = replace(parts[first], notes=(*parts[first].notes, note))
        return parts

    def _one(self, data: Any, prefix: str) -> LabeledImages | None:
        """The images and labels of one split; None if its labels are withheld."""
        task = self.options.get("task") or "auto"
        if isinstance(data, DataLoader):
            return self._from_loader(data, prefix)
        if isinstance(data, tuple | list) and len(cast("list[Any]", data)) == 2:
            images, labels = cast("list[Any]", data)
            return read_arrays(images, labels, where=ARRAYS, prefix=prefix, task=task)
        if is_hugging_face(data):
            return read_hugging_face(
                data,
                prefix=prefix,
                image_column=self.options.get("image_column"),
                label_column=self.options.get("label_column"),
                task=task,
            )
        if isinstance(data, TorchDataset) or _is_map_style(data):
            return read_torch_dataset(data, prefix=prefix, task=task)
        raise RequestError(_unknown(data))

    def _from_loader(self, loader: "DataLoader[Any]", prefix: str) -> LabeledImages | None:
        part = self._one(loader.dataset, prefix)
        if part is None:
            return None
        note = f"Of the DataLoader, its data set {part.name} is used; convscope makes the batches."
        return replace(part, notes=(note, *part.notes))


def describe_data(data: Any) -> str:
    """A description in angle brackets of data that no path and no name stands for.

    >>> describe_data(([[[0]]], [1]))
    '<arrays>'
    """
    return f"<{_kind_of(data)}>"


def _kind_of(data: Any) -> str:
    if isinstance(data, tuple | list):
        splits = _as_splits(cast("list[Any]", data))
        return _kind_of(splits) if splits else ARRAYS
    if isinstance(data, Mapping):
        return ", ".join(dict.fromkeys(map(_kind_of, cast("Any", data).values()))) or "nothing"
    if isinstance(data, DataLoader):
        return _kind_of(cast("Any", data).dataset)
    if is_hugging_face(data):
        return f"{hugging_face_name(data)}, a Hugging Face data set"
    is_torch = isinstance(data, TorchDataset) or _is_map_style(data)
    return f"{dataset_name(data)}, a torch Dataset" if is_torch else type(data).__name__


def _as_splits(data: Sequence[Any]) -> dict[str, Any] | None:
    """The train, (validation) and test split of a pair or a triple; None if it is none.

    Keras has ((x_train, y_train), (x_test, y_test)).
    """
    if len(data) not in (2, 3) or not all(map(_is_one_split, data)):
        return None
    names = ("train", "test") if len(data) == 2 else ("train", "val", "test")
    return dict(zip(names, data, strict=True))


def _is_one_split(data: Any) -> bool:
    if isinstance(data, DataLoader | TorchDataset) or is_hugging_face(data):
        return True
    if not isinstance(data, tuple | list) or len(cast("list[Any]", data)) != 2:
        return False
    images, labels = cast("list[Any]", data)
    return _dimensions(images) >= 3 and _dimensions(labels) in (1, 2)


def _dimensions(values: Any) -> int:
    """The number of dimensions of an array, a tensor, an image, or a list of these."""
    if isinstance(values, list | tuple):
        return 1 + max(map(_dimensions, cast("list[Any]", values)[:1]), default=0)
    return 2 if isinstance(values, Image.Image) else getattr(values, "ndim", 0)


def _named_splits(data: Mapping[Any, Any]) -> dict[SplitName, Any]:
    """The values by split, from a dictionary whose keys are the names of splits."""
    if not data:
        raise RequestError(_unknown(data))
    splits: dict[SplitName, Any] = {}
    for key, value in data.items():
        split = split_of(str(key))
        if split is None:
            raise RequestError(
                f"{key!r} is not the name of a split. A dictionary of data needs the keys "
                f"{', '.join(map(repr, SPLITS))}, and for each a data set or (images, labels)."
            )
        if split in splits:
            raise RequestError(f"The dictionary has the split {split!r} twice, once as {key!r}.")
        splits[split] = value
    return splits


def _is_map_style(data: Any) -> bool:
    """Whether it is used as PyTorch uses a data set, whatever its class."""
    is_array = isinstance(data, np.ndarray | Tensor) or hasattr(data, "__array__")
    return not is_array and hasattr(data, "__getitem__") and hasattr(data, "__len__")


def _unknown(data: Any) -> str:
    if isinstance(data, np.ndarray | Tensor):
        return (
            f"The data are one array of shape {tuple(data.shape)}, without labels. "
            "Pass (images, labels)."
        )
    if data is None:
        return f"`data` is None. Pass {TAKEN}."
    kind = f"{type(data).__module__.partition('.')[0]}.{type(data).__name__}"
    return f"A {kind} is not taken as data. Pass {TAKEN}."
