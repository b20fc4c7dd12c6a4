"""What `maps` returns: the maps of some layers for an image, the highest ranked first."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from convscope.card import Card
from convscope.errors import RequestError, nearest
from convscope.words import visible

Rank = Literal["strongest", "importance", "distance-from-mean"]
ColorScale = Literal["layer", "map"]

RANKS: dict[Rank, str] = {
    "strongest": "mean magnitude",
    "importance": "gradient times activation for {target}, summed over the map",
    "distance-from-mean": "root mean square difference from the mean map of {compared}",
}
"""What each ranking orders maps by."""


@dataclass(frozen=True)
class ActivationMap:
    """One map.

    Attributes:
        channel: its number in the layer.
        values: (h, w) float32.
        score: by which it is ranked.
    """

    channel: int
    values: NDArray[np.float32]
    score: float

    @property
    def largest(self) -> float:
        return float(self.values.max())

    @property
    def mean(self) -> float:
        return float(self.values.mean())

    @property
    def active(self) -> float:
        """The share of units above 0."""
        return float((self.values > 0).mean())

    def to_dict(self) -> dict[str, Any]:
        return {
            "map": self.channel,
            "score": self.score,
            "largest": self.largest,
            "smallest": float(self.values.min()),
            "mean": self.mean,
            "active": self.active,
        }


@dataclass(frozen=True)
class LayerMaps:
    """The highest ranked maps of a layer.

    Attributes:
        name, source: of the layer, and of the operation whose result holds its units.
        number: of the convolution, from 1; None for another layer.
        shape: (maps, height, width).
        field: height and width of a unit's receptive field in pixels.
        smallest, largest: of all units of the layer.
        num_dead: how many of all its maps are 0 everywhere.
        maps: the highest ranked first.
    """

    name: str
    source: str
    number: int | None
    shape: tuple[int, ...]
    field: tuple[int, int]
    smallest: float
    largest: float
    num_dead: int
    maps: tuple[ActivationMap, ...]

    def to_dict(self) -> dict[str, Any]:
        own = {name: value for name, value in vars(self).items() if name != "maps"}
        return {**own, "maps": [one.to_dict() for one in self.maps]}


@dataclass(frozen=True)
class MapsResult:
    """The maps of some layers for one image.

    Attributes:
        model, image: what they are called.
        pixels: (h, w, c) bytes, the image as the network gets it.
        predicted: the class with the largest output, or the labels.
        rank: what the maps are ordered by; `ranked_by` says it in words.
        scale: whether the maps of a layer share one color scale, or each has its own.
        layers: in order of execution, or as they were named.
        notes: what is to be known of network and image.
    """

    model: str
    image: str
    card: Card
    pixels: NDArray[np.uint8]
    predicted: str
    rank: Rank
    ranked_by: str
    scale: ColorScale
    layers: tuple[LayerMaps, ...]
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> LayerMaps:
        """A layer by its name. Raises RequestError for an unknown one."""
        names = {layer.name: layer for layer in self.layers}
        if name not in names:
            raise RequestError(f"There is no layer {name!r} in it.{nearest(name, names)}")
        return names[name]

    def __repr__(self) -> str:
        names = ", ".join(layer.name for layer in self.layers)
        return visible(f"<Maps of {self.model} for {self.image}: {names}>")

    def to_dict(self) -> dict[str, Any]:
        """All numbers but the maps themselves, for JSON."""
        return {
            "model": self.model,
            "image": self.image,
            "predicted": self.predicted,
            "rank": self.rank,
            "ranked_by": self.ranked_by,
            "notes": list(self.notes),
            "layers": [layer.to_dict() for layer in self.layers],
        }
