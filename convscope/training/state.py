"""Where a training is: the counters that a resume needs, and what callbacks ask for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, NotRequired, TypedDict

from convscope.runs.forms import MetricsLine, Seconds
from convscope.strict import Between, Count
from convscope.training.schedule import Plateau

TINY = 1e-300
"""A learning rate below this is none: others are divided by it."""


class _SavedPlateau(TypedDict):
    best: float | None
    num_bad_epochs: Count
    num_reductions: Count


class LrChange(TypedDict):
    """A learning rate that was set by hand after `step` steps: from `before` to `lr`.

    `scheduled` is what the schedule had for the step that followed.
    """

    step: Count
    before: float
    lr: float
    scheduled: Annotated[float, Between(TINY)]


class SavedState(TypedDict):
    """A `TrainState` in the metadata of a checkpoint."""

    step: Count
    skipped_steps: NotRequired[Count]
    epoch: Count
    batch: Count
    seconds: Seconds
    num_examples: Count
    num_correct: Count
    loss_sum: float
    epoch_seconds: Seconds
    best: Annotated[list[float], Between(2, 2)] | None
    epochs_without_improvement: Count
    done: bool
    engine: str
    plateau: _SavedPlateau
    history: list[MetricsLine]
    stop_reason: str
    lr_changes: NotRequired[list[LrChange]]


@dataclass
class TrainState:
    """Where a training is, in numbers.

    Attributes:
        step: steps done.
        skipped_steps: of these, the ones that changed nothing, for their gradients in fp16.
        epoch: epochs done.
        batch: steps done in the current epoch.
        seconds: time spent in steps and validations, before and after every interruption.
        num_examples: images of the current epoch so far.
        num_correct: of these, images whose top-1 prediction was right before their step.
        loss_sum: the sum of their losses, in nats.
        epoch_seconds: time spent in the current epoch's steps.
        best: the best value of the metric and its loss; None before the first.
        epochs_without_improvement: epochs since the best one.
        done: whether training has ended.
        engine: the executor that computes the steps; empty before the first.
        history: one line of metrics per epoch.
        stop_reason: why a callback asked to stop, if one did.
        lr_changes: when the learning rate was set by hand, ascending.
        saved_step: the step of the last checkpoint. Not saved.
        paused_seconds: time that counts as no training, since the process started. Not saved.
    """

    step: int = 0
    skipped_steps: int = 0
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    num_examples: int = 0
    num_correct: int = 0
    loss_sum: float = 0.0
    epoch_seconds: float = 0.0
    best: tuple[float, float] | None = None
    epochs_without_improvement: int = 0
    done: bool = False
    engine: str = ""
    plateau: Plateau = field(default_factory=Plateau)
    history: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    stop_reason: str = ""
    lr_changes: list[LrChange] = field(default_factory=list[LrChange])
    saved_step: int = field(default=0, metadata={"saved": False})
    paused_seconds: float = field(default=0.0, metadata={"saved": False})

    def stop(self, reason: str) -> None:
        """Ask for the end of training after the current step; the first reason is kept.

        What was trained so far is validated, and the training counts as complete: the best weights
        are tested, and there is nothing to resume.
        """
        self.stop_reason = self.stop_reason or reason

    @property
    def updates(self) -> int:
        """How often the weights were updated."""
        return self.step - self.skipped_steps

    @property
    def mean_loss(self) -> float:
        """Mean loss of the current epoch so far, in nats; 0 before its first step."""
        return self.loss_sum / max(self.num_examples, 1)

    @property
    def accuracy(self) -> float:
        """Top-1 accuracy of the current epoch so far, from 0 to 1; 0 before its first step."""
        return self.num_correct / max(self.num_examples, 1)

    def count_step(
        self, *, loss: float, num_correct: int, num_examples: int, seconds: float
    ) -> None:
        """Add one step to the counters."""
        self.step += 1
        self.batch += 1
        self.num_examples += num_examples
        self.num_correct += num_correct
        self.loss_sum += loss * num_examples
        self.seconds += seconds
        self.epoch_seconds += seconds

    def finish_epoch(self, line: dict[str, Any]) -> None:
        """Add the epoch's line to the history and begin the next epoch."""
        self.history.append(line)
        self.epoch += 1
        self.batch = self.num_examples = self.num_correct = 0
        self.loss_sum = self.epoch_seconds = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Everything that must be saved, as strict JSON has it: no infinity, no tuples."""
        saved = {name: getattr(self, name) for name in _SAVED}
        plateau = self.plateau
        return {
            **saved,
            "best": None if self.best is None else [*self.best],
            "plateau": {
                "best": plateau.best if math.isfinite(plateau.best) else None,
                "num_bad_epochs": plateau.num_bad_epochs,
                "num_reductions": plateau.num_reductions,
            },
            "history": [*self.history],
            "lr_changes": [*self.lr_changes],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        state_dict = {**_LATER, **state_dict}
        for name in _SAVED:
            setattr(self, name, state_dict[name])
        best, plateau = state_dict["best"], dict(state_dict["plateau"])
        self.best = None if best is None else (best[0], best[1])
        if plateau["best"] is None:
            plateau["best"] = math.inf
        self.plateau = Plateau(**plateau)
        self.history = [*state_dict["history"]]
        self.lr_changes = [*state_dict["lr_changes"]]


_LATER: Mapping[str, Any] = {"skipped_steps": 0, "lr_changes": []}
"""What earlier versions did not know."""

_SAVED = [item.name for item in fields(TrainState) if item.metadata.get("saved", True)]
