"""When a training ends."""

from dataclasses import dataclass

from convscope.training.state import TrainState


@dataclass(frozen=True)
class Limits:
    """The length of a training, in steps or in seconds of training.

    Raises ValueError unless exactly one of them is given.
    """

    steps: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.seconds is None):
            raise ValueError("a training needs one limit, in steps or in seconds")

    def reached(self, state: TrainState) -> bool:
        """Whether no further step is to be made."""
        if self.seconds is not None:
            return state.seconds >= self.seconds
        return state.step >= (self.steps or 0)

    def progress(self, state: TrainState) -> float:
        """How far the training has come: 0 before the first step, 1 after the last.

        A skipped step is no progress; those that are left have the way that is left among them.
        """
        if self.seconds is not None:
            return min(1.0, state.seconds / self.seconds)
        return state.updates / max((self.steps or 0) - state.skipped_steps, 1)
