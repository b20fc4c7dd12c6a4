"""What is known of each filter: its strongest patches, and how it responds to the classes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from convscope.features.unit_fields import Box

State = Literal["", "dead", "always on"]


@dataclass(frozen=True)
class Patch:
    """A piece of an image that excites a filter.

    Attributes:
        image: its file name or other key.
        index: of the image in the data set that was read.
        label: its class, or its labels.
        value: of the unit, the largest of the filter in this image.
        row, column: of the unit in the map; 0 for a dense unit.
        box: the receptive field in pixels of the network's input; it may extend over its border.
        alike: how many weaker patches among the candidates look like this one and are left out.
    """

    image: str
    index: int
    label: str
    value: float
    row: int
    column: int
    box: Box
    alike: int

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "box": [list(span) for span in self.box]}


@dataclass(frozen=True)
class FilterSummary:
    """How a filter responds over all images.

    Attributes:
        largest, smallest, mean: of all units in all images.
        active_units: the share of units above 0.
        active_images: the share of images with a unit above 0.
        class_means: the mean activation for each class, in their order; NaN for one without images.
        preferred: the class with the largest mean activation.
        selectivity: the class selectivity index, see `activity.selectivity`; None where it is not
            defined.
        top_classes: how many of the candidates, the strongest images, are of each class, or have
            each label, the most frequent first.
        state: `dead` where all units of all images have one value; `always on` where more than 99 %
            of them are above 0 although the layer's activation function returns 0 elsewhere.
    """

    largest: float
    smallest: float
    mean: float
    active_units: float
    active_images: float
    class_means: tuple[float, ...]
    preferred: str
    selectivity: float | None
    top_classes: tuple[tuple[str, int], ...]
    state: State

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "top_classes": dict(self.top_classes)}


@dataclass(frozen=True)
class FilterPatches:
    """One filter: its number in the layer, its strongest patches first, and its summary."""

    filter: int
    patches: tuple[Patch, ...]
    summary: FilterSummary

    def to_dict(self) -> dict[str, Any]:
        return {
            "filter": self.filter,
            **self.summary.to_dict(),
            "patches": [patch.to_dict() for patch in self.patches],
        }


@dataclass(frozen=True)
class LayerPatches:
    """All filters of a layer.

    Attributes:
        name: of the layer; `source` is the operation whose result holds its units.
        shape: (filters, height, width), or (units,).
        field: height and width of the receptive field in pixels, also where it reaches over the
            border; `is_exact` is False where it may be smaller.
        also: other layers that have the same units, as a projection that is added.
        filters: in order.
    """

    name: str
    source: str
    shape: tuple[int, ...]
    field: tuple[int, int]
    is_exact: bool
    also: tuple[str, ...]
    filters: tuple[FilterPatches, ...]

    def with_state(self, state: State) -> list[int]:
        """The filters that are `dead`, or `always on`."""
        return [own.filter for own in self.filters if own.summary.state == state]

    def to_dict(self) -> dict[str, Any]:
        own = {name: value for name, value in vars(self).items() if name != "filters"}
        return {**own, "filters": [one.to_dict() for one in self.filters]}


_COLUMNS = (
    *("layer", "filter", "state", "preferred", "selectivity", "active_units", "active_images"),
    *("mean", "smallest", "largest", "rank", "value", "label", "image", "row", "column"),
    *("top", "bottom", "left", "right", "alike"),
)


def csv_rows(layers: Sequence[LayerPatches]) -> Iterator[Sequence[object]]:
    """A row for each patch, below a header; a filter without patches has one row."""
    yield _COLUMNS
    for layer in layers:
        for one in layer.filters:
            summary = one.summary
            own = (
                *(layer.name, one.filter, summary.state, summary.preferred, summary.selectivity),
                *(summary.active_units, summary.active_images, summary.mean),
                *(summary.smallest, summary.largest),
            )
            for rank, patch in enumerate(one.patches, start=1):
                (top, bottom), (left, right) = patch.box
                yield (
                    *(*own, rank, patch.value, patch.label, patch.image, patch.row, patch.column),
                    *(top, bottom, left, right, patch.alike),
                )
            if not one.patches:
                yield own


def most_frequent(labels: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """Labels with their counts, the most frequent first, equally frequent ones as they came.

    >>> most_frequent(["b", "a", "a"])
    (('a', 2), ('b', 1))
    """
    return tuple(Counter(labels).most_common())
