"""An average of a network's weights beside them, and which of the two the network holds."""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import torch
from torch import Tensor, nn

from convscope.distributed.local import local, write_whole
from convscope.errors import WorkError
from convscope.runs.tensor_file import TensorFile
from convscope.runs.weight_values import infinite_buffers

_PREFIX = "average/"


class WeightAverage:
    """The average of the weights, which begins as they are.

    Buffers of floating point, such as batch norm's statistics, are averaged like weights; integers,
    and buffers with infinite values, are the network's own.

    Attributes:
        averages: the average of each tensor by its name; those that share memory once.
        is_applied: whether the network holds the averages now, and `averages` its weights.
        counts: of whoever averages, saved with it: how many averages there were, and when the last.
    """

    def __init__(self, network: nn.Module) -> None:
        saved, infinite = network.state_dict().keys(), infinite_buffers(network)
        self._tensors = {
            name: tensor.detach()
            for name, tensor in (*network.named_parameters(), *network.named_buffers())
            if name in saved and tensor.is_floating_point() and name not in infinite
        }
        self.averages = {name: tensor.clone() for name, tensor in self._tensors.items()}
        self.counts = torch.zeros(2, dtype=torch.int64)
        self.is_applied = False

    def update(self, share: float) -> None:
        """Move every average by `share` of the way to the weights."""
        averages = [local(average) for average in self.averages.values()]
        tensors = [local(tensor) for tensor in self._tensors.values()]
        lerp = torch._foreach_lerp_  # pyright: ignore[reportPrivateImportUsage, reportPrivateUsage]
        lerp(averages, tensors, share)

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
            own, average = local(tensor), local(self.averages[name])
            kept = own.clone()
            own.copy_(average)
            average.copy_(kept)
        self.is_applied = not self.is_applied

    def state_dict(self) -> dict[str, Tensor]:
        """The averages under their names in a checkpoint, and the counts."""
        averages = {f"{_PREFIX}{name}": average for name, average in self.averages.items()}
        return {**averages, "average_counts": self.counts}

    def load(self, stored: TensorFile, *, where: Path) -> None:
        """Take the averages from a checkpoint. Raises WorkError where one is missing."""
        for key, average in self.state_dict().items():
            saved = stored.tensors.get(key)
            if saved is None or (saved.shape, saved.dtype) != (average.shape, average.dtype):
                raise WorkError(
                    f"{where} has no average of {key.removeprefix(_PREFIX)} as `ema` and "
                    "`swa_start` need it. Restore the run's config.toml, or take an earlier "
                    "checkpoint."
                )
            write_whole(average, saved)


def kept_weights(average: WeightAverage | None) -> AbstractContextManager[None]:
    """The context in which the network has the weights that are validated and kept."""
    return average.exchanged() if average and not average.is_applied else nullcontext()


def trained_weights(average: WeightAverage | None) -> AbstractContextManager[None]:
    """The context in which it has the weights that the next step starts from.

    Also between two batches of a validation, when a checkpoint may be asked for.
    """
    return average.exchanged() if average and average.is_applied else nullcontext()
