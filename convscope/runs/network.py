"""The trained network of a run: built again as it was, and filled with its best weights."""

import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from convscope.card import Card
from convscope.errors import RequestError
from convscope.runs.folder import Run
from convscope.zoo import create_model
from convscope.zoo.check import check_network
from convscope.zoo.table_file import is_table, read_table

_TABLE = "network.toml"


def load_network(run: str | Path | Run) -> tuple[nn.Module, Card]:
    """The network with its best weights, in eval mode, on the CPU; and its card.

    Raises RequestError where card, weights and network do not belong together.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    card, stored, config = run.read_card(), run.read_weights(), run.read_config()
    with on_sys_path(config):
        net = build_network(model_source(run, str(config["model"])), card)
    load_state(net, stored.tensors, where=str(run.path / "model.safetensors"), card=card)
    return net.eval(), card


def build_network(model: str, card: Card) -> nn.Module:
    """An untrained network that takes what the card describes and names its classes."""
    net = create_model(
        model,
        num_classes=len(card.classes),
        in_channels=card.in_channels,
        input_size=card.input_size,
    )
    check_network(
        net,
        in_channels=card.in_channels,
        input_size=card.input_size,
        num_classes=len(card.classes),
        name=model,
    )
    return net


def save_model_source(run: Run, model: str) -> None:
    """Keep what a network is built from: a layer table is copied into the run as network.toml."""
    if is_table(model):
        run.write(_TABLE, read_table(model).text)


def model_source(run: Run, model: str) -> str:
    """What a run's network is built from: the run's own copy of a layer table, else `model`."""
    return str(run.path / _TABLE) if is_table(model) else model


@contextmanager
def on_sys_path(config: Mapping[str, Any]) -> Generator[None]:
    """The folder that a run's `module:attr` was imported from can be imported from again."""
    folder = config.get("network", {}).get("folder")
    if folder is None or folder in sys.path:
        yield
        return
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def load_state(net: nn.Module, weights: Mapping[str, Tensor], *, where: str, card: Card) -> None:
    """Put weights into a network. Raises RequestError, naming the first that does not fit."""
    own = net.state_dict()
    for name in sorted(own.keys() | weights.keys()):
        here = tuple(own[name].shape) if name in own else "missing"
        there = tuple(weights[name].shape) if name in weights else "missing"
        if here != there:
            height, width = card.input_size
            raise RequestError(
                f"{where} does not fit its card: {name} is {there} in the file and {here} in the "
                f"network for {len(card.classes)} classes and images of "
                f"{card.in_channels}x{height}x{width}. Restore the run's card.json and config.toml."
            )
    net.load_state_dict(dict(weights))
