"""What is looked at: a run's network, one of the zoo, a module; and its image."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.card import Card
from convscope.data.decode import UnreadableImage, decode
from convscope.data.normalize import normalize
from convscope.data.resize import resize_image
from convscope.errors import RequestError
from convscope.runs.network import load_network
from convscope.weights import load_weights
from convscope.weights.adapt import first_filters, outputs
from convscope.weights.load import with_channels
from convscope.weights.torchvision_releases import imagenet_card
from convscope.zoo import create_model, default_input


def pixels_of(image: Path | bytes, card: Card) -> NDArray[np.uint8]:
    """The bytes (h, w, c) that a network is shown of an image file, or of what one holds.

    Raises RequestError for what is no image.
    """
    try:
        return resize_image(decode(image), card)
    except UnreadableImage as error:
        named = image if isinstance(image, Path) else "The image"
        raise RequestError(f"{named} {str(error).rstrip('.')}. Give an image file.") from error


def prepared(pixels: NDArray[np.uint8], card: Card) -> Tensor:
    """What the network reads: numbers around zero, (1, c, h, w)."""
    return normalize(torch.tensor(pixels)[None], card, channels_last=False)


def open_network(
    subject: str | Path | nn.Module, *, weights: str | None = None
) -> tuple[nn.Module, Card, str]:
    """A network in eval mode with its card, and what whoever looks at it should know.

    Of a run the best weights, of the zoo random ones unless `weights` names others; a module as it
    is. A network without a card is taken to read ImageNet's pictures. Raises RequestError.
    """
    if isinstance(subject, nn.Module):
        return subject, _assumed(subject), ""
    if Path(subject).is_dir():
        if weights:
            raise RequestError("A run has its own weights; leave --weights out.")
        return (*load_network(subject), "")
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        net = create_model(str(subject)).eval()
    if weights:
        return net, load_weights(net, weights), ""
    return net, _assumed(net, size=default_input(str(subject))[1]), _RANDOM


_RANDOM = (
    "Random weights: what this network says means nothing yet. Its shapes and its arithmetic are "
    "real."
)


def _assumed(net: nn.Module, *, size: tuple[int, int] | None = None) -> Card:
    """A card for a network that has none: its image prepared as ImageNet's, its classes numbers."""
    state = net.state_dict()
    filters = first_filters(state)
    channels = state[filters].shape[1] if filters else 3
    card = with_channels(imagenet_card(), 1 if channels == 1 else 3)
    classes = tuple(map(str, range(max(outputs(state), 2))))
    return replace(card, classes=classes, input_size=size or card.input_size, resize_size=None)
