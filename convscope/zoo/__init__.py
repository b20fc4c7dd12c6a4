"""The networks, one file per paper, and the one way to build them by name."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from convscope.errors import RequestError, nearest
from convscope.zoo.lenet5 import lenet5
from convscope.zoo.own import build_own
from convscope.zoo.tinyvgg import tinyvgg

__all__ = ["ZOO", "Entry", "build"]


@dataclass(frozen=True)
class Entry:
    """A network of the zoo: its builder, the input it was made for, the smallest it can take."""

    builder: Callable[..., nn.Module]
    channels: int
    size: tuple[int, int]
    smallest: int


ZOO: dict[str, Entry] = {
    "lenet5": Entry(lenet5, channels=1, size=(32, 32), smallest=32),
    "tinyvgg": Entry(tinyvgg, channels=3, size=(32, 32), smallest=8),
}


def build(
    name: str,
    *,
    classes: int = 10,
    channels: int | None = None,
    input: tuple[int, int] | None = None,  # noqa: A002 -- the word of the field, as in Keras
) -> nn.Module:
    """Build a network by its name, or the user's own by `module:attr`.

    `channels` and `input` (height, width) are the network's own where they are None. The user's own
    is a class or function, called with whichever of the three words its signature has, or a ready
    `nn.Module`.

    Raises RequestError for a name that nothing has, an input too small, and for whatever goes wrong
    while the user's own is imported.

        >>> sum(weight.numel() for weight in build("lenet5").parameters())
        61706
    """
    if ":" in name:
        return build_own(name, classes=classes, channels=channels, input=input)
    if name not in ZOO:
        known = ", ".join(ZOO)
        raise RequestError(
            f"There is no network named {name!r}.{nearest(name, ZOO)} Known: {known}, "
            "or your own as module:attr."
        )
    entry = ZOO[name]
    size = input or entry.size
    if min(size) < entry.smallest:
        raise RequestError(
            f"{name} cannot take images of {size[0]}x{size[1]}: its layers need "
            f"{entry.smallest}x{entry.smallest} or more. Choose a larger size."
        )
    return entry.builder(classes=classes, channels=channels or entry.channels, input=size)
