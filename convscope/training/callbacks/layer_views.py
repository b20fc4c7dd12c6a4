"""What each layer holds for one image, while somebody looks: `live/layers.safetensors`."""

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from convscope.card import Card
from convscope.data.loading import LoadedDataset
from convscope.errors import WorkError
from convscope.runs.live_files import Live
from convscope.runs.tensor_file import TensorFile
from convscope.training.callbacks.base import Callback
from convscope.training.callbacks.layer_stats import preserved_state
from convscope.training.callbacks.throttle import Throttle
from convscope.training.events import FitStart, StepEnd
from convscope.training.executors.base import Inputs
from convscope.training.layer_view import view_layers
from convscope.training.state import TrainState

EXAMPLES = 10  # to choose from
_EXAMPLE_BYTES = 2_000_000  # of all of them, but for one

_POLL = 0.2  # seconds between two checks for somebody who watches
_SECONDS = 0.2  # between two views


class LayerViewWriter(Callback):
    """Writes what each layer holds for the image that the page has chosen.

    While the page shows it, at most five times a second and in 2% of the time; else it costs a look
    at one file every fifth of a second.

    Args:
        notify: tells people, once, where a network cannot be looked into.
    """

    def __init__(
        self,
        live: Live,
        network: nn.Module,
        inputs: Inputs,
        loaded: LoadedDataset,
        notify: Callable[[str], None],
    ) -> None:
        self.live, self.network, self.inputs, self.loaded = live, network, inputs, loaded
        self.notify = notify
        self._is_possible = False
        self._example: TensorFile | None = None
        self._changed = 0
        self._poll, self._throttle = Throttle(_POLL), Throttle(_SECONDS)

    def on_fit_start(self, state: TrainState, event: FitStart) -> None:
        examples = examples_of(self.loaded)
        if examples is not None:
            self.live.write_snapshot("examples", examples)
            self._example, self._is_possible = example_at(examples, 0), True

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        if not self._is_possible or not self._poll.is_due():
            return
        began = time.monotonic()
        is_due = self._throttle.is_due() and self.live.is_watched("watched_layers")
        self._poll.done(began)
        if is_due:
            self._write(event)
            self._throttle.done(began)

    def _write(self, event: StepEnd) -> None:
        changed = self.live.changed("example.safetensors")
        if changed != self._changed:
            self._changed = changed
            self._example = self.live.read_snapshot("example") or self._example
        if self._example is None:
            return
        try:
            view = example_view(
                self.network,
                self._example,
                self.inputs.normalized,
                self.inputs.card,
                step=event.step,
                epoch=event.epoch,
            )
        except Exception as error:  # noqa: BLE001 -- a view must not end a training
            self._is_possible = False
            self.notify(f"No view of the layers of this network: {error}")
            return
        self.live.write_snapshot("layers", view)


def example_view(
    network: nn.Module,
    example: TensorFile,
    normalized: Callable[[Tensor], Tensor],
    card: Card,
    *,
    step: int,
    epoch: int,
) -> TensorFile:
    """The layers of a network for an example; buffers and random state are as before.

    `normalized` makes the network's input of bytes (1, h, w, c).
    """
    pixels = example.tensors["pixels"]
    images = normalized(pixels)
    with preserved_state(network, images.device):
        view = view_layers(network, images, card, target=example.metadata["label"])
    told = {"step": step, "epoch": epoch, "example": example.metadata, **view.metadata}
    return TensorFile({"pixels": pixels, **view.tensors}, told)


def examples_of(loaded: LoadedDataset) -> TensorFile | None:
    """Images that are not trained on, the first of each class; None without any.

    They are of the validation split, or of the test split where that is empty: bytes (n, h, w, c),
    with `split` and of each its `name`, its class as `truth` and, of one class, `label`.
    """
    dataset = loaded.dataset
    split = "val" if len(dataset.indices("val")) else "test"
    indices = dataset.indices(split)
    if not len(indices):
        return None
    is_plain = np.ndim(dataset.labels) == 1
    if is_plain:
        indices = indices[np.unique(dataset.labels[indices], return_index=True)[1]]
    try:
        [first] = loaded.batch_source.batches([indices[:1]])
        count = max(1, min(EXAMPLES, _EXAMPLE_BYTES // max(1, first.numel())))
        pixels = first
        if len(others := indices[1:count]):
            [rest] = loaded.batch_source.batches([others])
            pixels = torch.cat([first, rest])
    except WorkError:  # a file is gone; the next epoch will say so
        return None
    images = [
        {
            "name": dataset.images.key(int(index)),
            "label": int(dataset.labels[index]) if is_plain else None,
            "truth": dataset.label_text(int(index)),
        }
        for index in indices[: len(pixels)]
    ]
    return TensorFile({"pixels": pixels}, {"split": split, "images": images})


def example_at(examples: TensorFile, number: int) -> TensorFile:
    """One of the examples, by itself."""
    pixels = examples.tensors["pixels"][number : number + 1]
    return TensorFile({"pixels": pixels}, examples.metadata["images"][number])
