"""Data sets of PyTorch: torchvision's, people's own, subsets and concatenations of them."""

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, cast

import numpy as np
from torch import Tensor
from torch.utils.data import ConcatDataset, IterableDataset, Subset, TensorDataset

from convscope.data.arrays import read_arrays
from convscope.data.items import ItemImages, NumberedKeys, pixel_range_of
from convscope.data.label_values import read_label_values
from convscope.data.labeled import LabeledImages
from convscope.data.pixel_arrays import PixelRange, as_array
from convscope.errors import RequestError

_REPEATS = 5  # times that the first item is read again, to see whether it changes
_LABEL_ATTRIBUTES = ("targets", "labels", "_labels", "y")
_IMAGE_KEYS = ("image", "img", "pixel_values", "x", "images")
_LABEL_KEYS = ("label", "target", "class", "y", "labels", "targets")


def read_torch_dataset(dataset: Any, *, prefix: str = "", task: str = "auto") -> LabeledImages:
    """The images and labels of a map-style data set, whose items are (image, label).

    Images are read when they are needed, each by `dataset[index]`, so a transform applies. Labels
    are taken from `targets`, `labels` or `samples` where these agree with the items, else from all
    items. Class names are those of `classes`.

    Raises RequestError for an iterable data set, for items of other kinds, and for images that a
    transform has normalized.
    """
    name = dataset_name(dataset)
    if isinstance(dataset, IterableDataset) or not hasattr(dataset, "__len__"):
        raise RequestError(
            f"{name} has no length: it can only be iterated. Pass a data set with `__len__` and "
            "`__getitem__`, or a list of images and one of labels."
        )
    if not len(dataset):
        raise RequestError(f"{name} has no images.")
    if isinstance(dataset, TensorDataset):
        return _from_tensors(dataset, prefix, task)
    items = _Items(dataset, name)
    probe = items.probe()
    declared = _declared_labels(dataset)
    agrees = declared is not None and np.array_equal(
        _stacked([declared[index] for index in probe.indices]), probe.labels
    )
    labels = declared if agrees else items.labels()
    read = read_label_values(labels, where=name, task=task, names=_class_names(dataset))
    key = _get_key(dataset, prefix)
    images = ItemImages(len(dataset), items.image, key, probe.pixel_range)
    notes = (*probe.notes(name), *read.notes)
    return LabeledImages(name, images, read.labels, read.names, notes)


def _from_tensors(dataset: Any, prefix: str, task: str) -> LabeledImages:
    if len(dataset.tensors) < 2:
        raise RequestError(f"{type(dataset).__name__} has no second tensor, of the labels.")
    images, labels = dataset.tensors[:2]
    return read_arrays(images, labels, where=type(dataset).__name__, prefix=prefix, task=task)


def dataset_name(dataset: Any) -> str:
    """The name of the class of a data set, or of the folder that it has read."""
    while isinstance(dataset, Subset):
        dataset = cast("Any", dataset).dataset
    if isinstance(dataset, ConcatDataset):
        return " + ".join(dict.fromkeys(map(dataset_name, _parts(dataset))))
    if hasattr(dataset, "samples") and isinstance(getattr(dataset, "root", None), str | Path):
        return Path(dataset.root).name or type(dataset).__name__
    return type(dataset).__name__


class _Items:
    """The items of a data set as pairs of an image and a label."""

    def __init__(self, dataset: Any, name: str) -> None:
        self.dataset, self.name = dataset, name

    def pair(self, index: int) -> tuple[Any, Any]:
        """The image and the label at an index. Raises RequestError for an item of another kind."""
        item: Any = self.dataset[index]
        if isinstance(item, tuple | list) and len(cast("list[Any]", item)) >= 2:
            return cast("Any", item[0]), cast("Any", item[1])
        if isinstance(item, Mapping):
            fields = cast("Mapping[str, Any]", item)
            image = next((fields[key] for key in _IMAGE_KEYS if key in fields), None)
            label = next((fields[key] for key in _LABEL_KEYS if key in fields), None)
            if image is not None and label is not None:
                return image, label
            found = f"a dictionary of {', '.join(map(str, fields))}"
        else:
            found = f"a {type(item).__name__}"
        raise RequestError(
            f"Item {index} of {self.name} is {found}, not a pair of an image and a label."
        )

    def checked_pair(self, index: int) -> tuple[Any, Any]:
        """`pair`, where whatever the data set raises is a RequestError."""
        try:
            return self.pair(index)
        except RequestError:
            raise
        except Exception as error:
            raise RequestError(
                f"Item {index} of {self.name} cannot be read: {type(error).__name__}: {error}"
            ) from error

    def image(self, index: int) -> Any:
        return self.pair(index)[0]

    def labels(self) -> Any:
        """The labels of all items, each of which is read."""
        return _stacked([self.checked_pair(index)[1] for index in range(len(self.dataset))])

    def probe(self) -> "_Probe":
        """Read a few items, the first of them several times."""
        indices = sorted({0, (len(self.dataset) - 1) // 2, len(self.dataset) - 1})
        pairs = [self.checked_pair(index) for index in indices]
        again = [self.checked_pair(index)[0] for index in indices + [0] * _REPEATS]
        first = [image for image, _ in pairs] + [pairs[0][0]] * _REPEATS
        return _Probe(
            indices,
            _stacked([label for _, label in pairs]),
            pixel_range_of([image for image, _ in pairs], where=self.name),
            is_random=not all(map(_is_same, first, again)),
        )


@dataclass(frozen=True)
class _Probe:
    """What a few items tell of a data set."""

    indices: list[int]
    labels: Any
    pixel_range: PixelRange
    is_random: bool

    def notes(self, name: str) -> Iterator[str]:
        if self.pixel_range.note:
            yield self.pixel_range.note
        if self.is_random:
            yield (
                f"{name} returns another image each time: its transform is random. Validation and "
                "test are then random too, and a run cannot be resumed on the same images. Leave "
                "such transforms out and use `augment`."
            )


def _stacked(labels: list[Any]) -> Any:
    """Labels of items as one list, or as one array where they are rows of one length."""
    values = [as_array(label) if isinstance(label, Tensor | np.ndarray) else label
              for label in labels]  # fmt: skip
    if all(isinstance(value, np.ndarray) for value in values):
        if len({value.shape for value in values}) > 1:
            return [value.tolist() for value in values]
        return np.stack(values)
    return [value.item() if isinstance(value, np.generic | np.ndarray) else value
            for value in values]  # fmt: skip


def _is_same(first: Any, second: Any) -> bool:
    if isinstance(first, str | Path):
        return first == second
    return np.array_equal(as_array(first), as_array(second))


def _declared_labels(dataset: Any) -> list[Any] | None:
    """The labels that a data set has in an attribute; None if there is none of its length."""
    if isinstance(dataset, Subset):
        subset = cast("Any", dataset)
        inner = _declared_labels(subset.dataset)
        return None if inner is None else [inner[int(index)] for index in subset.indices]
    if isinstance(dataset, ConcatDataset):
        parts = [_declared_labels(part) for part in _parts(dataset)]
        lists = [part for part in parts if part is not None]
        return [label for part in lists for label in part] if len(lists) == len(parts) else None
    if isinstance(dataset, TensorDataset):
        return list(as_array(dataset.tensors[1]))
    if getattr(dataset, "target_transform", None) is not None:
        return None
    for attribute in _LABEL_ATTRIBUTES:
        values = getattr(dataset, attribute, None)
        if isinstance(values, list | tuple | np.ndarray | Tensor) and len(values) == len(dataset):
            return cast("list[Any]", np.asarray(values).tolist())
    return [label for _, label in _samples(dataset)] or None


def _parts(dataset: "ConcatDataset[Any]") -> list[Any]:
    return cast("list[Any]", dataset.datasets)


def _samples(dataset: Any) -> list[tuple[str, Any]]:
    """The (path, label) of each image, as torchvision's folders have them; else nothing."""
    samples = getattr(dataset, "samples", None)
    if not isinstance(samples, list) or len(cast("list[Any]", samples)) != len(dataset):
        return []
    pairs = cast("list[Any]", samples)
    is_list_of_pairs = all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs)
    return pairs if is_list_of_pairs and all(isinstance(path, str) for path, _ in pairs) else []


def _get_key(dataset: Any, prefix: str) -> Callable[[int], str]:
    """The key of each image: its path below the root, where it has one, else its index."""
    if isinstance(dataset, Subset):
        subset = cast("Any", dataset)
        inner, indices = _get_key(subset.dataset, prefix), subset.indices
        return lambda index: inner(int(indices[index]))
    if isinstance(dataset, ConcatDataset):
        sizes, parts = dataset.cumulative_sizes, _parts(dataset)
        keys = [_get_key(part, f"{prefix}{number}/") for number, part in enumerate(parts)]

        def key(index: int) -> str:
            part = bisect_right(sizes, index)
            return keys[part](index - (sizes[part - 1] if part else 0))

        return key
    if samples := _samples(dataset):
        root = str(getattr(dataset, "root", ""))
        paths = [PurePath(os.path.relpath(path, root) if root else path) for path, _ in samples]
        return lambda index: f"{prefix}{paths[index].as_posix()}"
    return NumberedKeys(prefix)


def _class_names(dataset: Any) -> tuple[str, ...] | None:
    """The names in `classes`, in the order of the labels; None if there are none."""
    while isinstance(dataset, Subset):
        dataset = cast("Any", dataset).dataset
    if isinstance(dataset, ConcatDataset):
        names = {_class_names(part) for part in _parts(dataset)}
        if len(names) > 1:
            raise RequestError(
                f"The data sets of {dataset_name(dataset)} have different `classes`, so their "
                "labels do not mean the same. Pass `class_names`, or data sets of the same classes."
            )
        return next(iter(names), None)
    names = getattr(dataset, "classes", None)
    if not isinstance(names, list | tuple):
        return None
    listed = cast("Sequence[Any]", names)
    return tuple(", ".join(n) if isinstance(n, tuple) else str(n) for n in listed) or None
