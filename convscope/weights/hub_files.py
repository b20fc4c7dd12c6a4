"""Which files of a repository on the Hugging Face hub are weights, and of which network."""

import fnmatch
from collections.abc import Collection
from pathlib import Path

from convscope.card import Card
from convscope.errors import RequestError
from convscope.hub import Repository, download
from convscope.regular_files import read_regular
from convscope.zoo import ZOO

HUB_FILES = (
    "model.safetensors",
    "pytorch_model.bin",
    "model.safetensors.index.json",
    "pytorch_model.bin.index.json",
)
"""Weights in a folder as the hub has it; the first that is there is taken."""

_CARD, _CONFIG = "card.json", "config.json"
_LARGEST_CARD = 10_000_000  # bytes


def weights_on_hub(name: str) -> Path:
    """A folder with the weights of a repository, and what describes them.

    Raises RequestError where it has none, and what `download` raises.
    """
    folder = download(Repository.parse(name), _weights_among)
    if folder is None:
        raise RequestError(
            f"{name} has no weights that convscope can read: {' or '.join(HUB_FILES[:2])}."
        )
    return folder


def network_on_hub(name: str) -> str:
    """The name of the network whose weights `export` put into a repository.

    Raises RequestError where it does not say so, and what `download` raises.
    """
    folder = download(Repository.parse(name), lambda names: {_CARD} & {*names})
    network = ""
    if folder is not None and (path := folder / _CARD).is_file():
        text = read_regular(path, limit=_LARGEST_CARD).decode("utf-8", "replace")
        network = Card.from_json(text, where=str(path)).provenance.get("network", "")
    if network not in ZOO:
        raise RequestError(
            f"{name} does not say of which network of the zoo it is. Name it, and give {name} by "
            "`weights`."
        )
    return network


def _weights_among(names: Collection[str]) -> list[str]:
    """The weights among the files of a repository, and what describes them; none without any."""
    weights = next((name for name in HUB_FILES if name in names), None)
    if weights is None:
        return []
    shards = fnmatch.filter(names, f"{weights.partition('.')[0]}-*") if "index" in weights else []
    return [weights, *shards, *(name for name in (_CARD, _CONFIG) if name in names)]
