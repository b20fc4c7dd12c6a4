"""`convscope tune`."""

from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from convscope.cli.flags import config_of, given_settings, make_flags
from convscope.cli.options import SEVERAL, Int, Json
from convscope.device import keep_freed_memory
from convscope.training.config import TrainConfig
from convscope.training.tuning.space import parse_words

_FLAGS = make_flags()


def tune(
    data: str = "digits",
    *,
    search: Annotated[tuple[str, ...], SEVERAL],
    trials: Int = 20,
    total_minutes: float | None = None,
    prune: bool = True,
    settings: TrainConfig = _FLAGS(),  # noqa: B008 -- frozen
    out: Path | None = None,
    json: Json = False,
) -> None:
    """Search for settings by trials on the validation images, and test the best one, once.

    Parameters
    ----------
    data
        As for `convscope train`.
    search
        What to try: NAME=LOW..HIGH for a range, NAME=LOW..HIGH:log for one of magnitudes,
        NAME=VALUE,VALUE for single values, by the names of flags; once for each.
    trials
        How many trainings at most. More of them go on with a search that is finished.
    total_minutes
        No trial begins after so many minutes of trials.
    prune
        End a trial that is below the median of five others at the same epoch.
    out
        The folder to create, with a run for each trial; by default runs/DATE_tune_DATA. The same
        command goes on after an interruption.
    """
    keep_freed_memory()
    from convscope.cli.terminal import print_tuning, training_shown  # noqa: PLC0415 -- torch
    from convscope.training.tuning.loop import Tuning  # noqa: PLC0415

    watch = partial(training_shown, json=json)
    given = given_settings(settings, {})
    tuning = Tuning(data, config_of(settings), given, watch=watch)
    result = tuning.run(
        parse_words(search), trials=trials, total_minutes=total_minutes, prune=prune, out=out
    )
    print_tuning(result, json=json)


tune.__annotations__["settings"] = Annotated[_FLAGS, Parameter(name="*")]
