"""The image that a network is summarized on: what users write, and the shapes that it may mean."""

from collections.abc import Sequence
from operator import index
from typing import Any, NamedTuple, Never, SupportsIndex, cast

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd as Convolution  # pyright: ignore[reportPrivateUsage]

from convscope.card import Card
from convscope.errors import RequestError
from convscope.zoo import Creation, default_input

InputSize = SupportsIndex | Sequence[SupportsIndex]
"""A side of a square image, (height, width), (channels, height, width), or the same with a batch
axis in front; of other networks, as many axes as their convolutions have."""

Shape = tuple[int, ...]
_SPACES: dict[int, list[Shape]] = {
    1: [(224,), (16_000,)],  # then a second of sound
    2: [(224, 224), (32, 32), (28, 28), (64, 64)],
    3: [(64, 64, 64), (16, 224, 224)],  # then a video
}
"""What is tried where no size is given, by the number of axes."""


class Requested(NamedTuple):
    """The image that a user asked for: its size, or itself; neither where it is left open."""

    size: int | Shape | None = None
    data: Tensor | None = None

    @property
    def is_open(self) -> bool:
        return self.size is None and self.data is None


def requested(
    *, input_size: InputSize | None, input_data: Tensor | None, either: InputSize | Tensor | None
) -> Requested:
    """Read the arguments that name an image; raise RequestError for values that do not."""
    given = [value for value in (input_size, input_data, either) if value is not None]
    if len(given) > 1:
        raise RequestError("Give one of `input_size`, `input_data` and `input`, not several.")
    value = given[0] if given else None
    if isinstance(value, Tensor):
        if value.ndim < 2 or 0 in value.shape:
            raise RequestError(
                f"`input_data` has the shape {tuple(value.shape)}, which holds no image. Give "
                "(channels, height, width), or a batch of those."
            )
        return Requested(None, value)
    if input_data is not None:
        raise RequestError(
            f"`input_data` must be a tensor, not of type {type(input_data).__name__}. Give a size "
            "as `input_size`."
        )
    return Requested(None if value is None else _sides(value))


def _sides(value: object) -> int | Shape:
    """One number, or several, each at least 1; `[(1, 3, 8, 8)]` means what is in the list."""
    if not isinstance(value, list | tuple):
        return _side(value, value)
    sides = cast("Sequence[object]", value)
    if len(sides) == 1 and isinstance(sides[0], list | tuple):
        return _sides(cast("object", sides[0]))
    return tuple(_side(side, value) for side in sides) or _refuse(value)


def _side(side: object, value: object) -> int:
    if isinstance(side, bool) or not isinstance(side, SupportsIndex):
        return _refuse(value)
    if index(side) < 1:
        raise RequestError(f"`input_size` must consist of numbers of at least 1, not {value!r}.")
    return index(side)


def _refuse(value: object) -> Never:
    raise RequestError(
        "`input_size` must be a number, (height, width), (channels, height, width) or (batch, "
        f"channels, height, width), not {value!r}."
    )


def for_builder(
    asked: Requested, in_channels: int | None
) -> tuple[int | None, tuple[int, int] | None]:
    """Channels and (height, width) for a network that is built for an image of two axes."""
    match asked.size if asked.data is None else tuple(asked.data.shape):
        case int(side):
            return in_channels, (side, side)
        case (height, width):
            return in_channels, (height, width)
        case (channels, height, width) | (_, channels, height, width):
            return _agreed(in_channels, channels), (height, width)
        case _:
            return in_channels, None


def batch_of_one(net: nn.Module, data: Tensor | None) -> Tensor | None:
    """The first image of a batch, as a batch; a single image gets a batch axis."""
    first = _first_convolution(net)
    is_single = data is not None and first and data.ndim == len(first.kernel_size) + 1
    return data if data is None else data[None] if is_single else data[:1]


def candidates(
    net: nn.Module, asked: Requested, in_channels: int | None, *, name: str
) -> list[Shape]:
    """The shapes without a batch axis that the image may have, the likeliest first.

    How many axes an image has is decided by the first convolution; 2, or a vector for (1, length),
    where there is none. Raises RequestError for a size or channels that do not fit.
    """
    data = batch_of_one(net, asked.data)
    if data is not None:
        _agreed(in_channels, data.shape[1])
        return [tuple(data.shape[1:])]
    first = _first_convolution(net)
    axes = len(first.kernel_size) if first else 2
    if first is None and isinstance(asked.size, tuple) and len(asked.size) == 2:
        vectors = [asked.size[1:]] if asked.size[0] == 1 else []
    else:
        vectors = []
    channels, space = _split(asked.size, axes, name)
    channels = _agreed(in_channels, channels)
    tried = [channels] if channels else _channels(first.in_channels if first else 0)
    shapes = [(n, *sides) for sides in ([space] if space else _SPACES[axes]) for n in tried]
    stated = [] if space else _stated(net, channels)
    return [*vectors, *stated, *shapes]


def _first_convolution(net: nn.Module) -> Convolution | None:
    return next((layer for layer in net.modules() if isinstance(layer, Convolution)), None)


def _split(size: int | Shape | None, axes: int, name: str) -> tuple[int | None, Shape | None]:
    """Channels and the axes of space that a size means for a network of so many axes."""
    if size is None or isinstance(size, int):
        return None, None if size is None else (size,) * axes
    match len(size) - axes:
        case 0:
            return None, size
        case 1:
            return size[0], size[1:]
        case 2:
            return size[1], size[2:]
        case _:
            words = ("length", "height, width", "depth, height, width")[axes - 1]
            raise RequestError(
                f"{name} takes images of {axes} {'axis' if axes == 1 else 'axes'}, so `input_size` "
                f"must be ({words}), (channels, {words}) or (batch, channels, {words}), not {size}."
            )


def _agreed(in_channels: int | None, channels: int | None) -> int | None:
    if in_channels and channels and in_channels != channels:
        raise RequestError(
            f"`input_size` names {channels} channels and `in_channels` {in_channels}; leave one "
            "out, or let them agree."
        )
    return in_channels or channels


def _channels(of_first: int) -> list[int]:
    """Numbers of channels to try, for a network whose first convolution takes so many.

    Space-to-depth multiplies the channels before the convolution, and its reverse divides them.
    """
    fewer = [count for count in range(of_first // 2, 0, -1) if of_first % count == 0]
    more = [factor * of_first for factor in (4, 9, 16)]
    return [count for count in dict.fromkeys((of_first, 3, 1, *fewer, *more)) if count]


def _stated(net: nn.Module, channels: int | None) -> list[Shape]:
    """The shape that a network is known to be made for, if it has so many channels."""
    card = getattr(net, "card", None)
    if isinstance(card, Card):
        known = [(card.in_channels, *card.input_size)]
        return known if channels in (None, card.in_channels) else []
    creation = getattr(net, "creation", None)
    if isinstance(creation, Creation):
        of_first, size = default_input(creation.model)
        size, count = creation.input_size or size, channels or creation.in_channels or of_first
        return [(count, *size)] if size and count else []
    config: Any = getattr(net, "pretrained_cfg", None)
    stated = config.get("input_size") if hasattr(config, "get") else None
    return [tuple(stated)] if stated and channels in (None, stated[0]) else []
