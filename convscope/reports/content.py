"""What a report says, before it is a page, JSON or a model card."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from torch import nn

from convscope.errors import RequestError
from convscope.evaluation.detection import DetectionMetrics
from convscope.evaluation.figures import Figure, complement
from convscope.evaluation.multi_label import MultiLabelMetrics
from convscope.evaluation.result import EvaluationResult
from convscope.reports.about import about
from convscope.reports.doubts import doubts, doubts_about_boxes

_NAMES = {
    "kappa": "Quadratic weighted kappa",
    "mae": "Mean absolute error in grades",
    "map": "Mean average precision",
}
SHARES = {"Accuracy", "Every label right", "Among the five most probable", "Balanced accuracy"}
"""Figures that are written as percentages."""


@dataclass(frozen=True)
class Report:
    """An evaluation with what is known of its network and its training.

    Attributes:
        title: of the page.
        note: how the result compares with a published one; "" where there is none.
        metrics: a line for each epoch of the training, as in `metrics.jsonl`.
        thorough: whether slices and shortcuts are looked for, which reads files.
    """

    title: str
    result: EvaluationResult
    metrics: list[Mapping[str, Any]]
    note: str = ""
    thorough: bool = True

    @classmethod
    def of(cls, result: EvaluationResult, *, note: str = "") -> "Report":
        """The report of what `evaluate` returned."""
        run = result.opened and result.opened.run
        metrics = list[Mapping[str, Any]](run.read_metrics()) if run else []
        title = run.path.resolve().name if run else result.model
        return cls(title, result, metrics, note)

    @cached_property
    def about(self) -> list[tuple[str, str]]:
        """What the network is, by name."""
        opened = self.result.opened
        if opened is None:
            raise RequestError("This result has no network, so there is nothing to report.")
        return about(opened, self.metrics)

    @property
    def net(self) -> nn.Module | None:
        return self.result.opened and self.result.opened.net

    @cached_property
    def doubts(self) -> list[str]:
        """What to distrust, the gravest first."""
        if isinstance(self.result.metrics, DetectionMetrics):
            return doubts_about_boxes(self.result, self.result.metrics)
        return doubts(self.result, self.metrics, thorough=self.thorough)

    @cached_property
    def figures(self) -> list[tuple[str, Figure]]:
        """The figures by which the network is summarized, with intervals."""
        result = self.result
        metrics, details = result.metrics, result.details
        if isinstance(metrics, DetectionMetrics):
            raise RequestError("The figures of boxes are those of `result.metrics`.")
        right = complement(details.topk["top1_error"])
        found: list[tuple[str, Figure]] = []
        if isinstance(metrics, MultiLabelMetrics):
            found += [
                (_NAMES["map"], details.average_precision[1]),
                ("Every label right", right),
                ("Mean F1", details.averaged("f1", "macro")),
            ]
        else:
            if metrics.is_ordinal:
                found.append((_NAMES["kappa"], details.agreement["quadratic_kappa"]))
                found.append((_NAMES["mae"], Figure(metrics.mae)))
            found.append(("Accuracy", right))
            if "top5_error" in details.topk:
                found.append(
                    ("Among the five most probable", complement(details.topk["top5_error"]))
                )
            found.append(("Balanced accuracy", details.agreement["balanced_accuracy"]))
            found.append(("Mean F1", details.averaged("f1", "macro")))
        return [*found, ("Mean area under ROC", details.auc[1]), ("Loss", details.loss)]

    def to_dict(self) -> dict[str, Any]:
        """All of it as values of JSON; of boxes without what is of classes alone."""
        result = self.result
        told = {
            "title": self.title,
            "about": dict(self.about),
            "data": result.data,
            "notes": list(result.notes),
            "training": self.metrics,
            **({"note": self.note} if self.note else {}),
            "evaluation": result.to_dict(),
        }
        if isinstance(result.metrics, DetectionMetrics):
            return {**told, "details": result.box_details.to_dict()}
        slices = {"slices": result.slices.to_dict()} if self.thorough else {}
        return {
            **told,
            "figures": {name: figure.to_dict() for name, figure in self.figures},
            "distrust": self.doubts,
            "details": result.details.to_dict(),
            "mistakes": self._mistakes(),
            **slices,
        }

    def _mistakes(self) -> dict[str, Any]:
        result, found = self.result, self.result.mistakes

        def named(indices: np.ndarray[Any, Any]) -> list[str]:
            return [result.paths[index] for index in indices.tolist()]

        return {
            "wrong": found.wrong,
            "confident": named(found.confident),
            "uncertain": named(found.uncertain),
            "pairs": [
                {"true": pair.truth, "predicted": pair.predicted, "paths": named(pair.indices)}
                for pair in found.pairs
            ],
        }
