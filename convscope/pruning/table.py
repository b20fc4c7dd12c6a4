"""The text of network.toml for a pruned network."""

import tomllib
from typing import Any

from torch import nn

from convscope.recording.wrappers import modules_by_path
from convscope.runs.folder import Run
from convscope.runs.own_code import HANDED_OVER, is_own_code
from convscope.zoo.narrowed import sizes_of
from convscope.zoo.table_file import is_table


def base_of(run: Run, model: str) -> dict[str, Any]:
    """What a pruned network of a run is described by, before `pruned`.

    Nothing, where the network is of the user's own code: a file names no code.
    """
    if is_table(model) or (is_own(model) and (run.path / "network.toml").exists()):
        return tomllib.loads(run.read("network.toml"))
    return {} if is_own(model) else {"model": model}


def is_own(model: str) -> bool:
    """Whether the network of a run is of the user's own code, or was handed over."""
    return model.startswith(HANDED_OVER) or is_own_code(model)


def table_of(base: dict[str, Any], before: nn.Module, after: nn.Module) -> dict[str, Any]:
    """The table that builds the pruned network, given the network that it came from."""
    sizes = {path: sizes_of(layer) for path, layer in modules_by_path(before).items()}
    pruned: dict[str, dict[str, Any]] = {
        path: dict(each) for path, each in base.get("pruned", {}).items()
    }
    for path, layer in modules_by_path(after).items():
        for name, size in sizes_of(layer).items():
            if size != sizes[path][name]:
                plain = size if isinstance(size, int) else list(size)
                pruned.setdefault(path, {})[name] = plain
    return {**base, "pruned": pruned}
