"""`convscope train`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from convscope.cli.terminal import TerminalWatcher, console, tell_trained
from convscope.device import keep_freed_memory
from convscope.training.api import train_run
from convscope.training.config import TrainConfig


def train(
    data: str = "digits",
    *,
    settings: Annotated[TrainConfig, Parameter(name="*")] = TrainConfig(),  # noqa: B008 -- frozen
    out: Path | None = None,
    config: Path | None = None,  # noqa: ARG001 -- read before the command line is; here for --help
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Train a network on labeled images, and test it.

    Parameters
    ----------
    data
        digits, mnist, fashion-mnist, kmnist, emnist, cifar10, cifar100; a folder of class folders
        (also below train/, val/, test/); or a CSV of path,label[,split][,group].
    out
        The run folder to make; default runs/DATE_NETWORK_DATA.
    config
        A TOML file of settings, such as the config.toml of a run; flags win over it.
    json
        Print one JSON object on standard output, everything else on standard error.
    """
    keep_freed_memory()
    with TerminalWatcher(console(json=json)) as watcher:
        trained = train_run(data, settings, out=out, watcher=watcher)
        tell_trained(watcher, trained, json=json)
