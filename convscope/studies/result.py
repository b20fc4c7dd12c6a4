"""What a study returns: the cost and the accuracy of each network, and what can be said of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from convscope.studies.equivariance import ShiftCurves, mean_curve
from convscope.studies.variants import COUNTED, QUESTIONS, StudyName

_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""The 97.5% quantile of Student's t for 1 to 9 degrees of freedom."""

MOST_SEEDS = len(_T) + 1
_WIDE = 5  # points that an interval leaves open, from which on nothing is said to be enough
_FALLING = 0.02  # of an error in one epoch, which is far from the end of a training


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95% interval of a mean by Student's t, over 2 to 10 values.

    >>> low, high = mean_interval([0.9, 0.92, 0.94])
    >>> print(f"{low:.3f} {high:.3f}")
    0.870 0.970
    """
    half = _T[len(values) - 2] * stdev(values) / math.sqrt(len(values))
    return fmean(values) - half, fmean(values) + half


@dataclass(frozen=True)
class VariantResult:
    """One network of a study.

    Attributes:
        name: in the study.
        parameters: weights and biases; `multiply_adds` of one image; `connections` of all units
            to what they read and to their biases.
        accuracies: on the test images, one for each seed.
        seconds: of its trainings, from the first to the last epoch, on average.
        errors: by epoch, the validation error, the mean over the seeds.
        runs: the run folders.
        shifts: what shifted images do to it, by seed.
        num_failed: trainings that did not learn: no better on the test images than always the most
            frequent class.
    """

    name: str
    parameters: int
    multiply_adds: int
    connections: int
    accuracies: tuple[float, ...]
    seconds: float
    errors: tuple[float, ...]
    runs: tuple[Path, ...]
    shifts: tuple[ShiftCurves, ...]
    num_failed: int = 0

    @property
    def answers(self) -> tuple[float, ...]:
        """By the shift in pixels, the share of answers that stay, the mean over the seeds."""
        return mean_curve(each.answers for each in self.shifts)

    @property
    def maps(self) -> tuple[float, ...]:
        """By the shift in pixels, how far the maps move along, the mean over the seeds."""
        return mean_curve(each.maps for each in self.shifts)

    @property
    def last_change(self) -> float:
        """What the validation error changed by in the last epoch; 0 after a single one."""
        return self.errors[-1] - self.errors[-2] if len(self.errors) > 1 else 0.0

    def epochs_to(self, error: float) -> int | None:
        """The first epoch, from 1, whose validation error is at most this; None if none is."""
        return next((n for n, value in enumerate(self.errors, 1) if value <= error), None)


@dataclass(frozen=True)
class StudyResult:
    """A study on some data.

    Attributes:
        study: its name; `data` what it was trained on; `num_test` how many images were tested.
        variants: the networks, in the order of the study.
        path: the folder of the runs.
    """

    study: StudyName
    data: str
    num_test: int
    variants: tuple[VariantResult, ...]
    path: Path

    @property
    def error_of_all(self) -> float:
        """The validation error that every network reached: the largest of their smallest."""
        return max(min(variant.errors) for variant in self.variants)

    @property
    def base(self) -> VariantResult:
        """The network that the others are compared with: the largest where sizes are studied."""
        return self.variants[-1 if self.study in COUNTED else 0]

    def difference(self, variant: VariantResult) -> tuple[float, float]:
        """The 95% interval of its accuracy less that of `base`, by paired seeds."""
        pairs = zip(variant.accuracies, self.base.accuracies, strict=True)
        return mean_interval([one - other for one, other in pairs])

    def verdict(self, variant: VariantResult) -> str:
        """How a network differs from `base`, by the paired differences over the seeds."""
        if variant is self.base:
            return "the reference"
        low, high = self.difference(variant)
        said = f"{100 * low:+.2f} to {100 * high:+.2f} points"
        if low > 0 or high < 0:
            return f"{'better' if low > 0 else 'worse'}: {said}"
        return f"not told apart: {said}"

    @property
    def answer(self) -> str:
        """What the study says, in a sentence or two; no more than the seeds can tell."""
        failed = "".join(
            f" {each.num_failed} of {len(each.accuracies)} trainings of {each.name} did not learn."
            for each in self.variants
            if each.num_failed
        )
        falling = max(-each.last_change for each in self.variants)
        if falling >= _FALLING:
            failed += (
                f" An error still fell by {100 * falling:.0f} points in the last epoch: a longer "
                "training may have another answer."
            )
        return (self._enough() if self.study in COUNTED else self._order()) + failed

    def _enough(self) -> str:
        """The smallest network from which on none is told apart from the largest."""
        most, found, reason = self.base.name, self.base, ""
        for variant in reversed(self.variants[:-1]):
            if variant.num_failed or self.difference(variant)[1] < 0:
                how = "did not always learn" if variant.num_failed else "is worse"
                reason = f"{variant.name} {how}"
                break
            found = variant
        if found is self.base:
            return f"{most}, the most, may not be enough: {reason}."
        room = 100 * max(-self.difference(found)[0], 0)
        left = f"the interval leaves room for {room:.1f} points less"
        same = f"not told apart from {most}"
        return (
            f"{found.name} is enough, as far as this can tell: it is {same}, though {left}."
            if room < _WIDE
            else f"{found.name} is {same}, but {left}: more seeds would tell."
        ) + (f" {reason[:1].upper()}{reason[1:]}." if reason else "")

    def _order(self) -> str:
        """Which networks are better or worse than the first, and which are not told apart."""
        found: dict[str, list[str]] = {}
        for variant in self.variants:
            if variant is not self.base:
                word = self.verdict(variant).partition(":")[0]
                found.setdefault(word, []).append(variant.name)
        parts = [f"{word} {', '.join(names)}" for word, names in sorted(found.items())]
        return f"Beside {self.base.name}: {'; '.join(parts)}."

    @property
    def shown_shift(self) -> int:
        """The shift in pixels that the table has."""
        return min(3, len(self.variants[0].answers) - 1)

    @property
    def about_shifts(self) -> str:
        """How the columns and curves of shifted images were measured."""
        return (
            f"Shifts: {self.variants[0].shifts[0].images:,} test images moved up, down, left and "
            "right; the share of answers that stay, and the correlation of the last maps with the "
            "maps of the image itself, moved as far (1: they move along with it)."
        )

    @property
    def lines(self) -> list[str]:
        """The question, the answer, how it was measured, and what the intervals mean."""
        seeds, epochs = len(self.variants[0].accuracies), len(self.variants[0].errors)
        how = (
            f"{len(self.variants)} networks, {seeds} seeds each, {epochs} "
            f"epoch{'s' if epochs > 1 else ''}, on {self.data}; {self.num_test:,} test images."
        )
        what = (
            "Intervals are of the mean over the seeds (95%, Student's t; differences are paired by "
            "seed); they say nothing of other test images or longer trainings."
        )
        return [QUESTIONS[self.study], self.answer, how, what, self.about_shifts]

    def to_dict(self) -> dict[str, Any]:
        """All figures as values of JSON."""
        return {
            "study": self.study,
            "data": self.data,
            "num_test": self.num_test,
            "path": str(self.path),
            "answer": self.answer,
            "beside": self.base.name,
            "variants": [
                {
                    "name": each.name,
                    "parameters": each.parameters,
                    "multiply_adds": each.multiply_adds,
                    "connections": each.connections,
                    "accuracies": list(each.accuracies),
                    "interval": list(mean_interval(each.accuracies)),
                    "not_learned": each.num_failed,
                    "seconds": each.seconds,
                    "epochs_to_error_of_all": each.epochs_to(self.error_of_all),
                    "verdict": self.verdict(each),
                    "runs": [str(run) for run in each.runs],
                    "shifts": [vars(curves) for curves in each.shifts],
                }
                for each in self.variants
            ],
            "error_of_all": self.error_of_all,
        }

    def rows(self) -> list[tuple[str, ...]]:
        """The table: a header, and a row for each network."""
        header = (
            "network", "parameters", "connections", "multiply-adds", "accuracy", "95% interval",
            f"beside {self.base.name}", f"epochs to {self.error_of_all:.1%} error", "seconds",
            f"same answer, {self.shown_shift} px", f"maps moved, {self.shown_shift} px",
        )  # fmt: skip
        return [header, *(self._row(variant) for variant in self.variants)]

    def _row(self, variant: VariantResult) -> tuple[str, ...]:
        low, high = mean_interval(variant.accuracies)
        return (
            variant.name,
            f"{variant.parameters:,}",
            f"{variant.connections:,}",
            f"{variant.multiply_adds:,}",
            f"{fmean(variant.accuracies):.2%}",
            f"{max(low, 0):.2%} to {min(high, 1):.2%}",
            self.verdict(variant),
            str(variant.epochs_to(self.error_of_all) or "none"),
            f"{variant.seconds:.1f}",
            f"{variant.answers[self.shown_shift]:.1%}",
            f"{variant.maps[self.shown_shift]:.3f}",
        )
