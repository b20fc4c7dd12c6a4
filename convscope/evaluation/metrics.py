"""Metrics of a classifier, from its confusion matrix."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from convscope.card import TaskName
from convscope.evaluation.printed import PrintedMetrics
from convscope.evaluation.tables import (
    Counted,
    Rows,
    class_table,
    confusion_table,
    headline,
)

MetricName = Literal[
    "top1", "loss", "f1", "balanced", "map", "micro_f1", "kappa", "mae", "ap50", "ap"
]  # fmt: skip
"""Accuracy, the loss (lower is better), the mean F1 of the classes, or their mean recall
("balanced accuracy"). Of several labels: mean average precision and micro F1. Of grades: quadratic
weighted kappa, and the mean absolute error in grades (lower is better). Of boxes: average precision
at IoU 0.5, and its mean over 0.5 to 0.95."""

Z_95 = 1.959963984540054
"""The 97.5% quantile of the normal distribution, of a 95% interval."""

METRICS: dict[TaskName, tuple[MetricName, ...]] = {
    "single-label": ("top1", "loss", "f1", "balanced"),
    "multi-label": ("map", "top1", "loss", "f1", "micro_f1"),
    "ordinal": ("kappa", "mae", "top1", "loss", "f1", "balanced"),
    "detection": ("ap50", "ap", "top1", "loss"),
}
"""The metrics of each task; the first one chooses the best weights by default."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Metrics(PrintedMetrics):
    """The metrics of one evaluation, in which every image counts once.

    `print` shows them as tables, and so does a notebook.

    Attributes:
        classes: names, in the order of the rows and columns of `confusion`.
        confusion: counts, by true class (row) and predicted class (column).
        loss: mean cross-entropy, in nats; of grades, see `convscope.losses.squared_emd`.
        num_correct_top5: images whose true class is among the five most probable; None where
            there are five classes or fewer.
        is_ordinal: whether the classes are grades, from the lowest to the highest.
    """

    classes: tuple[str, ...]
    confusion: NDArray[np.int64]
    loss: float
    num_correct_top5: int | None
    is_ordinal: bool = False

    @property
    def task(self) -> TaskName:
        return "ordinal" if self.is_ordinal else "single-label"

    @property
    def num_images(self) -> int:
        return int(self.confusion.sum())

    @property
    def num_correct(self) -> int:
        return int(np.trace(self.confusion))

    @property
    def top1(self) -> float:
        """Accuracy: the share of images whose most probable class is the true one."""
        return self.num_correct / self.num_images

    @property
    def top5(self) -> float | None:
        return None if self.num_correct_top5 is None else self.num_correct_top5 / self.num_images

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% confidence interval of `top1`."""
        return wilson_interval(self.num_correct, self.num_images)

    def describe(self, *, interval: bool = True) -> str:
        """As in "accuracy 97.00% (97 of 100 images; 95% interval 91.55% to 98.97%)"."""
        text = f"accuracy {shares_text(self, interval=interval)}"
        if not self.is_ordinal:
            return text
        kappa = "" if math.isnan(self.kappa) else f", kappa {self.kappa:.3f}"
        return f"{text}{kappa}, mean error {self.mae:.3f} grades"

    @cached_property
    def support(self) -> NDArray[np.int64]:
        """The number of images of each class."""
        return self.confusion.sum(axis=1)

    @cached_property
    def precision(self) -> NDArray[np.float64]:
        """Of the images predicted as a class, the share that belongs to it; 0 if there are none."""
        return _ratio(np.diag(self.confusion), self.confusion.sum(axis=0))

    @cached_property
    def recall(self) -> NDArray[np.float64]:
        """Of the images of a class, the share predicted as it; 0 if there are none."""
        return _ratio(np.diag(self.confusion), self.support)

    @cached_property
    def f1(self) -> NDArray[np.float64]:
        """The harmonic mean of precision and recall."""
        return _ratio(2 * np.diag(self.confusion), self.confusion.sum(axis=0) + self.support)

    @cached_property
    def is_seen(self) -> NDArray[np.bool_]:
        """Whether each class is the truth or the prediction of some image."""
        return (self.support > 0) | (self.confusion.sum(axis=0) > 0)

    @property
    def is_of_one_class(self) -> bool:
        """Whether all images are of one class, so that precision and F1 say nothing."""
        return int((self.support > 0).sum()) == 1

    @property
    def per_class(self) -> list[dict[str, Any]]:
        """A row for each class that has images: its name, images, precision, recall and F1.

        `pandas.DataFrame(metrics.per_class)` takes it as it is. Of one class alone, precision and
        F1 are left out.
        """
        return [
            {
                "name": self.classes[index],
                "images": int(self.support[index]),
                **({} if self.is_of_one_class else {"precision": float(self.precision[index])}),
                "recall": float(self.recall[index]),
                **({} if self.is_of_one_class else {"f1": float(self.f1[index])}),
            }
            for index in np.flatnonzero(self.support)
        ]

    @property
    def kappa(self) -> float:
        """Quadratic weighted kappa of grades: 1 - Σ w·O / Σ w·E (Cohen, 1968).

        O is `confusion`, E what the same counts of true and of predicted grades would give by
        chance, w the squared difference of two grades. NaN where all images have one grade and are
        predicted as it.
        """
        grade = np.arange(len(self.classes))
        weight = (grade[:, None] - grade) ** 2
        chance = self.support[:, None] * self.confusion.sum(axis=0) / self.num_images
        expected = float((weight * chance).sum())
        return 1 - float((weight * self.confusion).sum()) / expected if expected else math.nan

    @property
    def mae(self) -> float:
        """The mean absolute difference of the predicted and the true grade."""
        grade = np.arange(len(self.classes))
        distance = np.abs(grade[:, None] - grade)
        return float((distance * self.confusion).sum()) / self.num_images

    def value(self, name: MetricName) -> float:
        """One metric as a number; NaN for those of another task, and where it is not defined.

        The mean F1 is over the classes that are the truth or the prediction of some image, the mean
        recall over those of which there are images, both as in scikit-learn.
        """
        if name == "f1":
            return float(self.f1[self.is_seen].mean())
        if name == "balanced":
            return float(self.recall[self.support > 0].mean())
        known = {"top1": self.top1, "loss": self.loss, "kappa": self.kappa, "mae": self.mae}
        return known.get(name, math.nan)

    def headline(self) -> list[tuple[str, str]]:
        """The names and values of the metrics of all images."""
        lines = headline(self)
        if self.is_ordinal:
            kappa = "not defined" if math.isnan(self.kappa) else f"{self.kappa:.4f}"
            lines[1:1] = [
                ("kappa", f"{kappa}   (quadratic weighted)"),
                ("MAE", f"{self.mae:.4f}   (mean absolute error in grades)"),
            ]
        return lines

    def class_table(self) -> Rows:
        """A header and a row for each class that has images."""
        return class_table(self)

    def confusion_table(self) -> Rows | None:
        """A header and a row for each class that has images; None for many classes."""
        return confusion_table(self)

    def __repr__(self) -> str:
        return f"Metrics(top1={self.top1:.4f}, loss={self.loss:.4f}, images={self.num_images})"

    def to_dict(self) -> Mapping[str, Any]:
        """The metrics as they are written to JSON."""
        low, high = self.interval
        return {
            "images": self.num_images,
            "top1": self.top1,
            "top1_interval": [low, high],
            **({} if self.top5 is None else {"top5": self.top5}),
            "loss": self.loss,
            **({} if self.is_of_one_class else {"f1": self.value("f1")}),
            "balanced": self.value("balanced"),
            **(self._of_grades() if self.is_ordinal else {}),
            "classes": list(self.classes),
            "per_class": self.per_class,
            "confusion": self.confusion.tolist(),
        }

    def _of_grades(self) -> dict[str, Any]:
        kappa = None if math.isnan(self.kappa) else self.kappa
        return {"task": "ordinal", "kappa": kappa, "mae": self.mae}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Metrics":
        """The metrics that `to_dict` wrote."""
        confusion = np.array(values["confusion"], np.int64)
        top5 = values.get("top5")
        return cls(
            classes=tuple(values["classes"]),
            confusion=confusion,
            loss=float(values["loss"]),
            num_correct_top5=None if top5 is None else round(top5 * int(confusion.sum())),
            is_ordinal=values.get("task") == "ordinal",
        )


def shares_text(metrics: Counted, *, interval: bool) -> str:
    """The share of images that were predicted right, with their number."""
    low, high = metrics.interval
    range_text = f"; 95% interval {low:.2%} to {high:.2%}" if interval else ""
    counts = f"{metrics.num_correct:,} of {metrics.num_images:,} images"
    return f"{metrics.top1:.2%} ({counts}{range_text})"


def is_better(new: tuple[float, float], old: tuple[float, float], metric: MetricName) -> bool:
    """Whether one (value of the metric, loss) is better than another.

    A lower loss and a lower error is better, and a higher value of any other metric. The loss
    breaks ties, which are frequent in the accuracy of a few images.
    """
    if metric == "loss" or new[0] == old[0]:
        return new[1] < old[1]
    return new[0] < old[0] if metric == "mae" else new[0] > old[0]


def wilson_interval(num_correct: float, num_images: float, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval of a share (1927): 95%, or as `z` says.

    With p = num_correct / n, the center is (p + z²/2n) / (1 + z²/n) and its half-width
    z / (1 + z²/n) · sqrt(p(1 - p)/n + z²/4n²), where n is `num_images`. It lies within 0..1.

        >>> low, high = wilson_interval(97, 100)
        >>> print(f"{low:.4f} {high:.4f}")
        0.9155 0.9897
    """
    share, shrink = num_correct / num_images, 1 + z * z / num_images
    center = (share + z * z / (2 * num_images)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / num_images + z * z / (4 * num_images**2))
    return max(0.0, min(center - half, share)), min(1.0, max(center + half, share))


def _ratio(counts: NDArray[np.int64], totals: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.divide(counts, totals, out=np.zeros(len(counts)), where=totals > 0)
