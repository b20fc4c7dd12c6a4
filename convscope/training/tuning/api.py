"""`tune`: the Python face of a search for settings."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Unpack

from convscope import synonyms
from convscope.data.source import DataLike
from convscope.training.api import take_objects
from convscope.training.callbacks.base import Callback
from convscope.training.config import TrainConfig
from convscope.training.folds.api import named_again
from convscope.training.keywords import TrainSettings
from convscope.training.progress import show_notes, watched
from convscope.training.recipe import requested_config
from convscope.training.setting import settings_of
from convscope.training.signature import takes_settings
from convscope.training.tuning.folder import TuningFolder
from convscope.training.tuning.loop import Tuning, Watch
from convscope.training.tuning.result import TuningResult
from convscope.training.tuning.space import Value, to_text

_FIXED = ("data", "search", "trials", "total_minutes", "prune", "out", "callbacks", "progress")


@takes_settings(TrainConfig)
def tune(
    data: DataLike = "digits",
    *,
    search: Mapping[str, str | Sequence[Value]],
    trials: int = 20,
    total_minutes: float | None = None,
    prune: bool = True,
    out: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    **settings: Unpack[TrainSettings],
) -> TuningResult:
    """Search for settings by trials on the validation images, and test the best trial, once.

    `search` says what to try, by the names of settings: `{"lr": "1e-4..1e-1:log", "augment":
    ["none", "photo"]}`; a text is a range, with `:log` evenly in the logarithm, or values with
    commas. Optuna chooses the values: the extra `tune` installs it. The value of a trial is that of
    `metric` in its best epoch on the validation images. With `prune`, a trial that is below the
    median of five others at the same epoch ends there. No trial begins after `total_minutes`.

    `out` is the folder to create, with a run for each trial. The same call with the same `out` goes
    on with a search that was interrupted; with more `trials` it goes on with one that is finished.
    All else is as in `convscope.train`. The same `seed` gives the same trials.

    Raises RequestError for an invalid request, WorkError for work that failed, Interrupted when a
    signal asked to stop.
    """
    given, notes = synonyms.translate(settings, [*_FIXED, *settings_of(TrainConfig)], "tune")
    fixed: dict[str, Any] = dict(
        data=data, out=out, trials=trials, total_minutes=total_minutes, prune=prune
    )
    fixed |= {name: given.pop(name) for name in fixed.keys() & given.keys()}
    module, function = take_objects(given)
    tuning = Tuning(
        fixed["data"],
        requested_config(given),
        given.keys(),
        module,
        function,
        lambda: watched(progress=progress),
        callbacks,
    )
    show_notes(notes, progress=progress)
    del fixed["data"]
    fixed["out"] = None if fixed["out"] is None else Path(fixed["out"])
    return tuning.run(search, **fixed)


def resume_tuning(
    path: str | PathLike[str],
    watch: Watch,
    *,
    data: str | None = None,
    model: str | None = None,
    augment: str | None = None,
) -> TuningResult:
    """Go on with a search that was interrupted; see `convscope.training.folds.api.resume_folds`."""
    folder = TuningFolder(Path(path))
    request = folder.read_request()
    config = named_again(
        path, request.config, "tune", data=data or request.data, model=model, augment=augment
    )
    return Tuning(data or request.data, config, watch=watch).run(
        {name: to_text(values) for name, values in request.space.items()},
        trials=request.trials,
        total_minutes=request.total_minutes,
        prune=request.prune,
        out=folder.path,
    )
