"""Images with equal pixels: across splits and classes they make measured accuracies wrong."""

from collections.abc import Sized
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from convscope.data.dataset import SPLITS, Dataset

MAX_SHOWN = 3  # pairs

Pairs = list[tuple[int, int]]
"""Indices of an image and of a copy of it."""


@dataclass(frozen=True)
class Duplicates:
    """Copies of images in a data set.

    Attributes:
        dataset: of the images.
        across: pairs by their splits, as in ("train", "test"), of which the first has the original.
        relabeled: pairs with two labels.
        repeated: pairs of one split and label.
    """

    dataset: Dataset
    across: dict[tuple[str, str], Pairs] = field(default_factory=dict[tuple[str, str], Pairs])
    relabeled: Pairs = field(default_factory=Pairs)
    repeated: Pairs = field(default_factory=Pairs)

    def describe_across(self) -> str:
        """The copies across splits, as in "1 image of val also in train: 'a.png' = 'b.png'"."""
        return "; ".join(
            f"{count_images(pairs)} of {second} also in {first}: "
            f"{describe_pairs(self.dataset, pairs)}"
            for (first, second), pairs in self.across.items()
        )

    def describe_relabeled(self) -> list[str]:
        """A sentence on copies with two labels, if there are any."""
        if not self.relabeled:
            return []
        pairs = describe_pairs(self.dataset, self.relabeled)
        count = count_images(self.relabeled)
        return [f"{self.dataset.name}: {count} also under another label: {pairs}."]

    def describe_repeated(self) -> list[str]:
        """A sentence on copies of one split and label, if there are any."""
        if not self.repeated:
            return []
        pairs, count = describe_pairs(self.dataset, self.repeated), count_images(self.repeated)
        return [f"{self.dataset.name}: {count} repeated within a class and split: {pairs}."]


def find_duplicates(dataset: Dataset, digests: NDArray[np.uint8]) -> Duplicates:
    """Find images with equal pixels among those that are in a split.

    Args:
        dataset: the images, with their splits and labels.
        digests: (n, size) of their pixels.
    """
    found = Duplicates(dataset)
    splits, labels = dataset.split.tolist(), dataset.labels.tolist()
    copies = [[i for i in group if splits[i]] for group in copies_by_digest(digests)]
    for first, second in combinations(SPLITS, 2):
        pairs = [
            (originals[0], copy)
            for indices in copies
            if (originals := [i for i in indices if splits[i] == first])
            for copy in indices
            if splits[copy] == second
        ]
        if pairs:
            found.across[first, second] = pairs
    for indices in copies:
        firsts: dict[tuple[str, int], int] = {}
        for i in indices:
            original = firsts.setdefault((splits[i], labels[i]), i)
            if labels[i] != labels[indices[0]]:
                found.relabeled.append((indices[0], i))
            if original != i:
                found.repeated.append((original, i))
    return found


def copies_by_digest(digests: NDArray[np.uint8]) -> list[list[int]]:
    """The indices of the images of each digest that several have, ascending; zeros are none."""
    columns = np.ascontiguousarray(digests).view("<u8").T
    order = np.lexsort(columns)
    ordered = digests[order]
    starts = np.flatnonzero(np.r_[True, (ordered[1:] != ordered[:-1]).any(axis=1)])
    sizes = np.diff(np.r_[starts, len(order)])
    return [
        order[start : start + size].tolist()
        for start, size in zip(starts[sizes > 1], sizes[sizes > 1], strict=True)
        if ordered[start].any()
    ]


def describe_pairs(dataset: Dataset, pairs: Pairs) -> str:
    """The keys of the first pairs, with the classes where these differ, and how many more."""

    def name(index: int, other: int) -> str:
        labels = dataset.labels
        label = f" ({dataset.label_text(index)})" if labels[index] != labels[other] else ""
        return f"{dataset.images.key(index)!r}{label}"

    first = ", ".join(f"{name(i, j)} = {name(j, i)}" for i, j in pairs[:MAX_SHOWN])
    more = f" and {len(pairs) - MAX_SHOWN:,} more" if len(pairs) > MAX_SHOWN else ""
    return f"{first}{more}"


def count_images(images: Sized) -> str:
    """As in "1 image" and "2 images"."""
    return f"{len(images):,} image{'' if len(images) == 1 else 's'}"
