"""Networks in files of other libraries, which have their weights."""

from torch import nn

from convscope.errors import RequestError
from convscope.foreign import read_network


def build_from_file(
    path: str,
    *,
    num_classes: int | None = None,
    in_channels: int | None = None,
    input_size: tuple[int, int] | None = None,
) -> nn.Module:
    """The network of a file; its classes and channels are its own. Raises RequestError."""
    read = read_network(path, input_size=input_size)
    own = {"num_classes": len(read.card.classes), "in_channels": read.card.in_channels}
    wished = {"num_classes": num_classes, "in_channels": in_channels}
    for name, value in wished.items():
        if value not in (None, own[name]):
            raise RequestError(f"{path} has {own[name]} as its `{name}`; leave it out.")
    return read.net


def input_of_file(path: str) -> tuple[int | None, tuple[int, int] | None]:
    """The channels and (height, width) that a file's network takes."""
    card = read_network(path).card
    return card.in_channels, card.input_size
