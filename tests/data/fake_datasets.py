"""A stand-in for Hugging Face's `datasets`, of what is read of it; the library takes 376 MB.

tests/data/test_hugging_face.py runs with the library itself where that is installed, and then none
of this is used.
"""

from __future__ import annotations

from typing import Any


class Image:
    _type = "Image"


class ClassLabel:
    _type = "ClassLabel"

    def __init__(self, names: list[str]) -> None:
        self.names = names


class Value:
    _type = "Value"

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype


class Sequence:
    _type = "Sequence"

    def __init__(self, feature: Any) -> None:
        self.feature = feature


class Features(dict[str, Any]):
    pass


class _Info:
    dataset_name = None
    builder_name = None


class Dataset:
    def __init__(self, columns: dict[str, list[Any]], features: Features, kind: str | None = None):
        self._columns, self.features, self.info = columns, features, _Info()
        self.format = {"type": kind}

    @classmethod
    def from_dict(cls, columns: dict[str, list[Any]], features: Features) -> Dataset:
        return cls(columns, features)

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._columns[key]
        row = {name: values[key] for name, values in self._columns.items()}
        return {"changed": 0} if self.format["type"] else row

    def select(self, indices: list[int]) -> Dataset:
        columns = {name: [v[i] for i in indices] for name, v in self._columns.items()}
        return Dataset(columns, self.features)

    def with_format(self, kind: str | None) -> Dataset:
        return Dataset(self._columns, self.features, kind)

    def to_iterable_dataset(self) -> IterableDataset:
        return IterableDataset(self)


class IterableDataset:
    def __init__(self, dataset: Dataset) -> None:
        self.features, self.info = dataset.features, dataset.info


class DatasetDict(dict[str, Dataset]):
    pass


for _kind in (Dataset, IterableDataset, DatasetDict):
    _kind.__module__ = "datasets.fake"
