"""Going on with a training: where it stopped, or for longer than it was to take."""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from convscope.card import Card
from convscope.data.augmentation.own_function import Transform
from convscope.data.classes import match_classes
from convscope.data.loading import LoadedDataset
from convscope.data.options import saved_options
from convscope.data.source import DataLike, open_source
from convscope.data.split import apply_splits
from convscope.distributed.group import ALONE, Group
from convscope.distributed.joining import own_device
from convscope.errors import RequestError, shell_word
from convscope.mixed_precision import check_precision
from convscope.recording.wrappers import unwrapped
from convscope.runs import own_code
from convscope.runs.folder import Run
from convscope.runs.network import rebuild
from convscope.runs.own_code import NO_CONSENT, Consent
from convscope.runs.tensor_file import TensorFile
from convscope.training import longer, own_augmentation
from convscope.training.assemble import Session, Task, assemble
from convscope.training.callbacks.base import Callback, CallbackList
from convscope.training.callbacks.checkpoint import check_metadata
from convscope.training.callbacks.interrupt import handle_signals
from convscope.training.callbacks.live_status import LiveStatus
from convscope.training.callbacks.turns import in_turn
from convscope.training.config import TrainConfig, decided
from convscope.training.executors.fsdp import check_several
from convscope.training.finish import fit_and_test, naming_checkpoint, restored
from convscope.training.initial_weights import load_pretrained, opened_weights
from convscope.training.loggers.choice import check_installed
from convscope.training.made_with import restore_metrics, settings_in, unchanged_settings
from convscope.training.prepare import load_checked
from convscope.training.result import TrainingResult
from convscope.training.run_config import environment, environment_changes, recorded_data
from convscope.training.start import Finish, Result, label_names
from convscope.training.trainer import Trainer
from convscope.training.whitening import fit_whitening
from convscope.zoo.table_file import errors_at

_WRITTEN_AT_THE_END = ("test.json", "report.html")


def resume_run(
    run: str | PathLike[str],
    change: Callable[[TrainConfig], TrainConfig] = lambda config: config,
    *,
    data: DataLike | None = None,
    consent: Consent = NO_CONSENT,
    augment: str | Transform | None = None,
    threads: int | None = None,
    device: str | None = None,
    fsdp: bool | None = None,
    log: str | None = None,
    callbacks: Sequence[Callback] = (),
    group: Group = ALONE,
    finish: Finish[Result] = fit_and_test,
) -> TrainingResult | Result:
    """`convscope.resume`; `change` sets another length, see `longer.with_length`.

    `augment` is the user's own function of a run that has one, again. `fsdp` and `log` are those of
    the run where they are None. `group` are the processes that train together, of which the first
    writes the run; `finish` as in `train_run`.
    """
    if threads is not None and threads < 1:
        raise RequestError(f"`threads` must be at least 1, not {threads}.")
    began, user, folder = time.perf_counter(), CallbackList(callbacks), Run.open(run)
    saved = folder.read_config() | ({} if log is None else {"log": log})
    now = settings_in(saved, source=str(folder.path / "config.toml"))
    config = change(now)
    check_installed(config.log)
    chosen = own_device(device, group) if device else _same_device(folder, saved, group)
    running = _running(config, saved, threads, group, fsdp=fsdp)
    check_precision(chosen, config.precision)
    lock = folder.locked() if group.is_first else nullcontext()
    with restored(running), handle_signals() as request, lock:
        request.run = folder
        stored = _stored(folder, user)
        folder.read_card()  # checks it
        before = now if stored is None else unchanged_settings(folder, saved, stored)
        if stored is not None and (restored_metrics := restore_metrics(folder, stored)):
            user.message(restored_metrics)
        if config == before and _is_finished(folder, saved, stored):
            user.message(_finished(folder, before))
            group.wait("at a finished run")
            return TrainingResult.read(folder, seconds=time.perf_counter() - began)
        session = Session(folder, request, user, group)
        with _written(session) as status:
            trainer, task = _reassemble(
                session, status, saved, running, chosen, stored, data, consent, augment
            )
            if config != before:
                longer.check_longer(config, trainer.limits, trainer.state)
                saved = longer.config_of_longer(saved, before, config, trainer.state)
            if data is not None:
                saved = {**saved, "data": recorded_data(data)}
            if isinstance(consent.model, str):
                saved = own_code.renamed(saved, consent.model)
            if group.is_first:
                folder.write_config(saved)
            if config != before or longer.is_at_its_old_end(saved, trainer.state):
                _begin_again(session, trainer, config, was_done=trainer.state.done)
            return finish(trainer, task, session, began)


def _running(
    config: TrainConfig,
    saved: Mapping[str, Any],
    threads: int | None,
    group: Group,
    *,
    fsdp: bool | None,
) -> TrainConfig:
    """The settings with what may be another one in each process that goes on with a run."""
    if fsdp:
        check_several(group)
    return replace(
        config,
        threads=threads or saved["machine"]["threads"],
        fsdp=config.fsdp if fsdp is None else fsdp,
    )


@contextmanager
def _written(session: Session) -> Generator[LiveStatus]:
    """The status of a run, which the first process writes."""
    status = LiveStatus(session.live, session.request)
    if not session.group.is_first:
        yield status
        return
    with status.session(), naming_checkpoint(session.run):
        yield status


def _same_device(run: Run, saved: Mapping[str, Any], group: Group) -> torch.device:
    with errors_at(str(run.path / "config.toml")):
        return own_device(saved["machine"]["device"], group)


def _stored(run: Run, user: CallbackList) -> TensorFile | None:
    """The last intact state; None if the run was stopped before its first checkpoint.

    Raises RequestError if the checkpoints of a run with weights are gone.
    """
    stored, skipped = run.read_state()
    for problem in skipped:
        user.message(f"{problem} The checkpoint before it is used.")
    if stored is not None:
        check_metadata(stored, where=f"The checkpoint in {run.path / 'last'}")
    elif run.has_weights:
        config = shell_word(run.path / "config.toml")
        raise RequestError(
            f"{run.path} has weights and no checkpoint: without {run.path / 'last'} it cannot go "
            "on, and beginning again would replace its weights. Restore that folder, or start a "
            f"new run from these weights: `convscope train --config {config} --weights "
            f"{shell_word(run.path)}`."
        )
    return stored


def _is_finished(run: Run, saved: dict[str, Any], stored: TensorFile | None) -> bool:
    """Whether a run has come to its end, and has all that is written then."""
    if stored is None or not all((run.path / name).exists() for name in _WRITTEN_AT_THE_END):
        return False
    state = stored.metadata["state"]
    return state["done"] and saved.get(longer.TABLE, {}).get("step") != state["step"]


def _finished(run: Run, config: TrainConfig) -> str:
    """What is said of a run that is finished, and how to go on."""
    name = next(name for name in reversed(longer.LENGTHS) if getattr(config, name) is not None)
    return (
        f"{run.path} is finished: it was trained for {longer.length(config)} and tested. To train "
        "it for longer, resume it with a larger total, such as "
        f"`{name}={2 * getattr(config, name)}`."
    )


def _begin_again(
    session: Session, trainer: Trainer, config: TrainConfig, *, was_done: bool
) -> None:
    """Go on after the end of a shorter training; its test is no longer that of the run."""
    state = trainer.state
    if was_done:
        longer.go_on(state)
        for name in _WRITTEN_AT_THE_END if session.group.is_first else ():
            session.run.remove(name)
    session.user.message(longer.sentence(config, state, lr=trainer.lr(state)))


def _reassemble(
    session: Session,
    status: LiveStatus,
    saved: dict[str, Any],
    config: TrainConfig,
    device: torch.device,
    stored: TensorFile | None,
    data: DataLike | None,
    consent: Consent,
    augment: str | Transform | None,
) -> tuple[Trainer, Task]:
    """The trainer of a run, in the state that is stored."""
    run, user, group = session.run, session.user, session.group
    function = own_augmentation.resumed(run, saved, decided(config.augment), augment, consent)
    card = run.read_card()
    if run.card_note:
        user.message(run.card_note)
    with in_turn(group, "images", "to read the images", user) as watching:
        loaded = _same_data(run, saved, card, config, watching, data, group)
    now = environment(device, group, precision=config.precision)
    changed = environment_changes(saved["machine"], now)
    if config.fsdp != saved.get("fsdp", False):
        changed.append(f"fsdp was {not config.fsdp} and is {config.fsdp}")
    if changed:
        user.message(f"Not bit-identical to an uninterrupted run: {', '.join(changed)}.")
    torch.manual_seed(config.seed)
    network, note = rebuild(run, saved, card, consent)
    if note:
        user.message(note)
    vars(unwrapped(network))["card"] = card  # as `train` leaves it on a network
    if stored is None and config.weights is not None:
        own_code.check_weights(run, saved, consent)
    weights = opened_weights(config, user) if stored is None else None
    if weights is not None:  # it was stopped before its first checkpoint
        load_pretrained(weights, network, card, config.weights_layers)
    if stored is None:
        fit_whitening(network, loaded, card, user)
    if card != card.of_training:
        card = card.of_training
        vars(unwrapped(network))["card"] = card
        if group.is_first:
            run.replace_card(card)
        user.message(
            "What was chosen for the weights so far, as a temperature or a threshold, is taken "
            "back: it may not suit the weights that follow. Choose it again after the training."
        )
    task = Task.of(network, loaded, card, config, device, function)
    return assemble(task, session, status, stored=stored, resumes=True), task


def _same_data(
    run: Run,
    saved: dict[str, Any],
    card: Card,
    config: TrainConfig,
    user: CallbackList,
    data: DataLike | None,
    group: Group,
) -> LoadedDataset:
    """The data of a run, as they were. Raises RequestError where they have changed."""
    source = saved["data"] if data is None else data
    name = source if isinstance(source, str) else recorded_data(source)
    try:
        dataset = open_source(
            source,
            data_dir=config.data_dir,
            class_names=None if isinstance(source, str | Path) else label_names(config, source),
            **saved_options(saved),
        )
    except RequestError as error:
        if data is not None or str(source).startswith("<"):  # handed over in Python
            raise
        raise RequestError(
            f"The data of {run.path} cannot be opened. {error} If they were moved, say where they "
            "are now with `data`."
        ) from error
    dataset = match_classes(dataset, card.classes)
    splits = run.read_bound("splits.csv", card)
    dataset = apply_splits(dataset, splits, where=str(run.path / "splits.csv"))
    loaded = load_checked(dataset, card, config, user, group)
    if loaded.fingerprint != saved["dataset"]["fingerprint"]:
        raise RequestError(
            f"The images of {name} are not those that {run.path} was trained on. "
            "Restore them, or start a new run."
        )
    return loaded
