"""What can be asked of a network that finds objects, and of no other."""

from dataclasses import dataclass
from pathlib import Path

from convscope.boxes.detections import MAX_OVERLAP, SHOWN
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
