"""Networks of other libraries: in files, which have their weights, and in the tables of runs."""

from dataclasses import replace
from pathlib import Path

from torch import nn

from convscope.errors import RequestError
from convscope.foreign import (
    ForeignNetwork,
    build_architecture,
    is_network_file,
    read_network,
    with_logits,
)
from convscope.zoo.table_file import Table, is_table, read_table


def is_file(name: str) -> bool:
    """Whether a network's name is the path of a file: a layer table, or of another library."""
    return is_table(name) or is_network_file(name)


def short_name(name: str) -> str:
    """What to call a network in the name of a run: of a file, its own name without the ending."""
    return Path(name).stem if is_file(name) else name


def table_text(name: str) -> str | None:
    """What a run keeps of a network that is a file, as TOML; None for another."""
    if is_network_file(name):
        return read_network(name).architecture
    return read_table(name).text if is_table(name) else None


def build_from_file(
    path: str,
    *,
    num_classes: int | None = None,
    in_channels: int | None = None,
    input_size: tuple[int, int] | None = None,
) -> nn.Module:
    """The network of a file, as it is; with `num_classes`, to be trained: see `with_logits`.

    Its channels are its own, and so is its size where the file states it. Raises RequestError.
    """
    read = read_network(path, input_size=input_size)
    return _with_classes(read, num_classes, in_channels, path)


def build_from_architecture(
    table: Table,
    *,
    num_classes: int | None = None,
    in_channels: int | None = None,
    input_size: tuple[int, int] | None = None,
) -> nn.Module:
    """The same of a table that has the architecture of another library, with random weights."""
    read = _of_table(table, input_size)
    return _with_classes(read, num_classes, in_channels, table.path)


def _of_table(table: Table, input_size: tuple[int, int] | None = None) -> ForeignNetwork:
    kind, text = table.foreign or ("", "")
    return build_architecture(kind, text, where=table.path, input_size=input_size)


def _with_classes(
    read: ForeignNetwork, num_classes: int | None, in_channels: int | None, path: str
) -> nn.Module:
    own = read.card.in_channels
    if in_channels not in (None, own):
        raise RequestError(
            f"{path} takes images of {own} channel{'s' * (own > 1)}, not {in_channels}; leave out "
            "`in_channels`."
        )
    if num_classes is None:
        return read.net
    net = with_logits(read.net, num_classes, where=path)
    classes = tuple(map(str, range(max(num_classes, 2))))
    vars(net)["card"] = replace(read.card, classes=classes, output="logits", task="single-label")
    return net


def input_of_file(path: str) -> tuple[int | None, tuple[int, int] | None]:
    """The channels and (height, width) that the network of a file takes."""
    card = (read_network(path) if is_network_file(path) else _of_table(read_table(path))).card
    return card.in_channels, card.input_size
