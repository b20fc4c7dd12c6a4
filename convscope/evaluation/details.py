"""All that the probabilities of an evaluation say: rates, areas, agreement, calibration."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.card import TaskName
from convscope.errors import RequestError
from convscope.evaluation.bootstrap import counts_of, resampled_counts, resampled_label_counts
from convscope.evaluation.calibration import Reliability, brier_losses, reliability
from convscope.evaluation.clustered import effective_size
from convscope.evaluation.curves import Curve, curve
from convscope.evaluation.delong import auc_figures, one_sided
from convscope.evaluation.figures import Figure, mean, numbered, percentile, proportion, undefined
from convscope.evaluation.ranking import average_precision
from convscope.evaluation.rates import AVERAGES, RATES, Average, ClassCounts, Rate
from convscope.evaluation.selective import Selective

_WHY: dict[Rate, str] = {
    "precision": "it is never predicted",
    "recall": "no image is of it",
    "specificity": "every image is of it",
    "npv": "it is always predicted",
    "f1": "it is neither the truth nor the prediction of an image",
}
_NO_CHANCE = "truth or predictions are of one class alone"


@dataclass(frozen=True, repr=False)
class Details:
    """What `evaluate(...).details` has, beside accuracy, loss and the confusion matrix.

    Every figure comes with a 95% interval, or with the reason why it has none: Wilson's for shares
    of images, DeLong's for areas under ROC curves, and for others the middle 95% of 2,000
    bootstrap draws. With groups, the images of one count as dependent.

    Attributes:
        classes: names, in the order of the columns of `probabilities`.
        task: what the probabilities mean.
        probabilities: (n, classes).
        truth: (n,) index of the true class; where an image may have several labels, (n, classes) of
            0 and 1.
        predicted: (n,) likewise.
        losses: (n,) of each image.
        groups: (n,) the group of each image, a patient for example; None where there are none.
        energies: (n,) of each image, see `convscope.decision_rules.CertaintyName`; None where they
            are not known.
    """

    classes: tuple[str, ...]
    task: TaskName
    probabilities: NDArray[np.float64]
    truth: NDArray[Any]
    predicted: NDArray[Any]
    losses: NDArray[np.float64]
    groups: Sequence[str] | None = None
    energies: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if not len(self.truth):
            raise RequestError("There are no images to measure.")
        if not np.isfinite(self.probabilities).all():
            raise RequestError("A probability is not a finite number, so nothing can be measured.")

    @property
    def num_groups(self) -> int | None:
        """The number of groups; None where each image is one by itself."""
        return None if self._groups is None else int(self._groups.max()) + 1

    @cached_property
    def counts(self) -> ClassCounts:
        """How often each class is the truth, the prediction, and both."""
        if self._is_several:
            truth, said = self.truth.astype(bool), self.predicted.astype(bool)
            hits, support, predicted = (
                column.sum(0).astype(np.float64) for column in (truth & said, truth, said)
            )
            return ClassCounts(hits, support, predicted, float(len(truth)))
        return counts_of(self.truth, self.predicted, len(self.classes))

    @cached_property
    def averages(self) -> dict[str, dict[Rate, Figure]]:
        """Each rate by each average: `averages["macro"]["f1"]`."""
        return {
            average: {rate: self.averaged(rate, average) for rate in RATES} for average in AVERAGES
        }

    def averaged(self, rate: Rate, average: Average) -> Figure:
        """One rate by one average."""
        value = float(self.counts.rate(rate, average))
        return percentile(value, self._draws.rate(rate, average))

    @cached_property
    def agreement(self) -> dict[str, Figure]:
        """Balanced accuracy, Cohen's kappa and Matthews' correlation, of single classes."""
        if self._is_several:
            return {}
        names = ["balanced_accuracy", "kappa", "mcc"]
        names[1:1] = ["quadratic_kappa"] if self.task == "ordinal" else []
        return {
            name: percentile(
                float(getattr(self.counts, name)), getattr(self._draws, name), reason=_NO_CHANCE
            )
            for name in names
        }

    @cached_property
    def topk(self) -> dict[str, Figure]:
        """The top-1 error, and of more than five classes the top-5 error; of several labels the
        share of images of which some label is wrong.
        """
        wrong = {"top1_error": (self.predicted != self.truth).reshape(len(self.truth), -1).any(1)}
        if not self._is_several and len(self.classes) > 5:
            wrong["top5_error"] = ~self._is_in_top(5)
        return {name: self._share(of.astype(np.float64)) for name, of in wrong.items()}

    @cached_property
    def loss(self) -> Figure:
        """The mean loss."""
        return mean(self.losses, self._groups)

    @cached_property
    def brier(self) -> Figure:
        """The Brier score, see `convscope.evaluation.calibration`; of several labels the mean
        squared error of their probabilities.
        """
        return mean(self.brier_losses, self._groups)

    @property
    def brier_losses(self) -> NDArray[np.float64]:
        """What each image (n,) adds to the Brier score."""
        if self._is_several:
            return ((self.probabilities - self.truth) ** 2).mean(1)
        return brier_losses(self.probabilities, self.truth)

    @cached_property
    def calibration(self) -> dict[str, Reliability]:
        """Reliability by kind: `confidence`, of the predicted class; of two classes also
        `positive`, of the second class; of several labels `labels`, of all their probabilities.
        """
        if self._is_several:
            return {"labels": reliability(self.probabilities.ravel(), self.truth.ravel() == 1)}
        confidence = np.take_along_axis(self.probabilities, self.predicted[:, None], 1)[:, 0]
        found = {"confidence": reliability(confidence, self.predicted == self.truth)}
        if len(self.classes) == 2:
            found["positive"] = reliability(self.probabilities[:, 1], self.truth == 1)
        return found

    @cached_property
    def selective(self) -> dict[str, Selective]:
        """The accuracy of the most certain images, by what certain means: "probability", of the
        most probable class, and "energy". Not of several labels.
        """
        if self._is_several:
            return {}
        found = {"probability": self.probabilities.max(1)}
        if self.energies is not None:
            found["energy"] = self.energies
        is_right = self.predicted == self.truth
        return {name: Selective(each, is_right, self._groups) for name, each in found.items()}

    @cached_property
    def auc(self) -> tuple[list[Figure], Figure]:
        """The area under the ROC curve of each class against the rest, and their mean."""
        return auc_figures(self._has, self.probabilities, self.classes, self._groups)

    @cached_property
    def average_precision(self) -> tuple[list[Figure], Figure]:
        """The area under the precision-recall curve of each class, without interpolation (see
        `convscope.evaluation.ranking`), and their mean.
        """
        areas = [
            undefined(reason)
            if (reason := one_sided(has, name))
            else Figure(average_precision(has, self.probabilities[:, index]))
            for index, (has, name) in enumerate(zip(self._has.T, self.classes, strict=True))
        ]
        known = [area.value for area in areas if area.is_defined]
        if not known:
            return areas, undefined("no class has both images of it and images of others")
        return areas, Figure(float(np.mean(known)))

    @cached_property
    def per_class(self) -> list[dict[str, Any]]:
        """A row for each class: name, images, and a `Figure` for each rate, `auc`,
        `average_precision`.
        """
        parts: dict[Rate, Any] = {rate: self.counts.parts(rate) for rate in RATES}
        areas, precisions = self.auc[0], self.average_precision[0]
        return [
            {
                "name": name,
                "images": int(self.counts.support[index]),
                **{
                    rate: self._class_rate(rate, index, top[index], bottom[index])
                    for rate, (top, bottom) in parts.items()
                },
                "auc": areas[index],
                "average_precision": precisions[index],
            }
            for index, name in enumerate(self.classes)
        ]

    def curve(self, name: str) -> Curve | None:
        """The ROC and precision-recall curve of a class against the rest; None where there is
        none, as all images or no image have it.

        Raises RequestError for a name that is not a class.
        """
        if name not in self.classes:
            raise RequestError(f"There is no class {name!r}; there are {', '.join(self.classes)}.")
        index = self.classes.index(name)
        if one_sided(self._has[:, index], name):
            return None
        return curve(self._has[:, index], self.probabilities[:, index])

    def __repr__(self) -> str:
        return f"Details(classes={len(self.classes)}, images={len(self.truth)})"

    def to_dict(self) -> dict[str, Any]:
        """All of it as values of JSON."""
        areas, precisions = self.auc[1], self.average_precision[1]
        rows = (
            {key: of.to_dict() if isinstance(of, Figure) else of for key, of in row.items()}
            for row in self.per_class
        )
        return {
            "confidence_level": 0.95,
            **({} if self.num_groups is None else {"groups": self.num_groups}),
            **{name: figure.to_dict() for name, figure in self.topk.items()},
            "loss": self.loss.to_dict(),
            **{name: figure.to_dict() for name, figure in self.agreement.items()},
            "auc": areas.to_dict(),
            "average_precision": precisions.to_dict(),
            "averages": {
                average: {rate: figure.to_dict() for rate, figure in rates.items()}
                for average, rates in self.averages.items()
            },
            "brier": self.brier.to_dict(),
            "calibration": {kind: found.to_dict() for kind, found in self.calibration.items()},
            "selective": {name: found.to_dict() for name, found in self.selective.items()},
            "per_class": list(rows),
            "curves": {name: _points(self.curve(name)) for name in self.classes},
        }

    @property
    def _is_several(self) -> bool:
        return self.task == "multi-label"

    @cached_property
    def _groups(self) -> NDArray[np.int64] | None:
        return numbered(self.groups)

    @cached_property
    def _has(self) -> NDArray[np.bool_]:
        """(n, classes) whether each image is of each class."""
        if self._is_several:
            return self.truth.astype(bool)
        return self.truth[:, None] == np.arange(len(self.classes))

    @cached_property
    def _draws(self) -> ClassCounts:
        if self._is_several:
            return resampled_label_counts(self._has, self.predicted.astype(bool), self._groups)
        return resampled_counts(self.truth, self.predicted, len(self.classes), self._groups)

    def _share(self, values: NDArray[np.float64], reason: str = "") -> Figure:
        return proportion(values.sum(), len(values), self._independence(values), reason=reason)

    def _independence(
        self, values: NDArray[np.float64], chosen: NDArray[np.bool_] | None = None
    ) -> float:
        """How many independent images each image is worth, at most 1."""
        if self._groups is None or not len(values):
            return 1.0
        groups = self._groups if chosen is None else self._groups[chosen]
        return effective_size(values, groups.tolist()) / len(values)

    def _class_rate(self, rate: Rate, index: int, top: float, bottom: float) -> Figure:
        if rate == "f1":
            if not bottom:
                return undefined(_WHY[rate])
            return percentile(top / bottom, _column(self._draws, rate, index))
        has = self._has[:, index]
        said = (
            self.predicted[:, index].astype(bool) if self._is_several else self.predicted == index
        )
        if self._groups is None:
            return proportion(top, bottom, reason=_WHY[rate])
        chosen = {"precision": said, "recall": has, "specificity": ~has, "npv": ~said}[rate]
        right = (has == said)[chosen].astype(np.float64)
        return proportion(top, bottom, self._independence(right, chosen), reason=_WHY[rate])

    def _is_in_top(self, k: int) -> NDArray[np.bool_]:
        """Whether the true class of each image is among the k most probable; of classes of one
        probability the first in their order comes first.
        """
        shares = self.probabilities
        truth: NDArray[np.int64] = self.truth[:, None]
        own = np.take_along_axis(shares, truth, 1)
        comes_first: NDArray[np.bool_] = np.less(np.arange(shares.shape[1]), truth)
        rank: NDArray[np.int64] = ((shares > own) | ((shares == own) & comes_first)).sum(1)
        return rank < k


def _column(draws: ClassCounts, rate: Rate, index: int) -> NDArray[np.float64]:
    """The draws of a rate of one class; NaN where it is not defined."""
    top, bottom = (part[:, index] for part in draws.parts(rate))
    return np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)


def _points(found: Curve | None) -> dict[str, Any] | None:
    if found is None:
        return None
    few = found.thinned()
    columns = {
        "threshold": few.thresholds[1:],
        "sensitivity": few.sensitivity[1:],
        "specificity": few.specificity[1:],
        "precision": few.precision[1:],
    }
    return {name: column.tolist() for name, column in columns.items()}
