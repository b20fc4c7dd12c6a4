"""`convscope resume`."""

from functools import partial
from typing import Annotated

from cyclopts import Parameter

from convscope.cli.options import Json, OptionalInt, OwnAugmentation, OwnCode, Trust
from convscope.device import keep_freed_memory
from convscope.distributed.launch import is_first
from convscope.errors import RequestError
from convscope.startup import collect_again

_LENGTH = Parameter(group="Length")
_OF_THE_LAB = Parameter(name="--trust-signed", negative="", show=False)


def resume(
    run: str,
    /,
    *,
    epochs: Annotated[OptionalInt, _LENGTH] = None,
    steps: Annotated[OptionalInt, _LENGTH] = None,
    max_minutes: Annotated[float | None, _LENGTH] = None,
    data: str | None = None,
    model: OwnCode = None,
    augment: OwnAugmentation = None,
    trust: Trust = False,
    signed: Annotated[bool, _OF_THE_LAB] = False,
    threads: OptionalInt = None,
    device: str | None = None,
    log: str | None = None,
    fsdp: bool | None = None,
    json: Json = False,
) -> None:
    """Resume a training exactly where it stopped, or train it for longer.

    With another length, a run goes on from where it is as a training of that length: the learning
    rate schedule stretches, so a rate that had come down rises again. The best weights so far are
    kept until there are better ones, and the test is made anew.

    Parameters
    ----------
    run
        A run folder, or that of a cross-validation or of a search, which goes on with its first
        unfinished fold or trial.
    epochs
        Passes over the training images in all, counted from the start of the run.
    steps
        Batches to train on in all, instead of epochs.
    max_minutes
        Minutes to train for in all, instead of epochs.
    data
        Where the data are now, if they were moved.
    threads
        CPU threads; by default as before. Another number gives results that differ in rounding.
    device
        Where to compute; by default as before.
    log
        Where else metrics are logged from now on: csv, tensorboard, mlflow, wandb, several with
        commas, or none; by default as before.
    fsdp
        Whether several processes divide the network among them; by default as before.
    """
    keep_freed_memory()
    from convscope.cli.terminal import (  # noqa: PLC0415 -- torch
        print_folds,
        print_result,
        print_tuning,
        training_progress,
        training_shown,
    )
    from convscope.distributed.joining import joined  # noqa: PLC0415
    from convscope.runs.folder import Run  # noqa: PLC0415
    from convscope.runs.own_code import Consent  # noqa: PLC0415
    from convscope.training.folds.api import resume_folds  # noqa: PLC0415
    from convscope.training.folds.folder import FoldsFolder  # noqa: PLC0415
    from convscope.training.longer import with_length  # noqa: PLC0415
    from convscope.training.resumption import resume_run  # noqa: PLC0415
    from convscope.training.tuning.api import resume_tuning  # noqa: PLC0415
    from convscope.training.tuning.folder import TuningFolder  # noqa: PLC0415

    collect_again()
    watch = partial(training_shown, json=json)
    changes = (epochs, steps, max_minutes, threads, device, log, fsdp)
    if TuningFolder.is_one(run):
        _refuse_changes(run, "search", *changes)
        tuned = resume_tuning(run, watch, data=data, model=model, augment=augment)
        print_tuning(tuned, json=json)
        return
    if FoldsFolder.is_one(run):
        _refuse_changes(run, "cross-validation", *changes)
        result = resume_folds(run, watch, data=data, model=model, augment=augment)
        print_folds(result, json=json)
        return
    with training_progress(json=json) as terminal:
        with joined() as group:
            trained = resume_run(
                run,
                partial(with_length, epochs=epochs, steps=steps, max_minutes=max_minutes),
                data=data,
                consent=Consent(model, trust, signed),
                augment=augment,
                threads=threads,
                device=device,
                log=log,
                fsdp=fsdp,
                callbacks=[terminal] if group.is_first else [],
                group=group,
            )
        if is_first():
            trained_on = str(Run(trained.run).read_config().get("data", ""))
            print_result(terminal, trained, json=json, data=trained_on)


def _refuse_changes(run: str, kind: str, *changes: float | str | None) -> None:
    """Several trainings stay as they began."""
    if {*changes} != {None}:
        raise RequestError(
            f"{run} is a {kind}, whose trainings all have the settings that it began with. Start "
            "another one with `out`."
        )
