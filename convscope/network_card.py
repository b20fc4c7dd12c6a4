"""The card of a network that is no run: carried by it, stated by its library, or assumed."""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from convscope.card import Card
from convscope.forward import like_parameters, main_output
from convscope.inference import inference_mode
from convscope.weights.adapt import first_conv_weight
from convscope.weights.head import num_outputs
from convscope.weights.preprocessing import with_channels
from convscope.weights.torchvision_releases import imagenet_card
from convscope.zoo import Creation, default_input
from convscope.zoo.check import USUAL_SIZES, network_output
from convscope.zoo.libraries import (
    Preprocessing,
    library_of,
    library_preprocessing,
    timm_preprocessing,
)

_LARGEST = 512  # pixels along a side of an image that a network gets as it is


def card_of(net: nn.Module, input_size: tuple[int, int] | None = None) -> Card | None:
    """The card that a network carries, or that timm states of one of its own; else None."""
    left = getattr(net, "card", None)
    if isinstance(left, Card):
        return _resized(left, input_size)
    stated = timm_preprocessing(getattr(net, "pretrained_cfg", None))
    if stated is None:
        return None
    channels = num_input_channels(net)
    return stated_card(stated, _num_classes(net), channels=channels, input_size=input_size)


def card_of_name(name: str, net: nn.Module, *, input_size: tuple[int, int] | None) -> Card:
    """The card of a network that was created by its name: its library's, or ImageNet's."""
    library = library_of(name)
    stated = library_preprocessing(*library) if library else None
    channels = num_input_channels(net)
    if stated is not None:
        return stated_card(stated, _num_classes(net), channels=channels, input_size=input_size)
    own = with_channels(imagenet_card(), channels)
    size = input_size or default_input(name)[1] or own.input_size
    classes = _numbers(_num_classes(net))
    return replace(own, classes=classes, resize_size=None, input_size=size)


def assumed_card(
    net: nn.Module, *, input_size: tuple[int, int] | None, image_size: tuple[int, int] | None
) -> Card:
    """The card of a network of which nothing is stated: pixels are scaled to 0..1.

    Its input has the size that is given; else that of the image, or the first usual one, that the
    network takes.
    """
    channels = num_input_channels(net)
    sizes = [input_size] if input_size else _sizes(net, image_size)
    size, output = _trial(net, channels, sizes)
    classes = output.shape[1] if output is not None and output.ndim == 2 else _num_classes(net)
    return Card(
        classes=_numbers(classes),
        input_size=size,
        in_channels=channels,
        resize_mode="crop",
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
        output=network_output(net, in_channels=channels, input_size=size, num_classes=classes),
    )


def _sizes(net: nn.Module, image_size: tuple[int, int] | None) -> list[tuple[int, int]]:
    """The sizes that a network may be made for: its own if it is of the zoo, else usual ones.

    First among the latter is that of the image, unless it is large enough to fill the memory.
    """
    creation = getattr(net, "creation", None)
    if isinstance(creation, Creation):
        own = creation.input_size or default_input(creation.model)[1]
        if own:
            return [own]
    first = [image_size] if image_size and max(image_size) <= _LARGEST else []
    return [*first, *USUAL_SIZES]


def _trial(
    net: nn.Module, channels: int, sizes: list[tuple[int, int]]
) -> tuple[tuple[int, int], Tensor | None]:
    """The first of the sizes that a network takes, and its logits; else the first, and None.

    A single size is not tried where the weights tell the number of outputs.
    """
    for size in sizes if len(sizes) > 1 or not _num_classes(net) else ():
        try:
            with torch.random.fork_rng(devices=()), inference_mode(net):
                output = net(like_parameters(net, torch.zeros(1, channels, *size)))
        except Exception:  # noqa: BLE001, S112 -- somebody's network may raise anything
            continue
        return size, main_output(output)
    return sizes[0], None


def stated_card(
    stated: Preprocessing,
    num_classes: int,
    *,
    channels: int | None = None,
    input_size: tuple[int, int] | None = None,
) -> Card:
    """The card of what a library states, with numbers as class names; of another size, rescaled."""
    size = input_size or stated.input_size
    card = Card(
        classes=_numbers(num_classes),
        input_size=size,
        in_channels=1 if stated.in_channels == 1 else 3,
        resize_mode="crop",
        resize_size=stated.resize_size if size == stated.input_size else None,
        interpolation=stated.interpolation,
        mean=stated.mean,
        std=stated.std,
    )
    return with_channels(card, channels or card.in_channels)


def _resized(card: Card, input_size: tuple[int, int] | None) -> Card:
    if input_size is None or input_size == card.input_size:
        return card
    return replace(card, input_size=input_size, resize_size=None)


def num_input_channels(net: nn.Module) -> Literal[1, 3]:
    """1 for a network whose first convolution takes gray images, else 3."""
    state = net.state_dict()
    filters = first_conv_weight(state)
    return 1 if filters and state[filters].shape[1] == 1 else 3


def _num_classes(net: nn.Module) -> int:
    return num_outputs(net.state_dict())


def is_numbered(card: Card) -> bool:
    """Whether the classes have no names, but the numbers of their outputs."""
    return card.classes == _numbers(len(card.classes))


def _numbers(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(max(count, 2))))
