"""Two networks' boxes for the same images: by how much average precision differs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from convscope.boxes.average_precision import average_precision, mean_average_precision
from convscope.boxes.matching import COCO_THRESHOLDS, Matches

_RESAMPLES, _SEED = 200, 0


@dataclass(frozen=True, eq=False)
class PairedPrecision:
    """COCO's average precision of a network before and after a change, on the same images.

    Attributes:
        matches: of each class, before and after.
    """

    matches: tuple[Sequence[Matches], Sequence[Matches]]

    @property
    def num_images(self) -> int:
        return len(self.matches[0][0].num_objects)

    @cached_property
    def values(self) -> tuple[float, float]:
        """Before and after, 0..1; NaN without objects."""
        before, after = (_mean(each, None) for each in self.matches)
        return before, after

    @property
    def share_after(self) -> float:
        return self.values[1]

    @property
    def change(self) -> float:
        """The average precision after minus that before, -1..1."""
        return self.values[1] - self.values[0]

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Of the change, 95%, by drawing the images anew, the same for both; see
        `bootstrap_interval`.
        """
        random, n = np.random.default_rng(_SEED), self.num_images
        changes: list[float] = []
        for _ in range(_RESAMPLES):
            weights = np.bincount(random.integers(0, n, n), minlength=n).astype(np.float64)
            before, after = (_mean(each, weights) for each in self.matches)
            changes.append(after - before)
        low, high = np.nanquantile(changes, [0.025, 0.975])
        return float(low), float(high)

    def to_dict(self) -> dict[str, Any]:
        """Values, change and interval as values of JSON."""
        before, after = self.values
        return {
            "metric": "ap",
            "num_images": self.num_images,
            "before": before,
            "after": after,
            "change": self.change,
            "interval": self.interval,
        }

    def __str__(self) -> str:
        """As in "AP 61.20% before, 60.90% after: -0.30 points, 95% interval -0.61 to +0.02"."""
        low, high = (100 * bound for bound in self.interval)
        before, after = self.values
        return (
            f"AP {before:.2%} before, {after:.2%} after: {100 * self.change:+.2f} points, 95% "
            f"interval {low:+.2f} to {high:+.2f}"
        )


def _mean(matches: Sequence[Matches], weights: np.ndarray[Any, Any] | None) -> float:
    return mean_average_precision(
        [
            average_precision(one, threshold, weights=weights)
            for threshold in range(len(COCO_THRESHOLDS))
            for one in matches
        ]
    )
