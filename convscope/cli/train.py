"""`convscope train`."""

from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from convscope.cli.config import settings_of_run
from convscope.cli.flags import config_of, given_settings, make_flags
from convscope.cli.options import Json, OptionalInt
from convscope.data.ahead import open_ahead
from convscope.device import keep_freed_memory
from convscope.distributed.launch import is_first
from convscope.errors import RequestError
from convscope.startup import collect_again
from convscope.training.config import TrainConfig

_FLAGS = make_flags()


def train(
    data: str = "digits",
    *,
    settings: TrainConfig = _FLAGS(),  # noqa: B008 -- frozen
    out: Path | None = None,
    config: Path | None = None,
    folds: OptionalInt = None,
    repeats: OptionalInt = None,
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
    folds
        Cross-validate: train once for each of so many folds, and test each on its own. The same
        command goes on after an interruption.
    repeats
        With --folds, how often all of it is done, with other folds each time; 1 by default.
    """
    keep_freed_memory()
    if folds is not None:
        _cross_validate(data, settings, out, config, folds, repeats, json=json)
        return
    if repeats is not None:
        raise RequestError("`repeats` needs `folds`, the number of folds.")
    ahead = open_ahead(data, data_dir=settings.data_dir)
    from convscope.cli.terminal import print_result, training_progress  # noqa: PLC0415 -- torch
    from convscope.training.launched import train_together  # noqa: PLC0415 -- the same

    collect_again()
    given = given_settings(settings, settings_of_run(config))
    with training_progress(json=json) as terminal:
        result = train_together(
            data, config_of(settings), given=given, out=out, callbacks=[terminal], ahead=ahead
        )
        if is_first():
            print_result(terminal, result, json=json, data=data)


def _cross_validate(
    data: str,
    settings: TrainConfig,
    out: Path | None,
    config: Path | None,
    folds: int,
    repeats: int | None,
    *,
    json: bool,
) -> None:
    from convscope.cli.terminal import print_folds, training_shown  # noqa: PLC0415 -- torch
    from convscope.training.folds.loop import CrossValidation  # noqa: PLC0415

    collect_again()
    given = given_settings(settings, settings_of_run(config))
    validation = CrossValidation(
        data, config_of(settings), given, watch=partial(training_shown, json=json)
    )
    result = validation.run(folds, 1 if repeats is None else repeats, out)
    print_folds(result, json=json)


train.__annotations__["settings"] = Annotated[_FLAGS, Parameter(name="*")]
