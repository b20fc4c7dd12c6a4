"""What is redundant in one layer: dead maps, twins, groups of maps, and its effective rank."""

from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.features.redundancy import DEAD
from convscope.features.similarity import CORRELATED, Matrix, similar_groups
from convscope.map_similarity.alignment import Alignment
from convscope.map_similarity.jackknife import correlation_interval, interval
from convscope.map_similarity.moments import GROUPS, Moments, effective_rank, to_correlation

_SHOWN = 50  # pairs in JSON


@dataclass(frozen=True)
class Pair:
    """Two maps that correlate, with the 95% interval of the correlation over images.

    Attributes:
        alignment: their linear CKA.
        cosine: of the angle between the weights of their filters; None where it has none.
    """

    first: int
    second: int
    correlation: float
    low: float
    high: float
    alignment: float
    cosine: float | None

    @property
    def is_sure(self) -> bool:
        """Whether the whole interval is as far from 0 as the threshold."""
        return self.low >= CORRELATED or self.high <= -CORRELATED


@dataclass(frozen=True, eq=False)
class LayerRedundancy:
    """The maps of one layer, after its activation, over all images.

    Attributes:
        name: of the layer.
        num_images: over which they were measured.
        moments, alignments: of the maps.
        cosine: (k, k) of the filters' weights; None for a layer without.
    """

    name: str
    num_images: int
    moments: Moments
    alignments: Alignment
    cosine: Matrix | None

    def __len__(self) -> int:
        return len(self.moments.mean)

    @cached_property
    def correlation(self) -> Matrix:
        """(k, k) of every two maps, over all their units."""
        return to_correlation(self.moments.covariance())

    @cached_property
    def alignment(self) -> Matrix:
        """(k, k): linear CKA of every two maps."""
        return self.alignments.alignment()

    @cached_property
    def deviation(self) -> NDArray[np.float64]:
        """(k,): the standard deviation of each map."""
        return np.sqrt(np.clip(np.diag(self.moments.covariance()), 0, None))

    @cached_property
    def dead(self) -> list[int]:
        """Maps that hardly change: their deviation is at most `DEAD` times the largest one."""
        largest = self.deviation.max(initial=0.0)
        return [int(k) for k in np.flatnonzero(self.deviation <= DEAD * largest)]

    @cached_property
    def groups(self) -> list[list[int]]:
        """Groups of maps that correlate with the first by `CORRELATED`, or as negatives."""
        return similar_groups(np.abs(self.correlation))

    @cached_property
    def pairs(self) -> list[Pair]:
        """Every two maps that correlate so, as equals or as negatives, the most similar first."""
        found = np.argwhere(np.triu(np.abs(self.correlation) >= CORRELATED, 1))
        return self._pairs(found) if len(found) else []

    @cached_property
    def most_similar(self) -> Pair | None:
        """The two maps with the largest correlation in magnitude; None of a single map."""
        magnitudes = np.triu(np.abs(self.correlation), 1)
        if not magnitudes.any():
            return None
        return self._pairs(np.argwhere(magnitudes == magnitudes.max())[:1])[0]

    def _pairs(self, found: NDArray[np.int64]) -> list[Pair]:
        """The pairs at (n, 2) numbers of maps, the most similar first."""
        a, b = found.T
        value = self.correlation[a, b]
        parts = np.stack(
            [to_correlation(self.moments.covariance(group))[a, b] for group in range(GROUPS)]
        )
        low, high = correlation_interval(value, parts)
        cosine = None if self.cosine is None else self.cosine[a, b]
        pairs = [
            Pair(
                int(a[n]),
                int(b[n]),
                float(value[n]),
                float(low[n]),
                float(high[n]),
                float(self.alignment[a[n], b[n]]),
                None if cosine is None else float(cosine[n]),
            )
            for n in range(len(found))
        ]
        return sorted(pairs, key=lambda pair: -abs(pair.correlation))

    @cached_property
    def redundant(self) -> list[int]:
        """Maps that are dead, or of a group of which another map is kept."""
        twins = {index for group in self.groups for index in group[1:]}
        return sorted(twins | {*self.dead})

    @cached_property
    def order(self) -> list[int]:
        """All maps for a picture of every two: twins side by side, dead ones last."""
        grouped = [n for n in chain.from_iterable(self.groups) if n not in self.dead]
        rest = [n for n in range(len(self)) if n not in grouped and n not in self.dead]
        return [*grouped, *rest, *self.dead]

    @cached_property
    def rank(self) -> float:
        """The effective rank of the maps, 0..k."""
        return effective_rank(self.moments.covariance())

    @cached_property
    def rank_interval(self) -> tuple[float, float]:
        """Its 95% interval over images."""
        low, high = interval(
            self.rank, lambda group: effective_rank(self.moments.covariance(group))
        )
        return float(low), float(high)

    def to_dict(self) -> dict[str, Any]:
        """The figures as values of JSON; the matrices are left out."""
        return {
            "layer": self.name,
            "maps": len(self),
            "images": self.num_images,
            "dead": self.dead,
            "groups": self.groups,
            "redundant": self.redundant,
            "effective_rank": self.rank,
            "effective_rank_interval": self.rank_interval,
            "pairs": [vars(pair) for pair in self.pairs[:_SHOWN]],
            "most_similar": None if self.most_similar is None else vars(self.most_similar),
        }
