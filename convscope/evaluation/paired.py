"""Two networks' answers for the same images: how many are lost, how many gained."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.evaluation.metrics import Z_95


@dataclass(frozen=True, kw_only=True)
class PairedAccuracy:
    """The accuracy of a network before and after a change, on the same images.

    Attributes:
        num_images: at least one.
        before: how many images were right.
        lost: how many were right before, and are wrong now.
        gained: how many were wrong before, and are right now.
    """

    num_images: int
    before: int
    lost: int
    gained: int

    @classmethod
    def of(cls, before: NDArray[np.bool_], after: NDArray[np.bool_]) -> "PairedAccuracy":
        """From whether each image (n,) is right."""
        return cls(
            num_images=len(before),
            before=int(before.sum()),
            lost=int((before & ~after).sum()),
            gained=int((after & ~before).sum()),
        )

    @property
    def after(self) -> int:
        """How many images are right now."""
        return self.before - self.lost + self.gained

    @property
    def share_after(self) -> float:
        return self.after / self.num_images

    @property
    def change(self) -> float:
        """The accuracy after minus that before, -1..1."""
        return (self.gained - self.lost) / self.num_images

    @property
    def interval(self) -> tuple[float, float]:
        """Of the change, 95%, by Bonett and Price (2012) for paired proportions.

        With p = (gained + 1) / (n + 2) and q = (lost + 1) / (n + 2), it is p - q plus and minus
        z · sqrt((p + q - (p - q)²) / (n + 2)).

            >>> low, high = PairedAccuracy(num_images=1000, before=950, lost=8, gained=3).interval
            >>> print(f"{low:.4f} {high:.4f}")
            -0.0120 0.0021
        """
        total = self.num_images + 2
        gained, lost = (self.gained + 1) / total, (self.lost + 1) / total
        difference = gained - lost
        half = Z_95 * math.sqrt((gained + lost - difference**2) / total)
        return max(-1.0, difference - half), min(1.0, difference + half)

    def to_dict(self) -> dict[str, Any]:
        """Counts, change and interval as values of JSON."""
        return {
            **asdict(self),
            "after": self.after,
            "change": self.change,
            "interval": self.interval,
        }

    def __str__(self) -> str:
        """As in "98.00% before, 97.80% after: -0.20 points, 95% interval -0.61 to +0.21"."""
        low, high = (100 * bound for bound in self.interval)
        return (
            f"{self.before / self.num_images:.2%} before, {self.after / self.num_images:.2%} "
            f"after: {100 * self.change:+.2f} points, 95% interval {low:+.2f} to {high:+.2f}"
        )
