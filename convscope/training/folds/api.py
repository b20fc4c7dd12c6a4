"""`cross_validate`: the Python face of cross-validation."""

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Unpack

from convscope import synonyms
from convscope.data.source import DataLike
from convscope.errors import RequestError
from convscope.runs.own_code import HANDED_OVER, is_own_code, named_by_file
from convscope.training.api import take_objects
from convscope.training.callbacks.base import Callback
from convscope.training.config import TrainConfig
from convscope.training.folds.folder import FoldsFolder
from convscope.training.folds.loop import CrossValidation, Watch
from convscope.training.folds.result import CrossValidationResult
from convscope.training.keywords import TrainSettings
from convscope.training.own_augmentation import is_own
from convscope.training.progress import show_notes, watched
from convscope.training.recipe import requested_config
from convscope.training.setting import settings_of
from convscope.training.signature import takes_settings

_FIXED = ("data", "folds", "repeats", "out", "callbacks", "progress")


@takes_settings(TrainConfig)
def cross_validate(
    data: DataLike = "digits",
    *,
    folds: int = 5,
    repeats: int = 1,
    out: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    **settings: Unpack[TrainSettings],
) -> CrossValidationResult:
    """Train a network for each of several folds of the data, and test each on its own fold.

    The images are divided into `folds`, stratified by class, with groups and copies of an image
    undivided. Each fold is the test of one training, whose validation images are taken from the
    others; so every image is predicted once, by a network that has never seen its group. With
    `repeats`, all of it is done again with the folds of the next `split_seed`. Images of the data's
    own test split take part in nothing.

    `out` is the folder to create, with a run for each fold, predictions.csv and summary.json. The
    same call with the same `out` goes on with a cross-validation that was interrupted. A
    `torch.nn.Module` as `model` is not trained itself: each fold trains a copy. All else is as in
    `convscope.train`.

    Raises RequestError for an invalid request, such as a class with fewer groups than folds,
    WorkError for work that failed, Interrupted when a signal asked to stop.
    """
    given, notes = synonyms.translate(settings, [*_FIXED, *settings_of(TrainConfig)])
    fixed: dict[str, Any] = dict(data=data, folds=folds, repeats=repeats, out=out)
    fixed |= {name: given.pop(name) for name in fixed.keys() & given.keys()}
    module, function = take_objects(given)
    validation = CrossValidation(
        fixed["data"],
        requested_config(given),
        given.keys(),
        module,
        function,
        lambda: watched(progress=progress),
        callbacks,
    )
    show_notes(notes, progress=progress)
    folder = None if fixed["out"] is None else Path(fixed["out"])
    return validation.run(fixed["folds"], fixed["repeats"], folder)


def resume_folds(
    path: str | PathLike[str],
    watch: Watch,
    *,
    data: str | None = None,
    model: str | None = None,
    augment: str | None = None,
) -> CrossValidationResult:
    """Go on with the first fold of a cross-validation that is not finished.

    Raises RequestError for one that was begun in Python with objects handed over, and ConsentError
    for code that its file names and the caller does not.
    """
    folder = FoldsFolder(Path(path))
    request = folder.read_request()
    data = data or request.data
    config = named_again(
        path, request.config, "cross_validate", data=data, model=model, augment=augment
    )
    validation = CrossValidation(data, config, watch=watch)
    return validation.run(request.folds, request.repeats, folder.path)


def named_again(
    path: str | PathLike[str],
    config: TrainConfig,
    function: str,
    *,
    data: str,
    model: str | None,
    augment: str | None,
) -> TrainConfig:
    """The settings in the file of several trainings, with the code that its caller names again.

    Raises RequestError, with the `function` of Python, for what was handed over as an object, and
    ConsentError for code that the caller does not name.
    """
    handed_over = [data] if data.startswith("<") else []
    own = config.augment or ""
    handed_over += [own] if own.startswith(HANDED_OVER) else []
    if handed_over:
        raise RequestError(
            f"{path} was begun with an object that was handed over, {handed_over[0]}. Call "
            f"convscope.{function} again as before, with out={str(path)!r}."
        )
    for setting, code, named in (
        ("model", config.model if is_own_code(config.model) else "", model),
        ("augment", own if is_own(own) else "", augment),
    ):
        if code and named is None:
            raise named_by_file(path, code, setting)
    return replace(config, model=model or config.model, augment=augment or config.augment)
