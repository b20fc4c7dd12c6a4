"""What a cross-validation leaves: the metrics of each fold, their spread, and all pooled."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convscope import synonyms
from convscope.card import TaskName
from convscope.evaluation.clustered import effective_size
from convscope.evaluation.metrics import METRICS, MetricName, wilson_interval
from convscope.evaluation.multi_label import AnyMetrics, right_word
from convscope.evaluation.tables import as_text
from convscope.training.result import TrainingResult
from convscope.words import visible
from convscope.words.json_text import to_json

_SHOWN: dict[TaskName, tuple[MetricName, ...]] = {
    "single-label": ("top1", "balanced", "f1", "loss"),
    "multi-label": ("map", "top1", "f1", "micro_f1", "loss"),
    "ordinal": ("kappa", "mae", "top1", "balanced", "loss"),
    "detection": ("ap50", "ap", "top1", "loss"),
}
_NAMES: dict[MetricName, str] = {
    "balanced": "balanced",
    "f1": "mean F1",
    "loss": "loss",
    "map": "mAP",
    "micro_f1": "micro F1",
    "kappa": "kappa",
    "mae": "MAE",
    "ap50": "AP50",
    "ap": "AP",
}


@dataclass(frozen=True)
class FoldResult:
    """One training of a cross-validation; `fold` and `repeat` count from 1."""

    repeat: int
    fold: int
    result: TrainingResult

    @property
    def test(self) -> AnyMetrics:
        """The metrics of the images of this fold, which its training has not seen."""
        return self.result.test


@dataclass(frozen=True, repr=False)
class CrossValidationResult:
    """What a cross-validation leaves; `print` shows it as tables.

    Attributes:
        path: its folder, with a run for each fold, predictions.csv and summary.json.
        folds: the result of each fold, repeat by repeat.
        pooled: for each repeat, the metrics of all folds together, where every image counts once.
            Average precision and AUC rank the images of all folds by the answers of their networks.
        correct: by image, the share of the repeats in which it is predicted right; of several
            labels, in which all are.
        groups: the group of each image, by the same keys; empty if there are no groups.
    """

    path: Path
    folds: Sequence[FoldResult]
    pooled: tuple[AnyMetrics, ...]
    correct: Mapping[str, float]
    groups: Mapping[str, str]

    @property
    def task(self) -> TaskName:
        return self.pooled[0].task

    @property
    def accuracy(self) -> float:
        """The share of the images that are predicted right; the mean over the repeats.

        Of several labels the exact match: an image is right where all of its labels are.
        """
        return statistics.fmean(self.correct.values())

    @cached_property
    def num_independent(self) -> float:
        """How many independent images the images are worth, of which those of a group are not."""
        if not self.groups:
            return float(len(self.correct))
        groups = [self.groups.get(key) or f"image {key}" for key in self.correct]
        return effective_size(np.array([*self.correct.values()]), groups)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% confidence interval of `accuracy`: Wilson's, for `num_independent` images."""
        size = self.num_independent
        return wilson_interval(self.accuracy * size, size)

    def mean(self, metric: str = "top1") -> float:
        """The mean of a metric over the folds; NaN where one of them has none."""
        return statistics.fmean(self._values(metric))

    def std(self, metric: str = "top1") -> float:
        """The standard deviation of a metric over the folds, with n - 1 below the line."""
        return statistics.stdev(self._values(metric))

    def _values(self, metric: str) -> list[float]:
        return [one.test.value(metric) for one in self.folds]  # pyright: ignore[reportArgumentType]

    def to_dict(self) -> dict[str, Any]:
        """The summary as it is written to JSON."""
        low, high = self.interval
        return {
            "run": str(self.path),
            **({} if self.task == "single-label" else {"task": self.task}),
            "accuracy": self.accuracy,
            "accuracy_interval": [low, high],
            "images": len(self.correct),
            "independent_images": self.num_independent,
            "mean": {name: self.mean(name) for name in _SHOWN[self.task]},
            "std": {name: self.std(name) for name in _SHOWN[self.task]},
            "folds": [
                {
                    "repeat": one.repeat,
                    "fold": one.fold,
                    "run": one.result.run.name,
                    "images": one.test.num_images,
                    **{name: one.test.value(name) for name in _SHOWN[self.task]},
                }
                for one in self.folds
            ],
            "pooled": [metrics.to_dict() for metrics in self.pooled],
        }

    def to_json(self) -> str:
        """The summary as a file holds it."""
        return to_json(self.to_dict(), indent=1) + "\n"

    if not TYPE_CHECKING:  # type checkers know the attributes, and refuse others

        def __getattr__(self, name: str) -> object:
            raise synonyms.missing_attribute(self, name)

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"{visible(self.path)}: {self._headline()}"

    def __str__(self) -> str:
        first, several = self.pooled[0], len(self.pooled) > 1
        tables = [first.class_table(), first.confusion_table()]
        return "\n\n".join(
            [
                as_text(self._table()),
                self._headline(),
                "The first repeat alone:" if several else "All folds together:",
                *(as_text(table) for table in tables if table),
            ]
        )

    def _headline(self) -> str:
        low, high = self.interval
        repeats = f", mean of {len(self.pooled)} repeats" if len(self.pooled) > 1 else ""
        worth = (
            f"; images of a group are not independent, and count as {self.num_independent:,.0f}"
            if self.num_independent < len(self.correct) - 0.5
            else ""
        )
        return (
            f"Out-of-fold {self._ranked()}{right_word(self.task)} {self.accuracy:.2%} of "
            f"{len(self.correct):,} images{repeats} (95% interval {low:.2%} to {high:.2%}{worth}). "
            f"Over the folds {self.mean():.2%} ± {self.std():.2%}."
        )

    def _ranked(self) -> str:
        """What counts before the share of images that are right, as in "mAP 0.81, "."""
        metric = METRICS[self.task][0]
        if metric == "top1":
            return ""
        value = statistics.fmean(one.value(metric) for one in self.pooled)
        return f"{_NAMES[metric]} {_cell(metric, value)}, "

    def _table(self) -> list[list[str]]:
        several = len(self.pooled) > 1
        rows = [
            [
                f"repeat {one.repeat}, fold {one.fold}" if several else f"fold {one.fold}",
                f"{one.test.num_images:,}",
                *(_cell(name, one.test.value(name)) for name in _SHOWN[self.task]),
            ]
            for one in self.folds
        ]
        ends = [
            [name, "", *(_cell(metric, value(metric)) for metric in _SHOWN[self.task])]
            for name, value in (("mean", self.mean), ("std", self.std))
        ]
        names = _NAMES | {"top1": right_word(self.task)}
        return [["", "images", *(names[name] for name in _SHOWN[self.task])], *rows, *ends]


def _cell(metric: MetricName, value: float) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:.2%}" if metric in ("top1", "balanced", "map") else f"{value:.4f}"
