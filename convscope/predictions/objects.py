"""The objects that a network finds in an image, in pixels of that image; without torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from convscope.boxes.detections import Detections
from convscope.card import Card
from convscope.data.fit import in_pixels

Edges = tuple[float, float, float, float]

EDGES = ("left", "top", "right", "bottom")


@dataclass(frozen=True)
class DetectedObject:
    """One object that a network finds in an image.

    Attributes:
        label: its class.
        score: the probability of that class times the confidence in the box, 0..1.
        box: left, top, right, bottom in pixels of the upright image, which begins at (0, 0): a
            width is right - left, and pixel (row r, column c) is the box (c, r, c + 1, r + 1).
        cell: row, column and box of the network's cell that it comes from.
    """

    label: str
    score: float
    box: Edges
    cell: tuple[int, int, int]

    def to_dict(self) -> dict[str, Any]:
        """Label, score, left, top, right and bottom."""
        return dict(label=self.label, score=self.score, **dict(zip(EDGES, self.box, strict=True)))

    def __str__(self) -> str:
        left, top, right, bottom = self.box
        return f"{self.label} {self.score:.1%} at {left:.0f},{top:.0f} to {right:.0f},{bottom:.0f}"


def objects_of(found: Detections, size: tuple[int, int], card: Card) -> tuple[DetectedObject, ...]:
    """The boxes found in an image of this (width, height), as they lie in it.

    Boxes that lie wholly in the black bars around it, which the network was shown too, are left
    out.
    """
    placed = in_pixels(found.boxes, size, card)
    return tuple(
        DetectedObject(
            card.classes[label], float(score), (left, top, right, bottom), (row, column, box)
        )
        for (left, top, right, bottom), score, label, (row, column, box) in zip(
            placed.tolist(),
            found.scores.tolist(),
            found.labels.tolist(),
            found.cells.tolist(),
            strict=True,
        )
        if right > left and bottom > top
    )


def best_scores(objects: Sequence[DetectedObject]) -> tuple[tuple[str, float], ...]:
    """Each class that was found, with the highest score of its objects, by falling score."""
    best: dict[str, float] = {}
    for one in objects:
        best[one.label] = max(one.score, best.get(one.label, 0.0))
    return tuple(sorted(best.items(), key=lambda pair: -pair[1]))
