"""`train` and `resume`: the Python face of training."""

from collections.abc import Collection, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Unpack, cast

from torch import nn

from convscope import synonyms
from convscope.data.augmentation.own_function import Transform
from convscope.data.source import DataLike
from convscope.distributed.joining import joined
from convscope.errors import RequestError
from convscope.runs.own_code import Consent
from convscope.training.callbacks.base import Callback, CallbackList
from convscope.training.config import TrainConfig
from convscope.training.folds.folder import FoldsFolder
from convscope.training.keywords import TrainSettings
from convscope.training.launched import train_together
from convscope.training.longer import with_length
from convscope.training.progress import watched
from convscope.training.recipe import requested_config
from convscope.training.result import TrainingResult
from convscope.training.resumption import resume_run
from convscope.training.setting import settings_of
from convscope.training.signature import takes_settings
from convscope.training.tuning.folder import TuningFolder

_FIXED = ("data", "out", "callbacks", "progress")


@takes_settings(TrainConfig)
def train(
    data: DataLike = "digits",
    *,
    out: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    **settings: Unpack[TrainSettings],
) -> TrainingResult:
    """Train a network on labeled images and test it once, with the best weights, at the end.

    `data` is a named data set, a folder, a CSV file, (images, labels), a torch Dataset or a Hugging
    Face data set, or a dictionary of splits of these; `out` is the run folder to create;
    `callbacks` are called at every stage, see `convscope.Callback`; `progress` shows a bar and a
    line per epoch, in a notebook below the cell, elsewhere on standard error; `settings` are the
    fields of `TrainConfig`, which the command line has as flags. `model` may also be a
    `torch.nn.Module`, which is trained in place, and `augment` a function, or a transform of
    torchvision: it is called with each training image, a uint8 tensor (c, h, w) of the network's
    input size, and returns another one.

    Raises RequestError for an invalid request, WorkError for work that failed, Interrupted when a
    signal asked to stop.
    """
    _refuse_folds(settings)
    given, notes = synonyms.translate(settings, [*_FIXED, *settings_of(TrainConfig)])
    for name, value, default in (("data", data, "digits"), ("out", out, None)):
        if name in given and value is not default:
            raise RequestError(f"`{name}` is given twice, once by another name.")
    data, out = given.pop("data", data), given.pop("out", out)
    module, function = take_objects(given)
    config = requested_config(given)
    with watched(progress=progress) as watchers:
        for note in notes:
            CallbackList(watchers).message(note)
        return train_together(
            data,
            config,
            given=given.keys(),
            out=out,
            callbacks=[*callbacks, *watchers],
            module=module,
            function=function,
        )


def take_objects(given: dict[str, Any]) -> tuple[nn.Module | None, Transform | None]:
    """The network and the augmentation that settings hand over; names stand for them in `given`.

    Raises RequestError for the class of a network.
    """
    module = given.get("model")
    augment = given.get("augment")
    function = cast("Transform", augment) if callable(augment) else None
    if isinstance(module, type):
        raise RequestError(
            f"`model` is the class {module.__name__}. Pass a network, {module.__name__}(...), or a "
            "name."
        )
    if isinstance(module, nn.Module):
        given["model"] = type(module).__name__
    if function is not None:
        given["augment"] = "own:function"
    return module if isinstance(module, nn.Module) else None, function


def _refuse_folds(settings: Collection[str]) -> None:
    """Folds have a function of their own here, which returns another result."""
    for name in settings:
        found = None if name in settings_of(TrainConfig) else synonyms.of_folds(name)
        if found is not None:
            raise RequestError(
                f"There is no `{name}` here: cross-validation is "
                "convscope.cross_validate(data, folds=5), with the same settings."
            )


@synonyms.takes_synonyms
def resume(
    run: str | PathLike[str],
    *,
    epochs: int | None = None,
    steps: int | None = None,
    max_minutes: float | None = None,
    data: DataLike | None = None,
    model: str | nn.Module | None = None,
    augment: str | Transform | None = None,
    trust: bool = False,
    threads: int | None = None,
    device: str | None = None,
    log: str | Sequence[str] | None = None,
    fsdp: bool | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
) -> TrainingResult:
    """Resume a training exactly where it stopped, or train it for longer; see `train`.

    With the same machine and threads the result has the same bits as one that was never stopped;
    otherwise a message says why not. Callbacks are not saved: pass them again. A finished run is
    returned as it is.

    `epochs`, `steps` or `max_minutes` is a new length, the total counted from the start of the run.
    A finished run goes on, from its last weights, as a training of that length: the schedule
    stretches, so that a learning rate that had come down rises again. The best weights so far
    remain until there are better ones, the test is made anew.

    `data` is where the same images are now, if they were moved or handed over in Python; `model`
    is, for a run of a network of your own, that code again, module:attr, or a network of the same
    architecture, which is trained in place; `augment` is the same for a function of your own that
    augments its images; `trust` allows the code that the run recorded, as long
    as it is unchanged, see `convscope.load`; and the weights to start from, if there is no
    checkpoint yet. `fsdp` is whether processes of torchrun divide the network, if not as before.
    `log` is where else metrics are logged from now on, as in `train`; "none" ends it.
    """
    if TuningFolder.is_one(run):
        raise RequestError(
            f"{run} is a search. Call convscope.tune again as before, with out={str(run)!r}: it "
            "goes on where it was."
        )
    if FoldsFolder.is_one(run):
        raise RequestError(
            f"{run} is a cross-validation. Call convscope.cross_validate again as before, with "
            f"out={str(run)!r}: it goes on with the first fold that is not finished."
        )
    with watched(progress=progress) as watchers, joined() as group:
        return resume_run(
            run,
            partial(with_length, epochs=epochs, steps=steps, max_minutes=max_minutes),
            data=data,
            consent=Consent(model, trust),
            augment=augment,
            threads=threads,
            device=device,
            log=None if log is None else TrainConfig.from_dict({"log": log}).log,
            fsdp=fsdp,
            callbacks=[*callbacks, *watchers] if group.is_first else [],
            group=group,
        )
