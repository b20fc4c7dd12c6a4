"""What a method of attribution computes, before it is brought to the image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.attribution.layer_choice import Grid

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Shares:
    """The parts that a score consists of; `map`, the others and `rest` add up to it.

    Attributes:
        score: the logit, or the difference of two.
        map: the sum of the map.
        others: what no position of the map has, by name: biases, the score of a baseline.
        is_exact: whether `rest` is rounding alone.
    """

    score: float
    map: float
    others: Mapping[str, float]
    is_exact: bool

    @property
    def rest(self) -> float:
        """What is left: rounding, or the error of an approximation."""
        return self.score - self.map - sum(self.others.values())

    @property
    def fraction(self) -> float | None:
        """The share of the score that the map has; None of a score of 0."""
        return self.map / self.score if self.score else None

    def to_dict(self) -> dict[str, Any]:
        return {
            "score": self.score,
            "map": self.map,
            "others": dict(self.others),
            "rest": self.rest,
            "is_exact": self.is_exact,
        }


@dataclass(frozen=True)
class RawMap:
    """A map as its method computes it.

    Attributes:
        values: of the image's pixels, or of the cells of a layer, float64 (h, w).
        layer: whose cells they are; None for pixels.
        where: where these cells lie.
        shares: how the score is divided, where the method divides it.
        notes: what the reader is told.
        reason: why the map is zero everywhere; empty if it is not.
        channels: of a layer's cells, the channel that adds most to each, int64 (h, w).
    """

    values: Values
    layer: str | None = None
    where: tuple[Grid, Grid] | None = None
    shares: Shares | None = None
    notes: Sequence[str] = ()
    reason: str = ""
    channels: NDArray[np.int64] | None = None


def strongest_channels(parts: Tensor) -> NDArray[np.int64]:
    """The channel (h, w) that adds most to the sum of parts (1, c, h, w), in the sum's direction.

    >>> strongest_channels(torch.tensor([1.0, -3, 1]).reshape(1, 3, 1, 1))
    array([[1]])
    """
    total = parts.sum(1, keepdim=True)
    towards = torch.where(total < 0, -parts, parts)
    return towards.argmax(1)[0].cpu().numpy()


def as_values(tensor: Tensor) -> Values:
    """A map (h, w) as an array of its own."""
    return np.array(tensor.detach().to("cpu", torch.float64).numpy())
