"""One pass over a data set that collects, for every filter, its strongest images and activity."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.errors import WorkError
from convscope.features.image_set import ImageSet
from convscope.features.layer_pass import LayerBatch, LayerPass
from convscope.features.patches.activity import Activity
from convscope.features.patches.checkpoint import Checkpoint
from convscope.features.patches.strongest import StrongestImages
from convscope.features.unit_layers import UnitLayer

_SECONDS = 20.0  # between two checkpoints


class Collection:
    """What is collected of every filter of the layers of a pass.

    Attributes:
        strongest, activity: by layer, in the order of the layers.
        done: the number of images that were taken.
    """

    def __init__(self, layers: Sequence[UnitLayer], num_classes: int, count: int) -> None:
        self.strongest = [StrongestImages(layer.shape[0], count) for layer in layers]
        self.activity = [Activity(layer.shape[0], num_classes) for layer in layers]
        self.done = 0

    def state(self) -> dict[str, Tensor]:
        """All tensors, by a name for each."""
        return {
            f"{prefix}.{name}": tensor
            for prefix, part in self._parts()
            for name, tensor in part.state().items()
        }

    def load(self, state: Mapping[str, Tensor], done: int) -> None:
        """Take what `state` gave when `done` images were taken."""
        for prefix, part in self._parts():
            part.load({name: state[f"{prefix}.{name}"] for name in part.state()})
        self.done = done

    def _parts(self) -> Iterator[tuple[str, StrongestImages | Activity]]:
        for number, part in enumerate(self.strongest):
            yield f"strongest.{number}", part
        for number, part in enumerate(self.activity):
            yield f"activity.{number}", part


def collect(
    layer_pass: LayerPass,
    images: ImageSet,
    count: int,
    *,
    checkpoint: Checkpoint,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Collection:
    """Run the network over the images once, from where `checkpoint` has left off.

    Each batch is the same, and taken in the same order, wherever an earlier pass was stopped, so
    that the result has the same bits. The state is saved from time to time, and when interrupted or
    stopped by `on_progress`.

    Raises WorkError where a layer returns values that are not finite, naming it and the images.
    """
    collection = Collection(layer_pass.layers, len(layer_pass.card.classes), count)
    state = checkpoint.read()
    if state is not None:
        collection.load(state[0], state[1])
    source, rest = images.loaded.batch_source, images.indices[collection.done :]
    saved, is_whole = time.monotonic(), True
    try:
        for batch in layer_pass.batches(source, rest):
            is_whole = False
            _take(collection, layer_pass.layers, images, batch)
            is_whole = True
            on_progress(collection.done, len(images.indices))
            if time.monotonic() - saved > _SECONDS:
                checkpoint.write(collection.state(), collection.done)
                saved = time.monotonic()
    except BaseException:  # an interrupt, or whatever `on_progress` raises to stop the pass
        if is_whole and collection.done:
            checkpoint.write(collection.state(), collection.done)
        raise
    return collection


def _take(
    collection: Collection, layers: Sequence[UnitLayer], images: ImageSet, batch: LayerBatch
) -> None:
    has_class = _one_hot(images, batch.indices)
    for number, layer in enumerate(layers):
        units, activity = batch.units[layer.name], collection.activity[number]
        peaks = activity.update(units, has_class)
        if not activity.is_finite:
            first, last = images.keys([int(n) for n in batch.indices[[0, -1]]])
            raise WorkError(
                f"{layer.name} returns values that are not finite for one of the images from "
                f"{first} to {last}: the network's weights are bad."
            )
        collection.strongest[number].update(units, peaks, batch.indices)
    collection.done += len(batch.indices)


def _one_hot(images: ImageSet, indices: NDArray[np.int64]) -> Tensor:
    """(n, classes) float64: 1 where an image is of a class."""
    dataset = images.loaded.dataset
    truth = torch.from_numpy(dataset.truth(indices))
    if truth.ndim == 2:
        return truth.double()
    return torch.nn.functional.one_hot(truth, len(dataset.classes)).double()
