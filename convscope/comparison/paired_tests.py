"""Whether two networks differ on the same images, by more than noise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.evaluation.figures import Figure, numbered, percentile
from convscope.evaluation.multi_label import MultiLabelMetrics
from convscope.evaluation.paired import PairedAccuracy
from convscope.evaluation.result import EvaluationResult
from convscope.evaluation.stratified_test import holm, student_tail

LEVEL = 0.05
_DRAWS = 2000


@dataclass(frozen=True)
class PairedTest:
    """Two networks on the same images; differences are those of the second less the first.

    Attributes:
        first, second: their places among the networks that are compared.
        accuracy: both counted.
        chance: the p-value of no difference in accuracy: McNemar's exact test, or with groups a
            t-test of the sums of groups.
        f1: the difference of the mean F1, with the middle 95% of 2,000 paired bootstrap draws.
        differs: whether the accuracies differ, with all pairs together wrong once in twenty.
    """

    first: int
    second: int
    accuracy: PairedAccuracy
    chance: float
    f1: Figure
    differs: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Values of JSON."""
        return {
            "first": self.first,
            "second": self.second,
            "accuracy": self.accuracy.to_dict(),
            "p_value": self.chance,
            "f1": self.f1.to_dict(),
            "differs": self.differs,
        }


def paired_tests(results: Sequence[EvaluationResult]) -> list[PairedTest]:
    """A test for each pair of results on the same images with the same labels."""
    found = [
        _test(i, j, first, second)
        for i, first in enumerate(results)
        for j, second in enumerate(results)
        if i < j and are_paired(first, second)
    ]
    if not found:
        return []
    kept = holm(np.array([test.chance for test in found]), LEVEL)
    return [
        PairedTest(t.first, t.second, t.accuracy, t.chance, t.f1, bool(differs))
        for t, differs in zip(found, kept, strict=True)
    ]


def ranks(count: int, tests: Sequence[PairedTest]) -> list[int]:
    """The rank of each network: 1 and one more for each other that is better by more than noise."""
    found = [1] * count
    for test in tests:
        if test.differs:
            found[test.first if test.accuracy.change > 0 else test.second] += 1
    return found


def are_paired(first: EvaluationResult, second: EvaluationResult) -> bool:
    """Whether two results are of the same images with the same classes and labels."""
    return (
        first.paths == second.paths
        and first.metrics.classes == second.metrics.classes
        and np.array_equal(first.labels, second.labels)
    )


def mcnemar(lost: int, gained: int) -> float:
    """McNemar's exact test (1947): how likely it is that changed answers divide as unevenly, were
    each as likely lost as gained.

    >>> round(mcnemar(2, 10), 4), mcnemar(3, 3)
    (0.0386, 1.0)
    """
    total, fewer = lost + gained, min(lost, gained)
    log_half = total * math.log(0.5)
    tail = math.fsum(
        math.exp(
            math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1) + log_half
        )
        for k in range(fewer + 1)
    )
    return min(1.0, 2 * tail)


def _test(i: int, j: int, first: EvaluationResult, second: EvaluationResult) -> PairedTest:
    before, after = first.outputs.is_correct, second.outputs.is_correct
    accuracy = PairedAccuracy.of(before, after)
    groups = numbered(first.groups)
    if groups is None:
        chance = mcnemar(accuracy.lost, accuracy.gained)
    else:
        chance = _by_groups(after.astype(np.float64) - before, groups)
    return PairedTest(i, j, accuracy, chance, _f1_difference(first, second, groups))


def _by_groups(changes: NDArray[np.float64], groups: NDArray[np.int64]) -> float:
    """The p-value of a mean change of 0, of images that come in groups."""
    sums = np.bincount(groups, weights=changes - changes.mean())
    count = len(sums)
    error = math.sqrt(count / (count - 1) * float((sums**2).sum())) if count > 1 else 0.0
    if error == 0:
        return 1.0
    return 2 * student_tail(abs(float(changes.sum())) / error, count - 1)


def _f1_difference(
    first: EvaluationResult, second: EvaluationResult, groups: NDArray[np.int64] | None
) -> Figure:
    if isinstance(first.metrics, MultiLabelMetrics):
        return Figure(second.metrics.value("f1") - first.metrics.value("f1"), None, "")
    truth, classes = first.labels.astype(np.int64), len(first.metrics.classes)
    cells = [truth * classes + result.outputs.predicted for result in (first, second)]
    rng, n = np.random.default_rng(0), len(truth)
    count = n if groups is None else int(groups.max()) + 1
    draws = np.empty(_DRAWS)
    for draw in range(_DRAWS):
        weights = np.bincount(rng.integers(0, count, count), minlength=count)
        weights = weights if groups is None else weights[groups]
        before, after = (_mean_f1(np.bincount(c, weights, classes**2), classes) for c in cells)
        draws[draw] = after - before
    value = second.metrics.value("f1") - first.metrics.value("f1")
    return percentile(value, draws)


def _mean_f1(cells: NDArray[Any], classes: int) -> float:
    counts = cells.reshape(classes, classes)
    both = counts.sum(0) + counts.sum(1)
    seen = both > 0
    return float((2 * np.diag(counts)[seen] / both[seen]).mean())
