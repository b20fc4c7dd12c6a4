"""The network of a run: built again, with its best weights."""

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

    Raises RequestError if card, weights and network do not match.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    card, stored, config = run.read_card(), run.read_weights(), run.read_config()
    with on_sys_path(config):
        net = build_network(model_source(run, str(config["model"])), card)
    load_state(net, stored.tensors, where=str(run.path / "model.safetensors"), card=card)
    return net.eval(), card


def build_network(model: str, card: Card) -> nn.Module:
    """An untrained network for the input and the classes of the card."""
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
    """Copy the layer table of a network, if it has one, into the run as network.toml."""
    if is_table(model):
        run.write(_TABLE, read_table(model).text)


def model_source(run: Run, model: str) -> str:
    """What the network of a run is built from: the run's copy of a layer table, or `model`."""
    return str(run.path / _TABLE) if is_table(model) else model


@contextmanager
def on_sys_path(config: Mapping[str, Any]) -> Generator[None]:
    """Make the folder importable from which a run's `module:attr` was imported."""
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
    """Load weights into a network. Raises RequestError, naming the first that does not fit."""
    state = net.state_dict()
    for name in sorted(state.keys() | weights.keys()):
        expected = tuple(state[name].shape) if name in state else "missing"
        found = tuple(weights[name].shape) if name in weights else "missing"
        if expected != found:
            height, width = card.input_size
            raise RequestError(
                f"{where} does not fit its card: {name} is {found} in the file and {expected} in "
                f"the network for {len(card.classes)} classes and images of "
                f"{card.in_channels}x{height}x{width}. Restore the run's card.json and config.toml."
            )
    net.load_state_dict(dict(weights))
