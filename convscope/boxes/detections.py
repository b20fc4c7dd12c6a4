"""The boxes that a network finds in an image, and which are kept by default; without torch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHOWN = 0.5
"""The score from which on a box is shown, and counts for precision and recall."""

MIN_SCORE = 0.01
"""The score below which a box is not looked at, where average precision is measured."""

MAX_OVERLAP = 0.5
"""The IoU above which of two boxes of a class only the better one is kept."""

MAX_BOXES = 100
"""Boxes of an image that are kept at most, as in COCO's evaluation."""


@dataclass(frozen=True, eq=False)
class Detections:
    """The boxes found in one image, by falling score.

    Attributes:
        boxes: (m, 4) left, top, right, bottom, as shares of the network's input.
        scores: (m,) of the class.
        labels: (m,) indices of classes.
        cells: (m, 3) row, column and box of the cell that each comes from.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: NDArray[np.int64]
    cells: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, score: float) -> "Detections":
        """Those with at least this score."""
        return self.subset(np.flatnonzero(self.scores >= score))

    def subset(self, kept: NDArray[np.int64]) -> "Detections":
        """Those with these numbers, in their order."""
        return Detections(self.boxes[kept], self.scores[kept], self.labels[kept], self.cells[kept])
