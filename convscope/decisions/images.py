"""The images that something is chosen on, and others that it is measured on."""

from collections.abc import Callable
from dataclasses import dataclass

from convscope.data.dataset import Split
from convscope.evaluation.result import EvaluationResult
from convscope.evaluation.selection import MissingSplitError

Evaluate = Callable[..., EvaluationResult]
"""`evaluate` of a run, to which `split` is to be added."""


_SAME = (
    "There are no other images to measure this on: measured on the images that it was chosen on, "
    "it looks better than it is."
)


@dataclass(frozen=True)
class ChosenOn:
    """Two evaluations of one network.

    Attributes:
        fitted: on the images that something is chosen on.
        held_out: on other images; None where there are none.
    """

    fitted: EvaluationResult
    held_out: EvaluationResult | None

    @property
    def measured(self) -> EvaluationResult:
        """On other images where there are any, else on those that it was chosen on."""
        return self.held_out or self.fitted

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on these images."""
        return (*self.fitted.notes, _SAME) if self.held_out is None else self.held_out.notes


def choose_images(evaluate: Evaluate, split: Split | None) -> ChosenOn:
    """Evaluate on `split`, by default on the validation split, or on all of data that have none;
    and on the test split, unless that was the one.
    """
    fitted = _evaluated(evaluate, "val" if split is None else split)
    if fitted is None:
        return ChosenOn(evaluate(split=split), None)
    return ChosenOn(fitted, None if split == "test" else _evaluated(evaluate, "test"))


def _evaluated(evaluate: Evaluate, split: Split) -> EvaluationResult | None:
    try:
        return evaluate(split=split)
    except MissingSplitError:
        return None
