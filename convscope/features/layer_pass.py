"""One pass over images with the units of chosen layers, a batch at a time."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.card import Card, refuse_objects
from convscope.data.batch_sources import BatchSource
from convscope.data.normalize import normalize
from convscope.errors import NetworkError
from convscope.evaluation.batch_size import choose_feeding
from convscope.features.captures import Captures, ChangedLater
from convscope.features.unit_layers import UnitLayer, find_layers, record_blank
from convscope.forward import like_parameters, logits_of, network_error
from convscope.inference import inference_mode
from convscope.recording import ForwardPass

_BYTES = 256 << 20  # of the units that are kept of a batch


@dataclass(frozen=True)
class LayerBatch:
    """Some images, and the units of the chosen layers for them.

    Attributes:
        indices: (n,) of the images in the data set.
        units: by the layer's name, (n, c, h, w) or (n, c), in the type of the network, on its
            device.
        logits: (n, classes), what the network returned.
        pixels: bytes (n, h, w, c), the images as they were resized.
    """

    indices: NDArray[np.int64]
    units: Mapping[str, Tensor]
    logits: Tensor
    pixels: Tensor


class LayerPass:
    """Runs a network over images and hands out the units of chosen layers, batch by batch.

        >>> from convscope.card import Card
        >>> from convscope.data.batch_sources import MemoryBatchSource
        >>> card = Card(classes=("a", "b"), input_size=(8, 8), in_channels=1,
        ...             resize_mode="stretch", mean=(0.0,), std=(1.0,))
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
        >>> layer_pass = LayerPass(net, card, ["0"])
        >>> images = MemoryBatchSource(torch.zeros(5, 8, 8, 1, dtype=torch.uint8))
        >>> [batch.units["0"].shape for batch in layer_pass.batches(images, np.arange(5))]
        [torch.Size([5, 4, 6, 6])]

    Attributes:
        layers: the chosen layers, in order of execution, or as they were named.
        recorded: the pass on a blank image, for receptive fields and the graph; without values.
        batch_size: how many images are computed at a time.
    """

    def __init__(
        self,
        net: nn.Module,
        card: Card,
        layers: Sequence[str] | None = None,
        *,
        before_activation: bool = False,
        batch_size: int | None = None,
        device: torch.device | None = None,
    ) -> None:
        """Find the layers.

        Args:
            net: any network; it runs in eval mode, and every module's mode is restored.
            card: of its images.
            layers: names of operations as in a recording, or of modules; None for every
                convolution and dense layer. See `find_layers`, also for `before_activation`: by
                default the units are those after the activation function, in a residual network
                after the addition.
            batch_size: by default what `choose_feeding` says, or fewer, so that the units of a
                batch take at most 256 MiB.
            device: to which the network is moved; by default it stays where it is.

        Raises RequestError for unknown layers and for a network that finds objects, NetworkError
        where the network fails.
        """
        refuse_objects(card)
        self.net, self.card = net if device is None else net.to(device), card
        self.recorded: ForwardPass = record_blank(self.net, card)
        operations = self.recorded.operations
        self.layers = find_layers(operations, layers, before_activation=before_activation)
        self._device = device or next((p.device for p in net.parameters()), torch.device("cpu"))
        self._channels_last, size = choose_feeding(net, card, self._device)
        kept = 4 * sum(math.prod(layer.shape) for layer in self.layers)
        fitting = max(_BYTES // max(kept, 1), 1)
        self.batch_size = batch_size or min(size, 1 << (fitting.bit_length() - 1))
        numbers = {layer.number for layer in self.layers}
        self._captures = Captures(self.net, operations, numbers)

    def batches(
        self,
        source: BatchSource,
        indices: NDArray[np.int64],
        *,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Iterator[LayerBatch]:
        """The units of the chosen layers for the images at `indices`, in this order.

        Each batch is computed when it is asked for, and nothing of the one before is kept, so that
        the caller may stop at any batch. `on_progress` gets the number of images done and of all,
        after each batch was used. For any labels: `dataset.truth(batch.indices)`.

        Raises NetworkError where the network fails, or takes another path than on the blank image.
        """
        starts = range(0, len(indices), self.batch_size)
        chosen = [indices[start : start + self.batch_size] for start in starts]
        done = 0
        for some, pixels in zip(chosen, source.batches(chosen), strict=True):
            yield self.run(some, pixels)
            done += len(some)
            on_progress(done, len(indices))

    def run(self, indices: NDArray[np.int64], pixels: Tensor) -> LayerBatch:
        """The units for one batch of images: bytes (n, h, w, c)."""
        images = normalize(pixels.to(self._device), self.card, channels_last=self._channels_last)
        with ExitStack() as stack:
            stack.enter_context(inference_mode(self.net))
            stack.enter_context(torch.inference_mode(mode=False))
            stack.enter_context(torch.no_grad())
            fed = like_parameters(self.net, images)
            output, results = self._forward(fed)
        units: dict[str, Tensor] = {}
        for layer in self.layers:
            units[layer.name] = self._units(layer, results[layer.number], len(images))
        name = type(self.net).__name__
        logits = logits_of(output, len(images), len(self.card.classes), name=name)
        return LayerBatch(indices, units, logits, pixels)

    def _forward(self, images: Tensor) -> tuple[Any, Mapping[int, Tensor]]:
        """What the network returns, and the results that are wanted, by their number."""
        try:
            try:
                return self._captures.run(images.clone())
            except ChangedLater:  # now known, and copied before the change
                return self._captures.run(images.clone())
        except NetworkError:
            raise
        except Exception as error:
            shape = "x".join(map(str, images.shape[1:]))
            doing = f"for {len(images)} images of {shape}"
            name = type(self.net).__name__
            raise network_error(error, self.net, name=name, doing=doing) from error

    def _units(self, layer: UnitLayer, result: Tensor, num_images: int) -> Tensor:
        units = layer.units(result)
        if units.shape != (num_images, *layer.shape):
            raise NetworkError(
                f"{layer.source} returns {tuple(result.shape)} for {num_images} images, and "
                f"{(1, *layer.shape)} for one: its units do not belong to one image each."
            )
        return units
