"""Starting a training: from a request to a run folder with a tested network."""

import contextlib
import time
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from convscope.data.augmentation.own_function import Transform
from convscope.data.boxes.sizes import refuse_other_sizes
from convscope.data.dataset import Dataset
from convscope.data.folds import Fold
from convscope.data.loaded import LoadedDataset
from convscope.data.source import DataLike, open_source
from convscope.data.split import write_splits
from convscope.distributed.group import ALONE, Group
from convscope.distributed.joining import own_device
from convscope.errors import RequestError
from convscope.evaluation.imbalance import imbalance_of_labels, imbalance_of_training
from convscope.mixed_precision import check_precision
from convscope.runs.folder import Run, slugify
from convscope.runs.network import save_model_source
from convscope.runs.trained_images import write_trained_images
from convscope.signals import undone_by_exit
from convscope.training.assemble import Session, Task, assemble
from convscope.training.bf16_trial import bf16_note
from convscope.training.callbacks.base import Callback, CallbackList
from convscope.training.callbacks.early_stopping import warning
from convscope.training.callbacks.interrupt import StopRequest, handle_signals
from convscope.training.callbacks.live_status import LiveStatus
from convscope.training.callbacks.turns import in_turn
from convscope.training.config import AUTO, TrainConfig
from convscope.training.default_network import choose_network
from convscope.training.division import divide, validation_share
from convscope.training.duplicates import settle_duplicates
from convscope.training.effects import check_validation, without_effect, without_effect_on
from convscope.training.executors.base import Executor
from convscope.training.executors.fsdp import check_several
from convscope.training.fine_tuning import describe_recipe
from convscope.training.finish import fit_and_test, naming_checkpoint, restored
from convscope.training.image_sample import sample_images
from convscope.training.initial_weights import (
    keep_own_weights,
    load_pretrained,
    opened_weights,
    with_published_weights,
)
from convscope.training.loggers.choice import check_installed
from convscope.training.memory_check import check_memory
from convscope.training.network import RequestedNetwork
from convscope.training.output import with_output
from convscope.training.own_augmentation import RequestedAugmentation
from convscope.training.prepare import (
    finalize_preprocessing,
    infer_preprocessing,
    load_checked,
)
from convscope.training.recipe import announcement
from convscope.training.run_config import check_disk_space, problems_csv, run_config
from convscope.training.source_warnings import warn_of_blank, warn_of_files
from convscope.training.tasks import settle_task
from convscope.training.trainer import Trainer
from convscope.training.whitening import fit_whitening
from convscope.weights.class_names import parse_class_names
from convscope.zoo import default_lr
from convscope.zoo.files import short_name

Result = TypeVar("Result")
Finish = Callable[[Trainer, Task, Session, float], Result]
"""Does what is left once a training is built: trains, and tests or not."""


@dataclass(frozen=True)
class Prepared:
    """A training that is ready for its first step; of its run, nothing is written yet.

    Attributes:
        splits: the text of splits.csv.
        network, function: as they were asked for.
    """

    trainer: Trainer
    task: Task
    session: Session
    status: LiveStatus
    splits: str
    network: RequestedNetwork
    function: RequestedAugmentation


def train_run(
    data: DataLike,
    config: TrainConfig,
    *,
    given: Collection[str] = (),
    out: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    module: nn.Module | None = None,
    function: Transform | None = None,
    ahead: Callable[[], Dataset | None] = lambda: None,
    fold: Fold | None = None,
    group: Group = ALONE,
    finish: Finish[Result] = fit_and_test,
) -> Result:
    """`convscope.train` with its settings in one object; see `prepared`.

    `finish` does what is left once everything is built.
    """
    began = time.perf_counter()
    with prepared(
        data, config, given=given, out=out, callbacks=callbacks, module=module, function=function,
        ahead=ahead, fold=fold, group=group,
    ) as ready:  # fmt: skip
        task, trainer, session = ready.task, ready.trainer, ready.session
        _tell_bf16(task, trainer, given, session.user)
        _write_start(data, task, session, ready.splits, trainer.executor)
        ready.network.remember(session.run, task.card, task.config, session.user)
        ready.function.remember(session.run, session.user)
        with ready.status.session() if group.is_first else contextlib.nullcontext():
            return finish(trainer, task, session, began)


@contextlib.contextmanager
def prepared(
    data: DataLike,
    config: TrainConfig,
    *,
    given: Collection[str] = (),
    out: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    module: nn.Module | None = None,
    function: Transform | None = None,
    ahead: Callable[[], Dataset | None] = lambda: None,
    fold: Fold | None = None,
    group: Group = ALONE,
) -> Generator[Prepared]:
    """Everything up to the first step; threads and random state are restored at the end.

    `given` are the settings that a person set. `module` is the network itself, and `function` the
    augmentation, where they were handed over in place of a name. `ahead` returns the data, if they
    have been opened already; see `convscope.data.ahead`. `fold` is what is tested, of a
    cross-validation. `group` are the processes that train together, of which the first writes the
    run. A run to which no config.toml was written is removed at the end.
    """
    user = CallbackList(callbacks)
    check_installed(config.log)
    requested, weights = named_network(config.model, module), None  # before any data is opened
    own, asked = RequestedAugmentation.of(config.augment, function), config
    model = requested.model if requested else AUTO
    config = with_published_weights(replace(config, model=model, augment=own.text), requested)
    device = _device(config, user, group)
    with in_turn(group, "data", "to open the data", user) as watching:
        opened = open_data(data, config, watching, ahead)
    opened, dataset, config = _divided(opened, config, fold, user)
    sample = sample_images(dataset)
    if requested is None:
        weights = opened_weights(config, user)
        fitting = group.decided(
            lambda: choose_network(
                dataset, sample, config, given=given, weights=weights, device=device
            ),
            "at the choice of a network",
        )
        requested, config = RequestedNetwork.of(fitting.model, None), fitting.applied(config)
        user = fitting.announced(user, dataset)
    config = config.with_defaults()
    for sentence in _notes(opened, dataset, data, config, given, fold):
        user.message(sentence)
    run = _created(out, config, dataset, group)
    with restored(config), handle_signals() as request, _written(run, request, group):
        with in_turn(group, "weights", "to open the weights", user) as watching:
            weights = weights or opened_weights(config, watching)
        start = (weights.card if weights else None) or requested.card(user)
        card = infer_preprocessing(
            dataset, sample, config, user, start, default=requested.default_input
        )
        warn_of_files(dataset, card, user, min_size=requested.min_size)
        own.check(card)
        with in_turn(group, "images", "to read the images", user) as watching:
            refuse_other_sizes(dataset)
            loaded = load_checked(dataset, card, config, watching, group)
        loaded = settle_duplicates(opened, loaded, config, user, fold)
        num_images = len(loaded.dataset.indices("train"))
        config = _resolved(config, asked, loaded, user)
        splits = write_splits(loaded.dataset)
        card = finalize_preprocessing(card, loaded, splits, config, start)
        torch.manual_seed(config.seed)
        network, config = requested.build(card, config)
        requested.check(network, card, config, num_images, user)
        card = with_output(card, network, user, precision=config.precision)
        if weights is not None:  # whose memory is free then
            card, weights = load_pretrained(weights, network, card, config.weights_layers), None
        if config.pretrained:
            card, config = keep_own_weights(network, requested.model, card, config, stated=start)
        fit_whitening(network, loaded, card, user)
        session = Session(run, request, user, group)
        task = Task.of(network, loaded, card, config, device, own.function)
        status = LiveStatus(session.live, request)
        trainer = assemble(task, session, status)
        check_memory(task, trainer.executor, group)
        yield Prepared(trainer, task, session, status, splits, requested, own)


def fitted_config(
    dataset: Dataset, config: TrainConfig, given: Collection[str], user: CallbackList
) -> TrainConfig:
    """The settings with the network, for several trainings, that fits the images of a division."""
    config = with_published_weights(config)
    weights, device = opened_weights(config, user), own_device(config.device, ALONE)
    sample = sample_images(dataset)
    fitting = choose_network(dataset, sample, config, given=given, weights=weights, device=device)
    if fitting.reason:
        user.message(fitting.reason)
    return fitting.applied(config)


def named_network(model: str, module: nn.Module | None) -> RequestedNetwork | None:
    """The network that was named or handed over; None for one that is to be chosen.

    Raises RequestError for a name that nobody has.
    """
    return None if module is None and model == AUTO else RequestedNetwork.of(model, module)


def _divided(
    opened: Dataset, config: TrainConfig, fold: Fold | None, user: CallbackList
) -> tuple[Dataset, Dataset, TrainConfig]:
    """The data with their task, the same with a split for each image, and what was decided."""
    opened, config = settle_task(opened, config, user.message)
    config = replace(config, val=validation_share(opened, config))
    return opened, divide(opened, config, fold), config


def _device(config: TrainConfig, user: CallbackList, group: Group) -> torch.device:
    if config.fsdp:
        check_several(group)
    device = own_device(config.device, group)
    if note := check_precision(device, config.precision):
        user.message(note)
    return device


def _resolved(
    config: TrainConfig, asked: TrainConfig, loaded: LoadedDataset, user: CallbackList
) -> TrainConfig:
    """The settings with nothing open; told: imbalance, blank images, what fine-tuning decided."""
    num_images = len(loaded.dataset.indices("train"))
    _tell_imbalance(loaded.dataset, num_images, user)
    warn_of_blank(loaded, user)
    config = config.resolve(num_images, default_lr=default_lr(config.model))
    if config.fine_tunes and (recipe := describe_recipe(vars(config), vars(asked))):
        user.message(recipe)
    return config


def _tell_imbalance(dataset: Dataset, num_images: int, user: CallbackList) -> None:
    counts = dataset.counts("train")
    if dataset.is_multi_label:
        imbalance = imbalance_of_labels(dataset.classes, counts, num_images)
    else:
        imbalance = imbalance_of_training(dataset.classes, counts)
    if imbalance:
        user.message(imbalance)


def _tell_bf16(task: Task, trainer: Trainer, given: Collection[str], user: CallbackList) -> None:
    if "precision" not in given and (note := bf16_note(task, trainer.executor, trainer.limits)):
        user.message(note)


def open_data(
    data: DataLike,
    config: TrainConfig,
    user: CallbackList,
    ahead: Callable[[], Dataset | None] = lambda: None,
) -> Dataset:
    """The data with the splits of its source."""
    names, options = label_names(config, data), config.data_options()
    is_plain = names is None and {*options.values()} <= {None, "auto"}
    if is_plain and (opened := ahead()):
        return opened
    return open_source(
        data,
        data_dir=config.data_dir,
        class_names=names,
        on_progress=user.downloading,
        **options,
    )


def _notes(
    opened: Dataset,
    dataset: Dataset,
    data: DataLike,
    config: TrainConfig,
    given: Collection[str],
    fold: Fold | None,
) -> Iterator[str]:
    """What the user should know about the settings. Raises RequestError for some of them."""
    if config.recipe is not None:
        yield announcement(config.recipe, data)
    yield from without_effect(config, given)
    if fold is None:  # whose splits are its own
        yield from without_effect_on(opened, data, given)
    yield from check_validation(config, dataset, given)
    if sentence := warning(config):
        yield sentence


def label_names(config: TrainConfig, data: DataLike) -> Sequence[str] | None:
    """The names of integer labels; with `weights`, `class_names` are those of its outputs.

    Published weights are named already, see `with_published_weights`.

    Raises RequestError for names of data that have their own.
    """
    if config.class_names is None or config.weights is not None:
        return None
    if isinstance(data, str | Path):
        raise RequestError(
            "`class_names` are those of `weights`, or of labels that are handed over in Python; "
            "the images of a folder or a CSV file have theirs."
        )
    return parse_class_names(config.class_names)


def _created(out: str | Path | None, config: TrainConfig, dataset: Dataset, group: Group) -> Run:
    """The folder of the run, created by the first process."""
    name = f"{slugify(short_name(config.model))}_{slugify(dataset.name)}"
    path = Path(out) if out else None
    return group.decided(lambda: Run.create(path, name=name), "at the run folder")


def _write_start(
    data: DataLike, task: Task, session: Session, splits: str, executor: Executor
) -> None:
    """Write what a resume needs beside the checkpoint; config.toml, the last, makes it a run."""
    run, group = session.run, session.group
    if not group.is_first:
        return
    tensors = task.network.state_dict().values()
    check_disk_space(run.path, sum(tensor.numel() * tensor.element_size() for tensor in tensors))
    save_model_source(run, task.config.model)
    run.write("card.json", task.card.to_json())
    run.write("splits.csv", splits)
    write_trained_images(run, task.loaded)
    run.write("problems.csv", problems_csv(task.loaded))
    config = replace(task.config, engine=executor.name, simd_width=executor.simd_width)
    run.write_config(run_config(data, config, task.loaded, task.inputs.device, group))


@contextlib.contextmanager
def _written(run: Run, request: StopRequest, group: Group) -> Generator[None]:
    """A run that only the first process writes."""
    request.run = run
    if not group.is_first:
        yield
        return
    with run.locked(), _discarded_unless_begun(run), naming_checkpoint(run):
        yield


@contextlib.contextmanager
def _discarded_unless_begun(run: Run) -> Generator[None]:
    """A request that is refused leaves no folder behind."""
    try:
        with undone_by_exit(run.discard_if_unstarted):
            yield
    finally:
        run.discard_if_unstarted()
