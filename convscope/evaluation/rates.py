"""Rates by class and averaged, from counts: of one evaluation, or of many draws of it at once."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Average = Literal["macro", "micro", "weighted"]
"""The mean of the classes, one rate of all their counts together, or the mean weighted by the
images of each class."""

Rate = Literal["precision", "recall", "specificity", "npv", "f1"]

RATES: tuple[Rate, ...] = ("precision", "recall", "specificity", "npv", "f1")
AVERAGES: tuple[Average, ...] = ("macro", "micro", "weighted")

_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClassCounts:
    """How often each class is the truth, the prediction, and both.

    Of the axes before the last, one may be of draws; every method then returns a number for each.

    Attributes:
        hits: (..., classes) images of a class that were predicted as it.
        support: (..., classes) images of it.
        predicted: (..., classes) images predicted as it.
        total: all images.
        squared_error: (...,) Σ (true grade - predicted grade)², where classes are grades.
    """

    hits: _Floats
    support: _Floats
    predicted: _Floats
    total: float
    squared_error: _Floats | None = None

    def parts(self, rate: Rate) -> tuple[_Floats, _Floats]:
        """The numerator and the denominator of a rate of each class against all others.

        - precision, the positive predictive value: TP / (TP + FP);
        - recall, the sensitivity: TP / (TP + FN);
        - specificity: TN / (TN + FP);
        - npv, the negative predictive value: TN / (TN + FN);
        - f1: 2 TP / (2 TP + FP + FN).
        """
        others = self.total - self.support
        negatives = others - self.predicted + self.hits
        match rate:
            case "precision":
                return self.hits, self.predicted
            case "recall":
                return self.hits, self.support
            case "specificity":
                return negatives, others
            case "npv":
                return negatives, self.total - self.predicted
            case "f1":
                return 2 * self.hits, self.predicted + self.support

    def rate(self, rate: Rate, average: Average) -> _Floats:
        """A rate (...,) over all classes.

        As in scikit-learn, macro is over the classes that are the truth or the prediction of some
        image, a rate of no images counts as 0, and weighted is by the images of each class.
        """
        top, bottom = self.parts(rate)
        if average == "micro":
            return _ratio(top.sum(-1), bottom.sum(-1))
        values = _ratio(top, bottom)
        if average == "macro":
            seen = (self.support > 0) | (self.predicted > 0)
            return _ratio((values * seen).sum(-1), seen.sum(-1))
        return _ratio((values * self.support).sum(-1), self.support.sum(-1))

    @property
    def balanced_accuracy(self) -> _Floats:
        """The mean recall of the classes that have images."""
        present = self.support > 0
        return _ratio((_ratio(*self.parts("recall")) * present).sum(-1), present.sum(-1))

    @property
    def kappa(self) -> _Floats:
        """Cohen's kappa (1960): (p_o - p_e) / (1 - p_e), where p_o is the accuracy, and p_e what
        it would be by chance. NaN where p_e is 1: one class alone, and predicted alone.
        """
        chance = (self.support * self.predicted).sum(-1) / self.total
        return _or_nan(self.hits.sum(-1) - chance, self.total - chance)

    @property
    def quadratic_kappa(self) -> _Floats:
        """Of grades, see `Metrics.kappa`; NaN where all images have one grade and get it."""
        assert self.squared_error is not None
        grade = np.arange(self.support.shape[-1], dtype=np.float64)
        squares = ((self.support + self.predicted) * grade**2).sum(-1)
        product = (self.support * grade).sum(-1) * (self.predicted * grade).sum(-1)
        expected = squares - 2 * product / self.total
        return _or_nan(expected - self.squared_error, expected)

    @property
    def mcc(self) -> _Floats:
        """Matthews' correlation of truth and prediction, of any number of classes (Gorodkin, 2004).

        With c right of s images, t_k of class k and p_k predicted as it, it is
        (c s - Σ t_k p_k) / sqrt((s² - Σ p_k²) (s² - Σ t_k²)). NaN where all images have one class,
        or all are predicted as one.
        """
        s = self.total
        spread = (s * s - (self.predicted**2).sum(-1)) * (s * s - (self.support**2).sum(-1))
        covariance = self.hits.sum(-1) * s - (self.support * self.predicted).sum(-1)
        return _or_nan(covariance, np.sqrt(spread))


def _ratio(top: _Floats, bottom: _Floats) -> _Floats:
    top, bottom = np.asarray(top, np.float64), np.asarray(bottom, np.float64)
    return np.divide(top, bottom, out=np.zeros(bottom.shape), where=bottom > 0)


def _or_nan(top: _Floats, bottom: _Floats) -> _Floats:
    top, bottom = np.asarray(top, np.float64), np.asarray(bottom, np.float64)
    return np.divide(top, bottom, out=np.full(bottom.shape, np.nan), where=bottom > 0)
