"""More of boxes than their headline: curves, the best least scores, and mistakes by class."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.boxes.average_precision import (
    average_precision,
    bootstrap_interval,
    precision_recall,
)
from convscope.boxes.matching import Matches
from convscope.boxes.mistakes import MISTAKES
from convscope.evaluation.tables import Rows

RECALLS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""At which the table states precision."""

_POINTS = 200  # of a curve that is drawn
_RESAMPLES = 200


@dataclass(frozen=True, eq=False)
class BoxCurve:
    """Precision by recall of the boxes of a class, at IoU 0.5 by COCO's rule.

    Attributes:
        recall, precision, scores: (m,) of the boxes with the one, two, three ... highest scores,
            and the score of the last of them.
    """

    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    scores: NDArray[np.float64]

    @classmethod
    def of(cls, matches: Matches) -> "BoxCurve":
        recall, precision = precision_recall(matches)
        return cls(recall, precision, -np.sort(-matches.scores, kind="stable"))

    def highest(self, recall: float) -> float:
        """The highest precision at this recall or more; 0 where it is not reached."""
        reached = self.precision[self.recall >= recall - 1e-12]
        return float(reached.max()) if len(reached) else 0.0

    @property
    def best(self) -> tuple[float, float, float, float]:
        """The least score with the highest F1: it, F1, precision and recall there; NaN without."""
        if not len(self.scores):
            return math.nan, math.nan, math.nan, math.nan
        both = np.maximum(self.precision + self.recall, np.finfo(np.float64).tiny)
        f1 = 2 * self.precision * self.recall / both
        at = int(f1.argmax())
        return (
            float(self.scores[at]), float(f1[at]), float(self.precision[at]), float(self.recall[at])
        )  # fmt: skip

    def points(self) -> list[tuple[float, float]]:
        """Recall and precision of some of them, evenly spread, from recall 0 on."""
        if not len(self.recall):
            return []
        kept = np.unique(np.linspace(0, len(self.recall) - 1, _POINTS).round().astype(int))
        recall, precision = self.recall[kept].tolist(), self.precision[kept].tolist()
        return [(0.0, float(self.precision[0])), *zip(recall, precision, strict=True)]


@dataclass(frozen=True, eq=False)
class BoxDetails:
    """What `evaluate --details` prints of boxes.

    Attributes:
        classes: names, in the order of `matches`.
        matches: of each class by COCO's rule, first at IoU 0.5.
        mistakes: (classes, 5) of the best boxes, see `convscope.boxes.mistakes`.
        has_groups: whether some classes are similar.
    """

    classes: tuple[str, ...]
    matches: tuple[Matches, ...]
    mistakes: NDArray[np.int64]
    has_groups: bool = False

    @cached_property
    def curves(self) -> dict[str, BoxCurve]:
        """The curve of each class that has objects."""
        return {
            name: BoxCurve.of(one)
            for name, one in zip(self.classes, self.matches, strict=True)
            if one.num_objects.sum()
        }

    @cached_property
    def ap50(self) -> dict[str, tuple[float, tuple[float, float]]]:
        """AP at IoU 0.5 of each class that has objects, with its 95% interval over the images."""
        return {
            name: (average_precision(one), bootstrap_interval([one], resamples=_RESAMPLES))
            for name, one in zip(self.classes, self.matches, strict=True)
            if one.num_objects.sum()
        }

    @property
    def kinds(self) -> list[int]:
        """Which of MISTAKES can be: `similar` only where classes have groups."""
        return [k for k, name in enumerate(MISTAKES) if name != "similar" or self.has_groups]

    def tables(self) -> list[tuple[str, Rows]]:
        """A title and rows, the first of which is the header, for each table."""
        heads = [f"at {recall:.0%}" for recall in RECALLS]
        rows: Rows = [["class", "AP50", "95% interval", *heads]]
        best: Rows = [["class", "least score", "F1", "precision", "recall"]]
        for name, curve in self.curves.items():
            value, (low, high) = self.ap50[name]
            precision = [f"{curve.highest(recall):.3f}" for recall in RECALLS]
            rows.append([name, f"{value:.3f}", f"{low:.3f} to {high:.3f}", *precision])
            best.append([name, *(_text(number) for number in curve.best)])
        wrong: Rows = [["class", *(MISTAKES[k] for k in self.kinds)]]
        wrong += [
            [name, *(str(counts[k]) for k in self.kinds)]
            for name, counts in zip(self.classes, self.mistakes, strict=True)
            if counts.sum()
        ]
        return [
            ("Precision at recall, IoU 0.5", rows),
            ("The least score with the highest F1", best),
            ("What the best boxes are, as many of each class as it has objects", wrong),
        ]

    def to_dict(self) -> dict[str, Any]:
        """The same as values of JSON, with the points of the curves."""
        return {
            "ap50": {
                name: {"value": value, "interval": [*interval]}
                for name, (value, interval) in self.ap50.items()
            },
            "curves": {
                name: [
                    {"recall": recall, "precision": precision}
                    for recall, precision in curve.points()
                ]
                for name, curve in self.curves.items()
            },
            "best": {
                name: dict(zip(("score", "f1", "precision", "recall"), curve.best, strict=True))
                for name, curve in self.curves.items()
            },
            "mistakes": {
                name: {MISTAKES[k]: int(counts[k]) for k in self.kinds}
                for name, counts in zip(self.classes, self.mistakes, strict=True)
            },
        }


def _text(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"
