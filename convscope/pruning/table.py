"""The text of network.toml for a pruned network."""

import tomllib
from typing import Any

import tomli_w
from torch import nn

from convscope.errors import RequestError
from convscope.recording.wrappers import modules_by_path
from convscope.runs.folder import Run
from convscope.runs.own_code import HANDED_OVER
from convscope.zoo.libraries import library_of
from convscope.zoo.narrowed import sizes_of
from convscope.zoo.table_file import is_table


def base_of(run: Run, model: str) -> dict[str, Any]:
    """What a pruned network of a run is described by, before `pruned`.

    Raises RequestError for a network that no name or table builds.
    """
    if is_table(model):
        return tomllib.loads(run.read("network.toml"))
    if model.startswith(HANDED_OVER) or (":" in model and library_of(model) is None):
        raise RequestError(
            f"{run.path} is of a network of your own code ({model}), and a pruned run describes "
            "its network without code. Prune networks of the zoo, of a layer table, of timm or "
            "torchvision."
        )
    return {"model": model}


def table_of(base: dict[str, Any], before: nn.Module, after: nn.Module) -> str:
    """The text of a table that builds the pruned network, given the network that it came from."""
    sizes = {path: sizes_of(layer) for path, layer in modules_by_path(before).items()}
    pruned: dict[str, dict[str, Any]] = {
        path: dict(each) for path, each in base.get("pruned", {}).items()
    }
    for path, layer in modules_by_path(after).items():
        for name, size in sizes_of(layer).items():
            if size != sizes[path][name]:
                plain = size if isinstance(size, int) else list(size)
                pruned.setdefault(path, {})[name] = plain
    return tomli_w.dumps({**base, "pruned": pruned}, multiline_strings=True)
