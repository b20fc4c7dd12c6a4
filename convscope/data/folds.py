"""Folds for cross-validation: every image is in the test of one, and no group is divided."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.data.dataset import Dataset, keys_of
from convscope.data.group_hints import suggest_groups
from convscope.data.grouping import assign_groups, assign_labeled, label_counts
from convscope.data.split import fill_splits, joined_groups, leading_copies, stable_hash
from convscope.errors import RequestError

Copies = Sequence[Sequence[int]]
_STRIDE = 1_000_003  # between the seeds of validation splits: another one for every fold


@dataclass(frozen=True)
class Fold:
    """One of `count` folds, by its `number` from 0: what is tested where all others train."""

    number: int
    count: int

    def split(self, dataset: Dataset, *, val: float, seed: int, copies: Copies = ()) -> Dataset:
        """Give every image its split in this fold.

        The source's training, validation and undecided images are divided into the folds. Of these,
        this fold is the test; `val` of the others, at least one image or group of each class, are
        for validation, as `fill_splits` chooses them. Images of the source's own test split belong
        to no split.

        Raises RequestError for a class with fewer images (or groups) than folds.
        """
        pool = folded_images(dataset)
        part = dataset.subset(pool, "")
        positions = {int(index): position for position, index in enumerate(pool)}
        inside = [[positions[i] for i in each if i in positions] for each in copies]
        folds = assign_folds(part, self.count, seed=seed, copies=inside)
        part = part.with_split(np.where(folds == self.number, "test", "train"))
        part = fill_splits(part, val=val, seed=seed * _STRIDE + self.number + 1, copies=inside)
        split = np.full(len(dataset), "", dtype="<U5")
        split[pool] = part.split
        divided = dataset.with_split(split)
        return divided.with_warnings(suggest_groups(divided))


def folded_images(dataset: Dataset) -> NDArray[np.int64]:
    """The indices of the images that folds are made of: all but those of the source's own test."""
    return np.flatnonzero(dataset.split != "test")


def assign_folds(
    dataset: Dataset, count: int, *, seed: int = 0, copies: Copies = ()
) -> NDArray[np.int64]:
    """The fold of each image, 0..count - 1; stratified by class, decided by a hash of (seed, key).

    Without groups, the sizes of two folds differ by one image at most, and so do the numbers of
    images of each class. Groups, and `copies` of one image, stay together, and sizes are as near to
    each other as that allows.

    Args:
        copies: indices of equal images.

    Raises RequestError for a class with fewer images (or groups) than folds.
    """
    everything = np.arange(len(dataset))
    keys = keys_of(dataset.images)
    leaders = leading_copies(everything, keys, copies)
    groups = joined_groups(dataset, everything, keys, leaders)
    units = leaders if groups is None else groups
    _refuse_few(dataset, units, count, unit="images" if groups is None else "groups")
    if dataset.targets is not None:
        names, indices = np.unique(units, return_inverse=True)
        texts: list[str] = [
            name if isinstance(name, str) else keys[name] for name in names.tolist()
        ]
        counts = label_counts(dataset.targets, indices)
        return assign_labeled(counts, stable_hash(texts, seed), [1 / count] * count)[indices]
    if groups is None:
        alone = np.unique(leaders)
        order = stable_hash([keys[index] for index in alone], seed)
        folds = np.zeros(len(dataset), np.int64)
        folds[alone[np.lexsort((order, dataset.labels[alone]))]] = np.arange(len(alone)) % count
        return folds[leaders]
    names, indices = np.unique(groups, return_inverse=True)
    order = stable_hash(names.tolist(), seed)
    shares = [1 / count] * count
    return assign_groups(dataset.labels, indices, order, shares, by_magnitude=True)[indices]


def _refuse_few(dataset: Dataset, units: NDArray[Any], count: int, *, unit: str) -> None:
    for label, name in enumerate(dataset.classes):
        has = len(np.unique(units[dataset.has_class(np.arange(len(dataset)), label)]))
        if has < count:
            advice = f"Choose `folds={has}`" if has > 1 else "Leave out the class"
            raise RequestError(
                f"{dataset.name} has too few {unit} of {name!r} ({has}): each class needs at least "
                f"{count} for {count} folds. {advice}, or add some."
            )
