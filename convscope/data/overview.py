"""What a data set is, at a glance: classes, splits, and a sample of its images."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from convscope.data.dataset import SPLITS, Dataset
from convscope.data.decode import UnreadableImage
from convscope.data.depth import is_gray, size_of

_SAMPLED = 200


@dataclass(frozen=True)
class DatasetOverview:
    """Counts of a data set, and what a sample of its images, evenly spread, looks like.

    Attributes:
        counts: images of each class in each split, by the names of both.
        totals: images of each split, of which one may have several classes, or none.
        sizes: how many of the sample have a (height, width).
        gray: how many of it are grayscale.
        unreadable: how many of it cannot be read.
        sampled: the size of the sample.
    """

    name: str
    classes: tuple[str, ...]
    counts: dict[str, dict[str, int]]
    totals: dict[str, int]
    sizes: dict[tuple[int, int], int]
    gray: int
    unreadable: int
    sampled: int
    groups: int | None
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, dataset: Dataset) -> "DatasetOverview":
        """Count a data set whose images all have a split, and decode a sample of them."""
        indices = np.linspace(0, len(dataset) - 1, min(_SAMPLED, len(dataset))).astype(int)
        sizes: Counter[tuple[int, int]] = Counter()
        gray = unreadable = 0
        for index in np.unique(indices).tolist():
            try:
                image = dataset.images.image(index)
            except UnreadableImage:
                unreadable += 1
                continue
            width, height = size_of(image)
            sizes[height, width] += 1
            gray += is_gray(image)
        per_split = {split: dataset.counts(split).tolist() for split in SPLITS}
        counts = {
            name: {split: per_split[split][label] for split in SPLITS}
            for label, name in enumerate(dataset.classes)
        }
        totals = {split: len(dataset.indices(split)) for split in SPLITS}
        groups = None if dataset.groups is None else len({*dataset.groups})
        return cls(
            dataset.name, dataset.classes, counts, totals, dict(sizes), gray, unreadable,
            len(indices), groups, dataset.warnings,
        )  # fmt: skip

    @property
    def size_text(self) -> str:
        """The sizes of the sample, width before height, in words."""
        if not self.sizes:
            return "none could be read"
        ordered = sorted(self.sizes, key=lambda size: size[0] * size[1])
        (low, high), common = (ordered[0], ordered[-1]), max(self.sizes, key=self.sizes.__getitem__)
        if low == high:
            return _size(low)
        often = f", most often {_size(common)}" if self.sizes[common] > 1 else ""
        return f"{_size(low)} to {_size(high)}{often}"

    @property
    def color_text(self) -> str:
        """Whether the sample is in color, in words."""
        readable = sum(self.sizes.values())
        if self.gray in (0, readable):
            return "grayscale" if self.gray else "color"
        return f"color; {self.gray} of {readable} grayscale"

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        sizes = [{"height": h, "width": w, "images": n} for (h, w), n in self.sizes.items()]
        return {**vars(self), "classes": list(self.classes), "sizes": sizes}


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"
