"""`convscope train`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from convscope.cli.config import settings_of_run
from convscope.cli.flags import config_of, given_settings, make_flags
from convscope.cli.options import Json
from convscope.data.ahead import open_ahead
from convscope.device import keep_freed_memory
from convscope.startup import collect_again
from convscope.training.config import TrainConfig

_FLAGS = make_flags()


def train(
    data: str = "digits",
    *,
    settings: TrainConfig = _FLAGS(),  # noqa: B008 -- frozen
    out: Path | None = None,
    config: Path | None = None,
    json: Json = False,
) -> None:
    """Train a network on labeled images and test it.

    Parameters
    ----------
    data
        digits, mnist, fashion-mnist, kmnist, emnist, cifar10, cifar100; a folder with one folder
        per class (optionally inside train/, val/, test/), also as a .tar or .zip file; WebDataset
        shards ("train-{000..004}.tar"); Parquet files with images; an .npz file such as
        MedMNIST's; or a CSV file with the columns path,label[,split][,group]. docs/data.md has
        all sources.
    out
        The run folder to create; by default runs/DATE_NETWORK_DATA.
    config
        A TOML file of settings, such as a run's config.toml; flags override it.
    """
    keep_freed_memory()
    ahead = open_ahead(data, data_dir=settings.data_dir)
    from convscope.cli.terminal import print_result, training_progress  # noqa: PLC0415 -- torch
    from convscope.training.start import train_run  # noqa: PLC0415 -- the same, after the settings

    collect_again()
    given = given_settings(settings, settings_of_run(config))
    with training_progress(json=json) as terminal:
        result = train_run(
            data, config_of(settings), given=given, out=out, callbacks=[terminal], ahead=ahead
        )
        print_result(terminal, result, json=json, data=data)


train.__annotations__["settings"] = Annotated[_FLAGS, Parameter(name="*")]
