"""Metrics of a network that finds objects and their boxes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.boxes.average_precision import (
    average_precision,
    bootstrap_interval,
    mean_average_precision,
)
from convscope.boxes.by_size import SIZES, BySize, average_precision_by_size
from convscope.boxes.detections import SHOWN, Detections
from convscope.boxes.matching import COCO_THRESHOLDS, Matches, match
from convscope.boxes.mistakes import MISTAKES, mistakes, named_groups, similar_groups
from convscope.boxes.truth import COUNTS, Objects
from convscope.card import TaskName
from convscope.evaluation.metrics import MetricName, shares_text, wilson_interval
from convscope.evaluation.printed import PrintedMetrics
from convscope.evaluation.tables import Rows


@dataclass(frozen=True, kw_only=True, repr=False)
class DetectionMetrics(PrintedMetrics):
    """The metrics of one evaluation. `print` shows them as tables, and so does a notebook.

    Attributes:
        classes: names, in the order of the network's probabilities.
        num_images: that were evaluated, those without objects included.
        num_correct: images in which every object is found, with its class and IoU >= 0.5, and
            nothing else, by the boxes with a score of SHOWN or more.
        loss: mean over images, see `convscope.boxes.loss`.
        by_threshold: (10, classes) average precision by COCO's rule and 101 points, at IoU 0.5,
            0.55, ..., 0.95; NaN where a class has no objects.
        voc: (classes,) by VOC's rule and 11 points, at IoU 0.5.
        ilsvrc: (classes,) by ILSVRC's rule and the area under the curve.
        support: (classes,) objects that count.
        shown, hits: (classes,) boxes with a score of SHOWN or more, and those that are right.
        mistakes: (classes, 5) of the best boxes, see `convscope.boxes.mistakes`.
        similar: groups of classes that are alike, by their numbers.
        ap50_interval, ap_interval: 95% intervals over the images; None where they were not asked
            for.
        by_size: average precision by the size of objects; None likewise, and where the sizes of the
            images are not known.
    """

    classes: tuple[str, ...]
    num_images: int
    num_correct: int
    loss: float
    by_threshold: NDArray[np.float64]
    voc: NDArray[np.float64]
    ilsvrc: NDArray[np.float64]
    support: NDArray[np.int64]
    shown: NDArray[np.int64]
    hits: NDArray[np.int64]
    mistakes: NDArray[np.int64]
    similar: tuple[tuple[int, ...], ...] = ()
    ap50_interval: tuple[float, float] | None = None
    ap_interval: tuple[float, float] | None = None
    by_size: BySize | None = None

    @property
    def task(self) -> TaskName:
        return "detection"

    @property
    def top1(self) -> float:
        """The share of images in which every object is found, and nothing else."""
        return self.num_correct / self.num_images

    @property
    def top5(self) -> None:
        """Of single labels only."""
        return

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% confidence interval of `top1`."""
        return wilson_interval(self.num_correct, self.num_images)

    @property
    def ap50(self) -> float:
        """Mean average precision at IoU 0.5, by COCO's rule; NaN without objects."""
        return mean_average_precision(self.by_threshold[0].tolist())

    @property
    def ap(self) -> float:
        """The same, the mean over IoU 0.5, 0.55, ..., 0.95: COCO's main figure."""
        return mean_average_precision(self.by_threshold.ravel().tolist())

    @property
    def precision(self) -> NDArray[np.float64]:
        """Of the boxes shown of each class, the share that is right; 0 if there are none."""
        return _ratio(self.hits, self.shown)

    @property
    def recall(self) -> NDArray[np.float64]:
        """Of the objects of each class, the share that a box shown is right for."""
        return _ratio(self.hits, self.support)

    @cached_property
    def f1(self) -> NDArray[np.float64]:
        """The harmonic mean of precision and recall."""
        return _ratio(2 * self.hits, self.shown + self.support)

    def describe(self, *, interval: bool = True) -> str:
        """As in "AP50 93.10%, AP 61.20%, all right in 80.00% (800 of 1,000 images; ...)"."""
        return (
            f"AP50 {_share(self.ap50)}, AP {_share(self.ap)}, all right in "
            f"{shares_text(self, interval=interval)}"
        )

    def value(self, name: MetricName) -> float:
        """One metric as a number; NaN for those of another task, and where it is not defined."""
        known = {"top1": self.top1, "loss": self.loss, "ap50": self.ap50, "ap": self.ap}
        if name == "f1":
            seen = self.shown + self.support > 0
            return float(self.f1[seen].mean()) if seen.any() else 0.0
        return known.get(name, math.nan)

    def headline(self) -> list[tuple[str, str]]:
        """The names and values of the metrics of all images."""
        low, high = self.interval
        counts = f"{self.num_correct} of {self.num_images} images"
        known = int((self.support > 0).sum())
        few = f"{known} of {len(self.classes)}" if known < len(self.classes) else f"{known}"
        over = f"IoU 0.5, mean of {few} classes"
        return [
            ("AP50", f"{_share(self.ap50)}   ({over}{_interval(self.ap50_interval)})"),
            ("AP", f"{_share(self.ap)}   (IoU 0.5 to 0.95{_interval(self.ap_interval)})"),
            *([] if self.by_size is None else [("by size", _sizes(self.by_size))]),
            ("VOC", f"{_share(mean_average_precision(self.voc.tolist()))}   (IoU 0.5, 11 points)"),
            (
                "ILSVRC",
                f"{_share(mean_average_precision(self.ilsvrc.tolist()))}   (its thresholds)",
            ),
            ("all right", f"{self.top1:.2%}   ({counts}; 95% interval {low:.2%} to {high:.2%})"),
            ("mistakes", self._mistakes()),
            ("loss", f"{self.loss:.4f}"),
        ]

    def _mistakes(self) -> str:
        """What the best boxes are, as shares: as many boxes of each class as it has objects."""
        total = self.mistakes.sum(0)
        shares = total / max(1, total.sum())
        return ", ".join(
            f"{name} {share:.1%}"
            for name, share in zip(MISTAKES, shares, strict=True)
            if name != "similar" or self.similar
        )

    @property
    def per_class(self) -> list[dict[str, Any]]:
        """A row for each class: its name, objects, AP50, AP, and of the boxes shown precision,
        recall and F1. `pandas.DataFrame` takes it as it is.
        """
        return [
            {
                "name": name,
                "objects": int(self.support[index]),
                "ap50": _known(self.by_threshold[0, index]),
                "ap": _known(float(self.by_threshold[:, index].mean())),
                "precision": float(self.precision[index]),
                "recall": float(self.recall[index]),
                "f1": float(self.f1[index]),
            }
            for index, name in enumerate(self.classes)
        ]

    def class_table(self) -> Rows:
        """A header and a row for each class; a dash where a metric is not defined."""
        names = ("ap50", "ap", "precision", "recall", "f1")
        return [
            ["class", "objects", "AP50", "AP", "precision", "recall", "F1"],
            *(
                [row["name"], str(row["objects"]), *(_text(row[name]) for name in names)]
                for row in self.per_class
            ),
        ]

    def confusion_table(self) -> None:
        """None: a box may be of no object at all."""

    def __repr__(self) -> str:
        return (
            f"DetectionMetrics(ap50={self.ap50:.4f}, ap={self.ap:.4f}, loss={self.loss:.4f}, "
            f"images={self.num_images})"
        )

    def to_dict(self) -> Mapping[str, Any]:
        """The metrics as they are written to JSON."""
        low, high = self.interval
        arrays = ("by_threshold", "voc", "ilsvrc")
        return {
            "task": "detection",
            "images": self.num_images,
            "correct": self.num_correct,
            "top1": self.top1,
            "top1_interval": [low, high],
            "ap50": _known(self.ap50),
            "ap50_interval": self.ap50_interval and list(self.ap50_interval),
            "ap": _known(self.ap),
            "ap_interval": self.ap_interval and list(self.ap_interval),
            "loss": self.loss,
            "classes": list(self.classes),
            "per_class": self.per_class,
            **{name: _nested(getattr(self, name)) for name in arrays},
            "support": self.support.tolist(),
            "shown": self.shown.tolist(),
            "hits": self.hits.tolist(),
            "mistakes": self.mistakes.tolist(),
            "similar": [[self.classes[number] for number in group] for group in self.similar],
            "by_size": self.by_size
            and {
                "sides": list(self.by_size.sides),
                "ap": _nested(self.by_size.ap),
                "support": self.by_size.support.tolist(),
            },
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "DetectionMetrics":
        """The metrics that `to_dict` wrote."""
        known = {field.name for field in fields(cls)}
        found = {name: value for name, value in values.items() if name in known}
        for name in ("by_threshold", "voc", "ilsvrc"):
            found[name] = np.array(found[name], np.float64)  # None becomes NaN
        for name in ("support", "shown", "hits", "mistakes"):
            found[name] = np.array(found[name], np.int64)
        for name in ("ap50_interval", "ap_interval"):
            found[name] = found[name] and tuple(found[name])
        similar = values.get("similar")
        groups = (
            similar_groups(values["classes"])
            if similar is None
            else named_groups(similar, values["classes"])
        )
        found["similar"] = tuple(map(tuple, groups))
        if (sizes := found.get("by_size")) is not None:
            found["by_size"] = BySize(
                tuple(sizes["sides"]),
                np.array(sizes["ap"], np.float64),
                np.array(sizes["support"], np.int64),
            )
        found |= {"classes": tuple(values["classes"]), "num_images": values["images"]}
        return cls(**{**found, "num_correct": values["correct"]})


def measure_detections(
    found: Sequence[Detections],
    truth: Objects,
    losses: NDArray[np.float64],
    classes: tuple[str, ...],
    *,
    intervals: bool = False,
    similar: Sequence[Sequence[int]] | None = None,
    areas: Sequence[NDArray[np.float64]] | None = None,
) -> tuple[DetectionMetrics, NDArray[np.bool_], tuple[Matches, ...]]:
    """The metrics of the boxes found, whether each image (n,) is all right, and of each class which
    boxes are, by COCO's rule at COCO_THRESHOLDS.

    Average precision is of all boxes found, whatever their score. `similar` are groups of classes
    for `mistakes`, by default those of Pascal VOC's; `areas` of the boxes found in each image, in
    its pixels, by which precision is told by size, with `intervals`.
    """
    count = len(classes)
    groups = similar_groups(classes) if similar is None else similar
    every = match(found, truth, count)
    voc = match(found, truth, count, thresholds=[0.5], rule="voc")
    ilsvrc = match(found, truth, count, thresholds=[0.5], rule="ilsvrc")
    shown = match([one.above(SHOWN) for one in found], truth, count, thresholds=[0.5])
    hits = np.zeros((count, len(found)), np.int64)
    wrong = np.zeros((count, len(found)), np.int64)
    for label, one in enumerate(shown):
        np.add.at(hits[label], one.images, one.is_right[0])
        np.add.at(wrong[label], one.images, ~one.is_right[0] & ~one.is_ignored[0])
    missed = np.array([one.num_objects for one in shown]) - hits
    is_right = (wrong.sum(0) == 0) & (missed.sum(0) == 0)
    steps = range(len(COCO_THRESHOLDS))
    metrics = DetectionMetrics(
        classes=classes,
        num_images=len(found),
        num_correct=int(is_right.sum()),
        loss=float(losses.mean()),
        by_threshold=np.array([[average_precision(one, step) for one in every] for step in steps]),
        voc=np.array([average_precision(one, points="11") for one in voc]),
        ilsvrc=np.array([average_precision(one, points="all") for one in ilsvrc]),
        support=np.bincount(truth.labels[truth.states == COUNTS], minlength=count),
        shown=hits.sum(1) + wrong.sum(1),
        hits=hits.sum(1),
        mistakes=mistakes(found, truth, count, similar=groups),
        similar=tuple(map(tuple, groups)),
        ap50_interval=bootstrap_interval(every) if intervals else None,
        ap_interval=bootstrap_interval(every, steps, resamples=200) if intervals else None,
        by_size=None
        if areas is None or not intervals
        else average_precision_by_size(found, truth, count, areas),
    )
    return metrics, is_right, tuple(every)


def _ratio(counts: NDArray[np.int64], totals: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.divide(counts, totals, out=np.zeros(len(counts)), where=totals > 0)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _nested(values: NDArray[np.float64]) -> list[Any]:
    if values.ndim == 1:
        return [_known(value) for value in values]
    return [_nested(row) for row in values]


def _sizes(found: BySize) -> str:
    """As in "small 41.20%, medium 60.10%, large –   (to 32x32, to 96x96 and above, in pixels)"."""
    values = ", ".join(
        f"{name} {'–' if math.isnan(value) else f'{value:.2%}'}"
        for name, value in zip(SIZES, found.means, strict=True)
    )
    first, second = (f"{side:.3g}x{side:.3g}" for side in found.sides)
    return f"{values}   (AP to {first}, to {second}, and above, in pixels)"


def _share(value: float) -> str:
    return "not defined" if math.isnan(value) else f"{value:.2%}"


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"; 95% interval {interval[0]:.2%} to {interval[1]:.2%}"


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
