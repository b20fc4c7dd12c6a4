"""Load a network (a run, a model of the zoo, a module) with its card, and its image."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.card import Card
from convscope.data.decode import UnreadableImage, decode_image
from convscope.data.normalize import normalize
from convscope.data.resize import resize_image
from convscope.errors import RequestError
from convscope.runs.network import load_network
from convscope.weights import load_weights
from convscope.weights.adapt import first_conv_weight, num_outputs
from convscope.weights.load import with_channels
from convscope.weights.torchvision_releases import imagenet_card
from convscope.zoo import create_model, default_input
from convscope.zoo.check import network_output


def read_pixels(image: Path | bytes, card: Card) -> NDArray[np.uint8]:
    """Decode an image file, or its content, and resize it as the card says: (h, w, c).

    Raises RequestError for a file that is not an image.
    """
    try:
        return resize_image(decode_image(image), card)
    except UnreadableImage as error:
        named = image if isinstance(image, Path) else "The file"
        raise RequestError(f"{named} {str(error).rstrip('.')}. Give an image file.") from error


def preprocess(pixels: NDArray[np.uint8], card: Card) -> Tensor:
    """Normalize pixels (h, w, c) to the network's input, (1, c, h, w)."""
    return normalize(torch.tensor(pixels)[None], card, channels_last=False)


def open_network(
    model: str | Path | nn.Module, *, weights: str | None = None
) -> tuple[nn.Module, Card, str]:
    """A network with its card, and a warning for the reader, which may be empty.

    A run has its best weights, a model of the zoo random ones unless `weights` names others; both
    are in eval mode. A module is returned unchanged. A network without a card is assumed to take
    ImageNet's preprocessing. Raises RequestError.
    """
    if isinstance(model, nn.Module):
        return model, _assumed_card(model), ""
    if Path(model).is_dir():
        if weights:
            raise RequestError("A run has its own weights; leave out `weights`.")
        return (*load_network(model), "")
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        net = create_model(str(model)).eval()
    if weights:
        return net, load_weights(net, weights), ""
    is_ours = ":" not in str(model)
    size = default_input(str(model))[1]
    return net, _assumed_card(net, size=size, returns_logits=is_ours), _RANDOM


_RANDOM = (
    "Random weights: this network's predictions mean nothing yet. Its shapes and its arithmetic "
    "are real."
)


def _assumed_card(
    net: nn.Module, *, size: tuple[int, int] | None = None, returns_logits: bool = False
) -> Card:
    """A card for a network without one: ImageNet's preprocessing, and numbers as class names.

    Whether the network returns logits is tried, unless it is known.
    """
    state = net.state_dict()
    filters = first_conv_weight(state)
    channels = state[filters].shape[1] if filters else 3
    card = with_channels(imagenet_card(), 1 if channels == 1 else 3)
    classes = tuple(map(str, range(max(num_outputs(state), 2))))
    card = replace(card, classes=classes, input_size=size or card.input_size, resize_size=None)
    if returns_logits:
        return card
    output = network_output(net, in_channels=card.in_channels, input_size=card.input_size)
    return replace(card, output=output)
