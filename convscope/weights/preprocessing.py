"""How images are prepared for weights: what their source says, what is assumed, what is set."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from statistics import fmean
from typing import Literal, get_args

from convscope.card import Card, ResizeMode
from convscope.errors import RequestError
from convscope.weights.torchvision_releases import imagenet_card

PerChannel = float | Sequence[float]
"""One number for all channels, or one for each."""

_MOST = 2.0  # of pixels scaled to 0..1; larger numbers are of bytes


@dataclass(frozen=True, kw_only=True)
class InputSettings:
    """What a user sets; None leaves it to the weights, and where they say nothing, to ImageNet's.

    Attributes:
        input_size: height and width in pixels, or one number for both.
        resize_mode: how an image is brought to that size.
        mean, std: per channel, of pixels scaled to 0..1.
    """

    input_size: int | tuple[int, int] | None = None
    resize_mode: ResizeMode | None = None
    mean: PerChannel | None = None
    std: PerChannel | None = None

    def __post_init__(self) -> None:
        if self.resize_mode not in (None, *get_args(ResizeMode)):
            raise RequestError(
                f"`resize_mode` must be {', '.join(map(repr, get_args(ResizeMode)))}, not "
                f"{self.resize_mode!r}."
            )

    @property
    def names(self) -> list[str]:
        """The names of what is set."""
        return [one.name for one in fields(self) if getattr(self, one.name) is not None]

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width), if it is set."""
        side = self.input_size
        return (side, side) if isinstance(side, int) else side

    def applied(self, card: Card) -> Card:
        """The card with what is set. Raises RequestError for numbers that do not fit it."""
        size, mode = self.size or card.input_size, self.resize_mode or card.resize_mode
        is_same = (size, mode) == (card.input_size, card.resize_mode)
        return replace(
            card,
            input_size=size,
            resize_mode=mode,
            resize_size=card.resize_size if is_same else None,
            mean=per_channel("mean", self.mean, card.in_channels) or card.mean,
            std=per_channel("std", self.std, card.in_channels) or card.std,
        )


def per_channel(name: str, value: PerChannel | None, channels: int) -> tuple[float, ...] | None:
    """A mean or standard deviation with one number for each channel; None if it is not set.

    Raises RequestError for another count, for numbers of bytes instead of 0..1, and for a standard
    deviation that is not above 0.

    >>> per_channel("std", 0.5, 3)
    (0.5, 0.5, 0.5)
    """
    if value is None:
        return None
    numbers = (float(value),) if isinstance(value, int | float) else tuple(map(float, value))
    if len(numbers) == 1:
        numbers *= channels
    if len(numbers) != channels:
        raise RequestError(
            f"`{name}` has {len(numbers)} numbers, and the network's input has {channels} channel"
            f"{'' if channels == 1 else 's'}. Give one for each, or one for all."
        )
    if not all(-_MOST <= number <= _MOST for number in numbers):
        raise RequestError(
            f"`{name}` is of pixels scaled to 0..1, and {max(numbers, key=abs):g} is of bytes. "
            "Divide `mean` and `std` by 255."
        )
    if name == "std" and min(numbers) <= 0:
        raise RequestError(f"`std` must be above 0, not {min(numbers):g}.")
    return numbers


def assumed_card(channels: Literal[1, 3], size: tuple[int, int] | None) -> Card:
    """ImageNet's preprocessing at a network's own size, for weights that say nothing of theirs."""
    card = imagenet_card()
    if size not in (None, card.input_size):
        card = replace(card, input_size=size, resize_size=None)
    return with_channels(card, channels)


def describe(card: Card) -> str:
    """The preprocessing in words, as in "224x224 pixels, ..."."""
    height, width = card.input_size
    scaled = f" after scaling the shorter side to {card.resize_size}" if card.resize_size else ""
    mean, std = (" ".join(f"{number:g}" for number in numbers) for numbers in (card.mean, card.std))
    return (
        f"{width}x{height} pixels, `resize_mode='{card.resize_mode}'`{scaled}, mean {mean}, std "
        f"{std}"
    )


def with_channels(card: Card, channels: int) -> Card:
    """Return the card for another number of channels: gray has the average of the colors.

    Raises RequestError for any other change.
    """
    if channels == card.in_channels:
        return card
    if (channels, card.in_channels) != (1, 3):
        raise RequestError(
            f"The weights are for {card.in_channels} channels and do not fit a network with "
            f"{channels}. Create it with {card.in_channels} channels."
        )
    return replace(card, in_channels=1, mean=(fmean(card.mean),), std=(fmean(card.std),))
