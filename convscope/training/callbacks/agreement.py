"""What several processes that train together must decide as one: when to stop."""

from convscope.distributed.group import Group
from convscope.training.callbacks.base import Callback
from convscope.training.callbacks.interrupt import StopRequest
from convscope.training.events import (
    EpochEnd,
    EpochStart,
    EvaluationBatchEnd,
    StepEnd,
    ValidationEnd,
)
from convscope.training.state import TrainState


class Agreement(Callback):
    """Lets every process know what one of them was asked, between two steps.

    A signal to any of them stops all at the same safe point. The time that counts, and a stop that
    a callback asks for, are those of rank 0. It comes after the callbacks that ask for anything.
    """

    def __init__(self, group: Group, request: StopRequest) -> None:
        self.group, self.request = group, request
        request.is_shared = True

    def on_epoch_start(self, state: TrainState, event: EpochStart) -> None:
        self._agree(state)

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        self._agree(state)

    def on_evaluation_batch_end(self, state: TrainState, event: EvaluationBatchEnd) -> None:
        self._agree(state)

    def on_validation_end(self, state: TrainState, event: ValidationEnd) -> None:
        self._agree(state)

    def on_epoch_end(self, state: TrainState, event: EpochEnd) -> None:
        self._agree(state)

    def _agree(self, state: TrainState) -> None:
        group, request = self.group, self.request
        doing = f"after step {state.step}"
        mine = [0.0, float(request.signal or 0), 0.0]
        if group.is_first:
            mine = [state.seconds, mine[1], float(bool(state.stop_reason))]
        state.seconds, number, stops = group.largest(mine, doing)
        request.agreed = int(number) or None
        request.signal = request.signal or request.agreed
        if stops and (reason := group.decided(lambda: state.stop_reason, doing)):
            state.stop(reason)
