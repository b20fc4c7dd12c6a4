"""From what a pass has collected to patches and summaries of filters."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from convscope.features.image_set import ImageSet
from convscope.features.patches.activity import Activity, selectivity
from convscope.features.patches.alike import GRID, averaged, distinct
from convscope.features.patches.collection import Collection
from convscope.features.patches.crops import shown_box
from convscope.features.patches.result import (
    FilterPatches,
    FilterSummary,
    LayerPatches,
    Patch,
    State,
    most_frequent,
)
from convscope.features.patches.strongest import StrongestImages
from convscope.features.unit_fields import Box, LayerField

_CONSTANT = 1e-6  # of the largest value of a layer: what a dead filter may vary by
_ALWAYS = 0.99  # share of units above 0
_READ = 64  # images at a time

Place = tuple[int, int]
"""A filter, and the rank of one of its candidates."""


def summarize(
    collection: Collection,
    fields: Sequence[LayerField],
    images: ImageSet,
    top: int,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[LayerPatches]:
    """The summary of every filter, and at most `top` patches of each that differ.

    The images of the candidates are read once more, to see which patches are alike.
    """
    parts = zip(fields, collection.strongest, collection.activity, strict=True)
    layers = [_Layer(*part, images) for part in parts]
    cells = _cells_of(layers, images, on_progress)
    return [layer.summarize(own, top) for layer, own in zip(layers, cells, strict=True)]


def _cells_of(
    layers: Sequence["_Layer"], images: ImageSet, on_progress: Callable[[int, int], None]
) -> list[NDArray[np.uint8]]:
    """The candidates of each layer, averaged into cells: (filters, candidates, GRID, GRID, c)."""
    wanted: dict[int, list[tuple[int, Place, Box]]] = defaultdict(list)
    for number, layer in enumerate(layers):
        for place, box in layer.boxes.items():
            wanted[int(layer.images[place])].append((number, place, box))
    shape = (GRID, GRID, images.channels)
    cells = [np.zeros((*layer.images.shape, *shape), np.uint8) for layer in layers]
    indices = np.array(sorted(wanted), np.int64)
    batches = [indices[start : start + _READ] for start in range(0, len(indices), _READ)]
    done = 0
    for some, pixels in zip(batches, images.loaded.batch_source.batches(batches), strict=True):
        for index, image in zip(some, pixels.numpy(), strict=True):
            own = wanted[int(index)]
            averages = averaged(image, [shown_box(box, image.shape[:2]) for _, _, box in own])
            for (number, place, _), average in zip(own, averages, strict=True):
                cells[number][place] = np.rint(average)
        done += len(some)
        on_progress(done, len(indices))
    return cells


@dataclass(frozen=True)
class _Layer:
    field: LayerField
    strongest: StrongestImages
    activity: Activity
    source: ImageSet

    @cached_property
    def images(self) -> NDArray[np.int64]:
        return self.strongest.images.numpy()

    @cached_property
    def states(self) -> list[State]:
        largest, smallest = self.activity.largest.numpy(), self.activity.smallest.numpy()
        extent = max(abs(float(largest.max())), abs(float(smallest.min())))
        is_dead = largest - smallest <= _CONSTANT * extent
        has_floor = bool((smallest[~is_dead] == 0).any()) or float(smallest.min()) == 0
        is_on = (self._active_units > _ALWAYS) & has_floor & (float(smallest.min()) >= 0)
        return [
            "dead" if dead else "always on" if on else ""
            for dead, on in zip(is_dead, is_on, strict=True)
        ]

    @property
    def _active_units(self) -> NDArray[np.float64]:
        units = int(np.prod(self.field.layer.shape[1:]))
        return (self.activity.active_units / (self.activity.images * units)).numpy()

    @cached_property
    def boxes(self) -> Mapping[Place, Box]:
        """The receptive fields of the candidates that excite their filter at all."""
        values, positions = self.strongest.values.numpy(), self.strongest.positions.numpy()
        smallest = self.activity.smallest.numpy()
        known: dict[tuple[int, int], Box] = {}
        found: dict[Place, Box] = {}
        for filter_, rank in np.argwhere(values > smallest[:, None]):
            if self.images[filter_, rank] < 0 or self.states[filter_] == "dead":
                continue
            channel = int(filter_) if self._differ_by_channel else 0
            at = channel, int(positions[filter_, rank])
            if at not in known:
                known[at] = self.field.box(*at)
            found[int(filter_), int(rank)] = known[at]
        return found

    @cached_property
    def _differ_by_channel(self) -> bool:
        """Whether the fields of maps differ, as behind a concatenation."""
        axis = len(self.field.fields.shape) - 1 if self.field.layer.is_last else 1
        return any(
            numbers is not None and numbers.shape[axis] > 1
            for along in self.field.fields.axes
            for numbers in (along.first, along.end, along.start, along.stop)
        )

    def summarize(self, cells: NDArray[np.uint8], top: int) -> LayerPatches:
        layer = self.field.layer
        ranks: dict[int, list[int]] = defaultdict(list)
        for filter_, rank in self.boxes:
            ranks[filter_].append(rank)
        filters: list[FilterPatches] = []
        for number in range(layer.shape[0]):
            own = ranks[number]
            chosen, alike = distinct(cells[number, own], top)
            patches = tuple(
                self._patch(number, own[index], count)
                for index, count in zip(chosen, alike, strict=True)
            )
            labels = [label for rank in own for label in self._labels(number, rank)]
            filters.append(FilterPatches(number, patches, self._summary(number, labels)))
        return LayerPatches(
            name=layer.name,
            source=layer.source,
            shape=layer.shape,
            field=self.field.size,
            is_exact=self.field.is_exact,
            also=layer.also,
            filters=tuple(filters),
        )

    def _patch(self, filter_: int, rank: int, alike: int) -> Patch:
        index = int(self.images[filter_, rank])
        position = int(self.strongest.positions[filter_, rank])
        width = self.field.layer.shape[2] if len(self.field.layer.shape) == 3 else 1
        return Patch(
            image=self.source.keys([index])[0],
            index=index,
            label=self._label(filter_, rank),
            value=float(self.strongest.values[filter_, rank]),
            row=position // width,
            column=position % width,
            box=self.boxes[filter_, rank],
            alike=alike,
        )

    def _label(self, filter_: int, rank: int) -> str:
        return self.source.loaded.dataset.label_text(int(self.images[filter_, rank]))

    def _labels(self, filter_: int, rank: int) -> list[str]:
        """The class of a candidate, or each of its labels."""
        dataset, index = self.source.loaded.dataset, int(self.images[filter_, rank])
        if dataset.targets is None:
            return [dataset.classes[int(dataset.labels[index])]]
        return [dataset.classes[label] for label in np.flatnonzero(dataset.targets[index])]

    def _summary(self, number: int, labels: Sequence[str]) -> FilterSummary:
        activity, classes = self.activity, self.source.loaded.dataset.classes
        means = [float(mean) for mean in activity.class_means()[number]]
        best = int(np.nanargmax(means)) if not np.isnan(means).all() else -1
        is_dead = self.states[number] == "dead"
        return FilterSummary(
            largest=float(activity.largest[number]),
            smallest=float(activity.smallest[number]),
            mean=float(activity.means()[number]),
            active_units=float(self._active_units[number]),
            active_images=float(activity.active_images[number] / activity.images),
            class_means=tuple(means),
            preferred="" if is_dead or best < 0 else classes[best],
            selectivity=None if is_dead else selectivity(means),
            top_classes=most_frequent(labels),
            state=self.states[number],
        )
