"""The exponential moving average of the weights, which is validated, kept and tested."""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import torch
from torch import nn

from convscope.errors import WorkError
from convscope.runs.tensor_file import TensorFile
from convscope.runs.weight_values import infinite_buffers
from convscope.training.callbacks.base import Callback
from convscope.training.events import StepEnd
from convscope.training.state import TrainState

_PREFIX = "average/"


class WeightAveraging(Callback):
    """Averages the weights after each step: a ← d · a + (1 - d) · w, from the first weights on.

    After step t, from 1, d is min(decay, (1 + t) / (10 + t)), so that the average of a short
    training is of its last steps too: TensorFlow's ExponentialMovingAverage with `num_updates`.

    Buffers of floating point, such as batch norm's statistics, are averaged like weights, as by
    timm's ModelEmaV3 and torch's AveragedModel with `use_buffers`: the last steps' own statistics
    would be those of other weights. Integers, and buffers with infinite values, are the network's.

    Attributes:
        averages: the average of each tensor by its name; those that share memory once.
        is_applied: whether the network holds the averages now, and `averages` its weights.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        saved, infinite = network.state_dict().keys(), infinite_buffers(network)
        self._tensors = {
            name: tensor.detach()
            for name, tensor in (*network.named_parameters(), *network.named_buffers())
            if name in saved and tensor.is_floating_point() and name not in infinite
        }
        self.averages = {name: tensor.clone() for name, tensor in self._tensors.items()}
        self.is_applied = False

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        decay = min(self.decay, (1 + event.step) / (10 + event.step))
        averages, tensors = [*self.averages.values()], [*self._tensors.values()]
        lerp = torch._foreach_lerp_  # pyright: ignore[reportPrivateImportUsage, reportPrivateUsage]
        lerp(averages, tensors, 1 - decay)

    @contextmanager
    def exchanged(self) -> Generator[None]:
        """The averages in the network's tensors and what was there in their place, or back."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        for name, tensor in self._tensors.items():
            kept = tensor.clone()
            tensor.copy_(self.averages[name])
            self.averages[name].copy_(kept)
        self.is_applied = not self.is_applied

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The averages under their names in a checkpoint."""
        return {f"{_PREFIX}{name}": average for name, average in self.averages.items()}

    def load(self, stored: TensorFile, *, where: Path) -> None:
        """Take the averages from a checkpoint. Raises WorkError where one is missing."""
        for key, average in self.state_dict().items():
            saved = stored.tensors.get(key)
            if saved is None or (saved.shape, saved.dtype) != (average.shape, average.dtype):
                raise WorkError(
                    f"{where} has no average of {key.removeprefix(_PREFIX)} as the setting `ema` "
                    "needs it. Restore the run's config.toml, or take an earlier checkpoint."
                )
            average.copy_(saved)


def kept_weights(averaging: WeightAveraging | None) -> AbstractContextManager[None]:
    """The context in which the network has the weights that are validated and kept."""
    return averaging.exchanged() if averaging and not averaging.is_applied else nullcontext()


def trained_weights(averaging: WeightAveraging | None) -> AbstractContextManager[None]:
    """The context in which it has the weights that the next step starts from.

    Also between two batches of a validation, when a checkpoint may be asked for.
    """
    return averaging.exchanged() if averaging and averaging.is_applied else nullcontext()
