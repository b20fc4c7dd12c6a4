"""What `filters` returns: the weights of the filters of each convolution, norms and twins."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.errors import RequestError, nearest
from convscope.words import visible

TWIN = 0.9
"""Cosine similarity of weights from which two filters count as twins."""

TINY = 1e-3
"""Share of the largest norm of a layer below which a filter counts as nearly zero."""


@dataclass(frozen=True)
class FilterWeights:
    """The weights of one filter.

    Attributes:
        filter: its number in the layer.
        weights: (input channels, height, width) float32; of grouped convolutions, those of its
            group.
        first_input: the number of the first of these input channels.
        norm: the square root of the sum of squares.
        twin: the other filter of the same group whose weights are most similar, where the cosine of
            the angle between them is at least TWIN; else None.
        similarity: that cosine; without a twin the largest there is, None for a filter of zeros or
            one that is alone.
    """

    filter: int
    weights: NDArray[np.float32]
    first_input: int
    norm: float
    twin: int | None
    similarity: float | None

    def strongest_inputs(self, count: int) -> list[tuple[int, float]]:
        """The input channels with the largest norms, and the norms, as indices into `weights`."""
        norms = np.sqrt(np.square(self.weights.astype(np.float64)).sum((1, 2)))
        order = np.argsort(-norms, kind="stable")[:count]
        return [(int(index), float(norms[index])) for index in order]

    def to_dict(self) -> dict[str, Any]:
        return {
            "filter": self.filter,
            "norm": self.norm,
            "twin": self.twin,
            "similarity": self.similarity,
            "strongest_inputs": [
                {"input": self.first_input + index, "norm": norm}
                for index, norm in self.strongest_inputs(8)
            ],
        }


@dataclass(frozen=True)
class LayerFilters:
    """The filters of a convolution.

    Attributes:
        name: of the layer; `number` counts convolutions from 1.
        kernel: (height, width).
        groups: in how many its channels are divided.
        inputs: channels of its input.
        is_color: whether it reads an image's red, green and blue.
    """

    name: str
    number: int
    kernel: tuple[int, int]
    groups: int
    inputs: int
    is_color: bool
    filters: tuple[FilterWeights, ...]

    @property
    def is_single(self) -> bool:
        """Whether a filter is one picture: of red, green and blue, or of one channel."""
        return self.is_color or self.inputs == self.groups

    @property
    def peak(self) -> float:
        """The largest magnitude of a weight of the layer, the end of its color scale."""
        return max(float(np.abs(one.weights).max(initial=0)) for one in self.filters)

    @property
    def twins(self) -> list[tuple[int, int]]:
        """Pairs of filters that are each other's or one's twin, once each."""
        pairs = {
            tuple(sorted((one.filter, one.twin))) for one in self.filters if one.twin is not None
        }
        return sorted((pair[0], pair[1]) for pair in pairs)

    @property
    def tiny(self) -> list[int]:
        """Filters whose norm is nearly zero beside the largest of the layer."""
        largest = max(one.norm for one in self.filters)
        return [one.filter for one in self.filters if one.norm <= TINY * largest]

    def to_dict(self) -> dict[str, Any]:
        own = {name: value for name, value in vars(self).items() if name != "filters"}
        return {
            **own,
            "largest_weight": self.peak,
            "twins": self.twins,
            "nearly_zero": self.tiny,
            "filters": [one.to_dict() for one in self.filters],
        }


@dataclass(frozen=True)
class FiltersResult:
    """The filters of some convolutions of a network."""

    model: str
    layers: tuple[LayerFilters, ...]
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> LayerFilters:
        """A layer by its name. Raises RequestError for an unknown one."""
        names = {layer.name: layer for layer in self.layers}
        if name not in names:
            raise RequestError(f"There is no layer {name!r} in it.{nearest(name, names)}")
        return names[name]

    def __repr__(self) -> str:
        count = sum(len(layer.filters) for layer in self.layers)
        return visible(f"<Filters of {self.model}: {count:,} in {len(self.layers)} layers>")

    def to_dict(self) -> dict[str, Any]:
        """All numbers but the weights themselves, for JSON."""
        return {
            "model": self.model,
            "notes": list(self.notes),
            "layers": [layer.to_dict() for layer in self.layers],
        }
