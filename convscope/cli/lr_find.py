"""`convscope lr-find`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from convscope.cli.config import settings_of_run
from convscope.cli.flags import config_of, given_settings, make_flags
from convscope.cli.json_output import print_json
from convscope.cli.options import Int, Json
from convscope.data.ahead import open_ahead
from convscope.device import keep_freed_memory
from convscope.errors import shell_word
from convscope.startup import collect_again
from convscope.training.config import TrainConfig

_FLAGS = make_flags()
_OF_RATES = Parameter(group="Rates")


def lr_find(
    data: str = "digits",
    *,
    settings: TrainConfig = _FLAGS(),  # noqa: B008 -- frozen
    min_lr: Annotated[float, _OF_RATES] = 1e-7,
    max_lr: Annotated[float, _OF_RATES] = 10.0,
    num_rates: Annotated[Int, _OF_RATES] = 100,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    config: Path | None = None,
    json: Json = False,
) -> None:
    """Try learning rates on a network, and suggest one to train it at.

    The flags are those of `convscope train`. One step is made at each rate, on the first batches of
    that training, until the loss rises to four times its lowest. Nothing is kept of it.

    Parameters
    ----------
    data
        A data set as `convscope train` takes it.
    min_lr
        The first rate.
    max_lr
        The last rate.
    num_rates
        Rates to try, each larger than the one before by the same factor.
    out
        An SVG file for a picture of the loss by learning rate.
    config
        A TOML file of settings, such as a run's config.toml; flags override it.
    """
    keep_freed_memory()
    ahead = open_ahead(data, data_dir=settings.data_dir)
    from convscope.cli.terminal import training_progress  # noqa: PLC0415 -- torch
    from convscope.training.lr_finder import Rates, check_picture, range_test  # noqa: PLC0415

    collect_again()
    check_picture(out)
    given = given_settings(settings, settings_of_run(config))
    rates = Rates(min_lr, max_lr, num_rates)
    with training_progress(json=json) as terminal:
        result = range_test(
            data, config_of(settings), rates, given=given, callbacks=[terminal], ahead=ahead
        )
        if out is not None:
            result.plot().save(out)
        if json:
            print_json(result.to_dict())
        terminal.note("")
        terminal.note(result.sentence)
        if out is not None:
            terminal.note(f"{shell_word(out)} shows the loss by learning rate.")
        if result.suggestion is not None:
            word, lr = shell_word(data), f"{result.suggestion:.2g}"
            terminal.note(f"Next:  convscope train {word} --lr {lr}   (and the same flags)")


lr_find.__annotations__["settings"] = Annotated[_FLAGS, Parameter(name="*")]
