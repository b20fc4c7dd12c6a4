"""The whole network beside one that is divided among processes."""

from convscope.training.callbacks.base import Callback
from convscope.training.events import ExceptionEvent, FitEnd, FitStart
from convscope.training.executors.fsdp import ShardedNetwork
from convscope.training.state import TrainState


class Sharding(Callback):
    """Frees the whole network's weights for the time of the training."""

    def __init__(self, sharded: ShardedNetwork) -> None:
        self.sharded = sharded

    def on_fit_start(self, state: TrainState, event: FitStart) -> None:
        self.sharded.scatter()  # rank 0's weights, which all have by now
        self.sharded.release()

    def on_fit_end(self, state: TrainState, event: FitEnd) -> None:
        self.sharded.restore()

    def on_exception(self, state: TrainState, event: ExceptionEvent) -> None:
        self.sharded.restore()
