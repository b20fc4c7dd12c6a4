"""What can be asked of a network that finds objects, and of no other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from convscope.boxes.detections import MAX_OVERLAP, MIN_SCORE, SHOWN
from convscope.card import Card
from convscope.errors import RequestError


@dataclass(frozen=True, kw_only=True)
class ObjectOptions:
    """Which objects are kept, and where images with their boxes are drawn; None where not stated.

    Attributes:
        min_score: the least score of an object, by default SHOWN.
        max_overlap: the IoU above which of two boxes of a class only the better one is kept, by
            default MAX_OVERLAP.
        draw: folder for the images with their boxes.
    """

    min_score: float | None = None
    max_overlap: float | None = None
    draw: Path | None = None

    def __post_init__(self) -> None:
        for name in ("min_score", "max_overlap"):
            share = getattr(self, name)
            if share is not None and not 0 <= share <= 1:
                raise RequestError(f"`{name}` is {share:g}; allowed: 0 to 1.")
        if self.draw is not None and self.draw.expanduser().is_file():
            raise RequestError(f"`draw` is a folder, and {self.draw} is a file.")

    @property
    def asked_score(self) -> float:
        """The score from which on boxes are looked at: where none is stated, lower than
        `least_score`, to tell of those that are not shown.
        """
        return MIN_SCORE if self.min_score is None else self.min_score

    @property
    def least_score(self) -> float:
        return SHOWN if self.min_score is None else self.min_score

    @property
    def most_overlap(self) -> float:
        return MAX_OVERLAP if self.max_overlap is None else self.max_overlap

    def check(self, card: Card, name: str) -> None:
        """Raise RequestError where an option is stated, and the network finds no objects."""
        stated = [
            key for key in ("min_score", "max_overlap", "draw") if getattr(self, key) is not None
        ]
        if stated and card.task != "detection":
            raise RequestError(
                f"`{stated[0]}` is for networks that find objects, and {name} classifies whole "
                "images: each gets its most probable classes, and `top` says how many."
            )


_FAINT = 0.1  # the median score below which boxes are not worth telling of


def describe_faint(scores: Sequence[float], count: int) -> list[str]:
    """A sentence where most of `count` images have boxes with scores below SHOWN alone.

    `scores` are the best ones of these images.

    >>> describe_faint([0.31, 0.25, 0.44], 4)[0].partition("; ")[2]
    'their best have 0.25 to 0.44. `min_score=0.25` shows such boxes.'
    """
    ranked = sorted(scores)
    if 2 * len(ranked) <= count or ranked[len(ranked) // 2] < _FAINT:
        return []
    wanted = max(0.05, math.floor(20 * ranked[len(ranked) // 4]) / 20)
    images = "the image" if count == 1 else f"{len(ranked):,} of {count:,} images"
    sentence = (
        f"In {images} no box has a score of {SHOWN:g} or more; their best have {ranked[0]:.2f} to "
        f"{ranked[-1]:.2f}. `min_score={wanted:g}` shows such boxes."
    )
    return [sentence]
