"""Fitting a network's whitening to the training images, before the first step."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.card import Card
from convscope.data.loading import LoadedDataset
from convscope.data.normalize import normalize
from convscope.inference import inference_mode
from convscope.layers import ZCAWhitening
from convscope.training.callbacks.base import CallbackList

_IMAGES = 50_000  # training images to which it is fitted, evenly drawn from more
_BATCH = 512


class _Reached(Exception):
    """Carries the input of the layer at which a forward pass stops."""

    def __init__(self, images: Tensor) -> None:
        self.images = images


def fit_whitening(
    network: nn.Module, loaded: LoadedDataset, card: Card, user: CallbackList
) -> None:
    """Fit every `ZCAWhitening` that is not fitted yet to the training images, as they are fed.

    The images are not augmented. The layers are fitted in their order, each to what the layers
    before it make of the images.
    """
    for name, layer in dict(network.named_modules()).items():
        if not isinstance(layer, ZCAWhitening) or layer.is_fitted:
            continue
        indices = loaded.dataset.indices("train")
        indices = indices[:: max(1, math.ceil(len(indices) / _IMAGES))]
        batches = [indices[start : start + _BATCH] for start in range(0, len(indices), _BATCH)]
        user.message(f"ZCA whitening ({name}) is computed from {len(indices):,} training images.")
        layer.fit(_inputs_of(layer, network, loaded, card, batches))


def _inputs_of(
    layer: nn.Module,
    network: nn.Module,
    loaded: LoadedDataset,
    card: Card,
    batches: Sequence[NDArray[np.int64]],
) -> Iterator[Tensor]:
    """What a layer gets for batches of images; what comes after it is not computed."""

    def stop(_layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        raise _Reached(inputs[0])

    hook = layer.register_forward_pre_hook(stop)
    try:
        for pixels in loaded.batch_source.batches(batches):
            try:
                with inference_mode(network):
                    network(normalize(pixels, card))
            except _Reached as reached:
                yield reached.images
    finally:
        hook.remove()
