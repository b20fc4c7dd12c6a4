"""Metrics of a network that gives an image any number of labels."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.card import TaskName
from convscope.evaluation.detection import DetectionMetrics
from convscope.evaluation.metrics import MetricName, Metrics, shares_text, wilson_interval
from convscope.evaluation.printed import PrintedMetrics
from convscope.evaluation.ranking import average_precision, roc_auc
from convscope.evaluation.tables import Rows


@dataclass(frozen=True, kw_only=True, repr=False)
class MultiLabelMetrics(PrintedMetrics):
    """The metrics of one evaluation, in which every image counts once.

    A label is predicted where its probability is at least one half, or what the card states.
    `print` shows the metrics as tables, and so does a notebook.

    Attributes:
        classes: names of the labels, in the order of the network's outputs.
        confusion: (labels, 2, 2) counts, for each label by truth (row) and prediction (column), no
            before yes: [[tn, fp], [fn, tp]], as in scikit-learn's multilabel_confusion_matrix.
        loss: mean binary cross-entropy over images and labels, in nats.
        num_correct: images of which every label was predicted right.
        average_precision: (labels,), see `convscope.evaluation.ranking`.
        auc: (labels,) area under the ROC curve; both are NaN where they are not defined.
    """

    classes: tuple[str, ...]
    confusion: NDArray[np.int64]
    loss: float
    num_correct: int
    average_precision: NDArray[np.float64]
    auc: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        probabilities: NDArray[np.float64],
        truth: NDArray[np.bool_],
        predicted: NDArray[np.bool_],
        *,
        classes: tuple[str, ...],
        loss: float,
    ) -> "MultiLabelMetrics":
        """The metrics of probabilities (n, labels), and whether each image has each label, in truth
        and as predicted.
        """
        counts = [
            [~truth & ~predicted, ~truth & predicted],
            [truth & ~predicted, truth & predicted],
        ]
        columns = [(truth[:, k], probabilities[:, k]) for k in range(len(classes))]
        return cls(
            classes=classes,
            confusion=np.array(counts).sum(2, dtype=np.int64).transpose(2, 0, 1),
            loss=loss,
            num_correct=int((predicted == truth).all(1).sum()),
            average_precision=np.array([average_precision(*column) for column in columns]),
            auc=np.array([roc_auc(*column) for column in columns]),
        )

    @property
    def task(self) -> TaskName:
        return "multi-label"

    @property
    def num_images(self) -> int:
        return int(self.confusion[0].sum())

    @property
    def top1(self) -> float:
        """Exact match: the share of images of which every label was predicted right."""
        return self.num_correct / self.num_images

    exact_match = top1

    @property
    def top5(self) -> None:
        """Of single labels only."""
        return

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% confidence interval of the exact match."""
        return wilson_interval(self.num_correct, self.num_images)

    def describe(self, *, interval: bool = True) -> str:
        """As in "mAP 91.20%, exact match 80.00% (80 of 100 images; ...)"."""
        precision = "" if math.isnan(self.map) else f"mAP {self.map:.2%}, "
        return f"{precision}exact match {shares_text(self, interval=interval)}"

    @cached_property
    def support(self) -> NDArray[np.int64]:
        """The number of images that have each label."""
        return self.confusion[:, 1].sum(axis=1)

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """The number of images for which each label was predicted."""
        return self.confusion[:, :, 1].sum(axis=1)

    @cached_property
    def precision(self) -> NDArray[np.float64]:
        """Of the images predicted to have a label, the share that has it; 0 if there are none."""
        return _ratio(self._hits, self.predicted)

    @cached_property
    def recall(self) -> NDArray[np.float64]:
        """Of the images with a label, the share predicted to have it; 0 if there are none."""
        return _ratio(self._hits, self.support)

    @cached_property
    def f1(self) -> NDArray[np.float64]:
        """The harmonic mean of precision and recall."""
        return _ratio(2 * self._hits, self.predicted + self.support)

    @property
    def _hits(self) -> NDArray[np.int64]:
        return self.confusion[:, 1, 1]

    @property
    def map(self) -> float:
        """Mean average precision, over the labels that some images have and others have not."""
        known = self.average_precision[~np.isnan(self.average_precision)]
        return float(known.mean()) if len(known) else math.nan

    @property
    def per_class(self) -> list[dict[str, Any]]:
        """A row for each label: its name, images, precision, recall, F1, average precision, AUC.

        `pandas.DataFrame(metrics.per_class)` takes it as it is. The last two are None where all
        images have the label, or none has.
        """
        return [
            {
                "name": name,
                "images": int(self.support[index]),
                "precision": float(self.precision[index]),
                "recall": float(self.recall[index]),
                "f1": float(self.f1[index]),
                "average_precision": _known(self.average_precision[index]),
                "auc": _known(self.auc[index]),
            }
            for index, name in enumerate(self.classes)
        ]

    def value(self, name: MetricName) -> float:
        """One metric as a number; NaN for those of another task, and where it is not defined.

        The mean F1 is over the labels that are the truth or the prediction of some image.
        """
        match name:
            case "top1":
                return self.top1
            case "loss":
                return self.loss
            case "f1":
                seen = self.predicted + self.support > 0
                return float(self.f1[seen].mean()) if seen.any() else 0.0
            case "micro_f1":
                counts = int((self.predicted + self.support).sum())
                return 2 * int(self._hits.sum()) / counts if counts else 0.0
            case "map":
                return self.map
            case "balanced" | "kappa" | "mae" | "ap50" | "ap":
                return math.nan

    def headline(self) -> list[tuple[str, str]]:
        """The names and values of the metrics of all images."""
        low, high = self.interval
        counts = f"{self.num_correct} of {self.num_images}"
        known = int((~np.isnan(self.average_precision)).sum())
        over = f"{known} of {len(self.classes)}" if known < len(self.classes) else f"{known}"
        precision = f"{self.map:.2%}" if known else "not defined"
        return [
            ("mAP", f"{precision}   (mean average precision of {over} labels)"),
            (
                "exact match",
                f"{self.top1:.2%}   ({counts}; 95% interval {low:.2%} to {high:.2%})",
            ),
            ("mean F1", f"{self.value('f1'):.4f}"),
            ("micro F1", f"{self.value('micro_f1'):.4f}"),
            ("loss", f"{self.loss:.4f}"),
        ]

    def class_table(self) -> Rows:
        """A header and a row for each label; a dash where a metric is not defined."""
        header = ["label", "images", "precision", "recall", "F1", "AP", "AUC"]
        names = ("precision", "recall", "f1", "average_precision", "auc")
        return [
            header,
            *(
                [row["name"], str(row["images"]), *(_text(row[name]) for name in names)]
                for row in self.per_class
            ),
        ]

    def confusion_table(self) -> None:
        """None: labels do not exclude each other."""

    def undefined(self) -> list[str]:
        """Sentences on labels of which average precision and AUC are not defined."""
        sentences: list[str] = []
        for what, applies in (
            ("No image has", self.support == 0),
            ("Every image has", self.support == self.num_images),
        ):
            names = [repr(self.classes[index]) for index in np.flatnonzero(applies)]
            if names:
                more = f" and {len(names) - 5} more" if len(names) > 5 else ""
                sentences.append(
                    f"{what} {', '.join(names[:5])}{more}: average precision and AUC are not "
                    "defined there, and the mean leaves them out."
                )
        return sentences

    def __repr__(self) -> str:
        return (
            f"MultiLabelMetrics(map={self.map:.4f}, top1={self.top1:.4f}, loss={self.loss:.4f}, "
            f"images={self.num_images})"
        )

    def to_dict(self) -> Mapping[str, Any]:
        """The metrics as they are written to JSON."""
        low, high = self.interval
        return {
            "task": "multi-label",
            "images": self.num_images,
            "correct": self.num_correct,
            "map": _known(self.map),
            "top1": self.top1,
            "top1_interval": [low, high],
            "loss": self.loss,
            "f1": self.value("f1"),
            "micro_f1": self.value("micro_f1"),
            "classes": list(self.classes),
            "per_class": self.per_class,
            "confusion": self.confusion.tolist(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "MultiLabelMetrics":
        """The metrics that `to_dict` wrote."""

        def column(name: str) -> NDArray[np.float64]:
            found = [row[name] for row in values["per_class"]]
            return np.array([math.nan if v is None else v for v in found], np.float64)

        return cls(
            classes=tuple(values["classes"]),
            confusion=np.array(values["confusion"], np.int64),
            loss=float(values["loss"]),
            num_correct=values["correct"],
            average_precision=column("average_precision"),
            auc=column("auc"),
        )


AnyMetrics = Metrics | MultiLabelMetrics | DetectionMetrics


def metrics_from_dict(values: Mapping[str, Any]) -> AnyMetrics:
    """The metrics of any task, from what `to_dict` wrote."""
    kinds = {"multi-label": MultiLabelMetrics, "detection": DetectionMetrics}
    return kinds.get(str(values.get("task")), Metrics).from_dict(values)


def _ratio(counts: NDArray[np.int64], totals: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.divide(counts, totals, out=np.zeros(len(counts)), where=totals > 0)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def right_word(task: TaskName) -> str:
    """What the share of images that are predicted right is called."""
    return {"multi-label": "exact match", "detection": "all right"}.get(task, "accuracy")


def trained_word(task: TaskName) -> str:
    """What it is called of training images: of objects it does not ask for scores."""
    return "all found" if task == "detection" else right_word(task)
