"""`convscope train`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from convscope.cli.flags import make_flags
from convscope.cli.options import Json
from convscope.cli.terminal import TerminalProgress, console, print_result
from convscope.device import keep_freed_memory
from convscope.training.api import train_run
from convscope.training.config import TrainConfig


def train(
    data: str = "digits",
    *,
    settings: TrainConfig = TrainConfig(),  # noqa: B008 -- frozen
    out: Path | None = None,
    config: Path | None = None,  # noqa: ARG001 -- read before the command line is; here for --help
    json: Json = False,
) -> None:
    """Train a network on labeled images and test it.

    Parameters
    ----------
    data
        digits, mnist, fashion-mnist, kmnist, emnist, cifar10, cifar100; a folder with one folder
        per class (optionally inside train/, val/, test/); or a CSV file with the columns
        path,label[,split][,group].
    out
        The run folder to create; by default runs/DATE_NETWORK_DATA.
    config
        A TOML file of settings, such as a run's config.toml; flags override it.
    """
    keep_freed_memory()
    with TerminalProgress(console(json=json)) as terminal:
        result = train_run(data, TrainConfig(**vars(settings)), out=out, callbacks=[terminal])
        print_result(terminal, result, json=json)


train.__annotations__["settings"] = Annotated[make_flags(), Parameter(name="*")]
