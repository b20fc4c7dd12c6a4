"""The learning rate of a training, which can be changed by hand while it runs."""

from collections.abc import Iterable
from dataclasses import dataclass

from convscope.training.limits import Limits
from convscope.training.schedule import Schedule
from convscope.training.state import TINY, LrChange, TrainState


@dataclass(frozen=True)
class LearningRate:
    """The learning rate of the next step: the schedule's, or what it was set to by hand.

    From a change on, the schedule goes on in proportion: a cosine that is halved stays half of what
    it would have been.
    """

    schedule: Schedule
    limits: Limits

    def __call__(self, state: TrainState) -> float:
        scheduled = self._scheduled(state)
        if not state.lr_changes:
            return scheduled
        last = state.lr_changes[-1]
        return scheduled / last["scheduled"] * last["lr"]

    def change(self, state: TrainState, lr: float) -> float | None:
        """Set the rate of the next step; returns the one before.

        None, and nothing is changed, where the schedule has 0 there.
        """
        before, scheduled = self(state), self._scheduled(state)
        if scheduled < TINY:
            return None
        change = LrChange(step=state.step, before=before, lr=lr, scheduled=scheduled)
        state.lr_changes = [*state.lr_changes, change]
        return before

    def _scheduled(self, state: TrainState) -> float:
        reductions = state.plateau.num_reductions
        return self.schedule.lr(self.limits.progress(state), num_reductions=reductions)


def changes_in_words(changes: Iterable[LrChange]) -> str:
    """When a learning rate was set by hand, for people.

    >>> changes_in_words([LrChange(step=812, before=0.05, lr=0.01, scheduled=0.05)])
    '0.05 to 0.01 after step 812'
    """
    return "; ".join(
        f"{one['before']:.4g} to {one['lr']:.4g} after step {one['step']:,}" for one in changes
    )
