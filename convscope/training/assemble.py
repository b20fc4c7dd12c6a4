"""Putting a trainer together: from data, a network and settings to everything that `fit` needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from convscope.card import Card
from convscope.data.augmentation.own_function import OwnFunction
from convscope.data.classes import match_classes
from convscope.data.fit_objects import fitted
from convscope.data.loading import LoadedDataset
from convscope.data.mixing import Mixing
from convscope.distributed.group import ALONE, Group
from convscope.evaluation.batch_size import choose_feeding
from convscope.evaluation.measure import compute_metrics
from convscope.evaluation.metrics import METRICS
from convscope.evaluation.multi_label import AnyMetrics
from convscope.forward import like_parameters
from convscope.runs.folder import Run
from convscope.runs.live_files import Live
from convscope.runs.tensor_file import TensorFile
from convscope.runs.weight_values import infinite_buffers
from convscope.training.augmentation import augmentation_of
from convscope.training.batches import TrainingBatches
from convscope.training.callbacks.agreement import Agreement
from convscope.training.callbacks.base import Callback, CallbackList
from convscope.training.callbacks.best_weights import BestWeights
from convscope.training.callbacks.checkpoint import Checkpoint, MetricsLog, unpack
from convscope.training.callbacks.early_stopping import EarlyStopping
from convscope.training.callbacks.epoch_weights import EpochWeightsWriter
from convscope.training.callbacks.freeze import LayerFreezing
from convscope.training.callbacks.interrupt import Interrupt, StopRequest
from convscope.training.callbacks.layer_stats import LayerStatsWriter
from convscope.training.callbacks.layer_views import LayerViewWriter
from convscope.training.callbacks.live_status import LiveStatus
from convscope.training.callbacks.loggers import external_logging
from convscope.training.callbacks.loss_scaling import LossScaling
from convscope.training.callbacks.plateau import ReduceOnPlateau
from convscope.training.callbacks.remote_control import RemoteControl
from convscope.training.callbacks.results_csv import ResultsCsv
from convscope.training.callbacks.sharding import Sharding
from convscope.training.callbacks.snapshots import SnapshotWriter
from convscope.training.callbacks.weight_averaging import ExponentialAveraging, StochasticAveraging
from convscope.training.config import TrainConfig, decided
from convscope.training.executors.base import Executor, Inputs
from convscope.training.executors.eager import micro_batches
from convscope.training.executors.factory import ExecutorFactory
from convscope.training.executors.fsdp import ShardedNetwork
from convscope.training.executors.select import select_executor
from convscope.training.learning_rate import LearningRate
from convscope.training.limits import Limits
from convscope.training.loggers.choice import CSV, parse_loggers
from convscope.training.loss import BatchLoss, class_weights
from convscope.training.loss_scaler import LossScaler
from convscope.training.metrics import measured
from convscope.training.nonfinite import check_finite
from convscope.training.optimizer import Optimizer
from convscope.training.schedule import Schedule
from convscope.training.state import TrainState
from convscope.training.trainer import Trainer, Validation
from convscope.training.weight_average import WeightAverage, kept_weights


@dataclass(frozen=True)
class Session:
    """One process's work on a run: where it is written, who watches, who may stop it.

    Of several processes, the first writes, and knows the user.
    """

    run: Run
    request: StopRequest
    user: CallbackList
    group: Group = ALONE

    @property
    def live(self) -> Live:
        return Live(self.run.path)


@dataclass(frozen=True)
class Task:
    """What is trained: a network on its device, data, and what is known of both.

    Attributes:
        function: the user's own, with which images are augmented.
    """

    network: nn.Module
    loaded: LoadedDataset
    card: Card
    config: TrainConfig
    inputs: Inputs
    function: OwnFunction | None = None

    @classmethod
    def of(
        cls,
        network: nn.Module,
        loaded: LoadedDataset,
        card: Card,
        config: TrainConfig,
        device: torch.device,
        function: OwnFunction | None = None,
    ) -> "Task":
        """The task, with the network moved to its device, in the memory layout that it can read."""
        network.to(device)
        channels_last, batch = choose_feeding(network, card, device)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        network.to(memory_format=layout)  # pyright: ignore[reportCallIssue]
        dataset = match_classes(loaded.dataset, card.classes)
        whole = None if loaded.larger is None else dataset.split == "train"
        loaded = replace(loaded, dataset=fitted(dataset, card, whole=whole))
        inputs = Inputs(loaded.batch_source, card, device, channels_last, batch)
        return cls(network, loaded, card, config, inputs, function)


@dataclass(frozen=True)
class SplitValidator:
    """Validates on the images set aside for it, by the executor that trains.

    With `average`, what is validated is the average of the weights.
    """

    executor: Executor
    loaded: LoadedDataset
    card: Card
    average: WeightAverage | None = None

    @property
    def indices(self) -> NDArray[np.int64]:
        return self.loaded.dataset.indices("val")

    @property
    def num_images(self) -> int:
        return len(self.indices)

    def __call__(self, on_batch: Callable[[int], None]) -> Validation:
        indices = self.indices
        with kept_weights(self.average):
            logits = self.executor.logits(indices, on_batch)
        outputs = compute_metrics(logits, self.loaded.dataset.truth(indices), self.card)
        return Validation(measured(outputs.metrics, self.card.task), outputs)


def assemble(
    task: Task,
    session: Session,
    status: LiveStatus,
    *,
    stored: TensorFile | None = None,
    resumes: bool = False,
) -> Trainer:
    """The trainer of a task, in the state that `stored` holds.

    A run that `resumes` may have none yet, and keeps what it began with.
    """
    config, group = task.config, session.group
    is_sharded = config.fsdp and group.size > 1
    sharded = ShardedNetwork(task.network, task.card, group) if is_sharded else None
    network = task.network if sharded is None else sharded.network
    freezing = LayerFreezing(
        network,
        config.freeze,
        every=config.unfreeze_every,
        batch_norm=bool(config.freeze_bn),
    )
    if not config.unfreeze_every:  # then the optimizer keeps nothing for frozen weights
        freezing.apply(epoch=0)
    optimizer = Optimizer(network, config)
    state = TrainState()
    if stored is not None:
        where = _state_path(session.run, stored)
        state = unpack(stored, task.network, optimizer, where=where, card=task.card)
    if sharded is not None:
        sharded.scatter()
    augmentation = augmentation_of(config, task.card, task.loaded, task.function)
    batches = TrainingBatches(
        task.loaded, augmentation, config.images_per_step, config.sampling, _mixing(task), group
    )
    criterion = _criterion(task)
    scaler = LossScaler(task.inputs.device) if config.precision == "fp16" else None
    if scaler is not None and stored is not None:
        scaler.load(stored, where=_state_path(session.run, stored))
    factory = ExecutorFactory(
        task.inputs,
        criterion,
        augmentation,
        config,
        resumes=resumes,
        group=group,
        scaler=scaler,
        sharded=sharded,
    )
    notify = session.user.message
    limits = limits_of(config, len(batches))
    executor = select_executor(
        factory, network, optimizer, batches, limits=limits, state=state, notify=notify
    )
    state.engine = executor.name
    lr = LearningRate(schedule_of(config, limits, len(batches)), limits)
    average = WeightAverage(network) if config.ema or config.swa_start else None
    if average is not None and stored is not None:
        average.load(stored, where=_state_path(session.run, stored))
    validator = SplitValidator(executor, task.loaded, task.card, average)
    checkpoint = Checkpoint(
        session.run,
        network,
        optimizer,
        task.card,
        seconds=config.checkpoint_seconds,
        average=average,
        scaler=scaler,
        sharded=sharded,
        request=session.request,
    )
    recorders: Sequence[Callback] = (
        _recorders(task, session, status, sharded, lr) if group.is_first else []
    )
    checkpoints = [checkpoint] if group.is_first or sharded is not None else []
    agreement = [Agreement(group, session.request)] if group.size > 1 else []
    whole = replace(batches, group=ALONE)  # each process averages all by itself, to the same bits
    averaging = (
        [] if average is None else [_averaging(task, network, average, scaler, whole, limits)]
    )
    return Trainer(
        executor,
        batches,
        lr=lr,
        limits=limits,
        validate=validator if validator.num_images else None,
        callbacks=[
            *([] if sharded is None else [Sharding(sharded)]),
            freezing,
            *([] if scaler is None else [LossScaling(scaler, notify)]),
            *averaging,
            *_rules(task, session, average, sharded),
            *session.user.callbacks,
            *recorders,
            *checkpoints,
            *agreement,
            Interrupt(session.request),
        ],
        state=state,
    )


def _state_path(run: Run, stored: TensorFile) -> Path:
    return run.state_path(stored.metadata.get("state", {}).get("step", 0))


def _averaging(
    task: Task,
    network: nn.Module,
    average: WeightAverage,
    scaler: LossScaler | None,
    batches: TrainingBatches,
    limits: Limits,
) -> Callback:
    config, inputs = task.config, task.inputs
    if config.ema:
        return ExponentialAveraging(average, config.ema, scaler)
    return StochasticAveraging(
        average,
        network,
        images=lambda epoch: (
            like_parameters(network, inputs.normalized(batch.pixels[part]))
            for batch in batches(epoch)
            for part in micro_batches(len(batch), config.batch_size)
        ),
        has_started=lambda state: limits.progress(state) >= config.swa_start,
    )


def _mixing(task: Task) -> Mixing | None:
    config = task.config
    if not config.mixes:
        return None
    return Mixing(config.mixup, config.cutmix, config.seed, task.card.input_size)


def limits_of(config: TrainConfig, batches: int) -> Limits:
    """Compute when training ends, given the number of batches per epoch."""
    if config.max_minutes is not None:
        return Limits(seconds=60 * config.max_minutes)
    return Limits(steps=config.epochs * batches if config.steps is None else config.steps)


def _criterion(task: Task) -> BatchLoss:
    weights = None
    if task.config.class_weights == "balanced":
        dataset = task.loaded.dataset
        counts, num_images = dataset.counts("train"), len(dataset.indices("train"))
        weights = class_weights(counts, num_images, task.card.task, task.inputs.device)
    return BatchLoss(task.card, weights, task.config.label_smoothing)


def schedule_of(config: TrainConfig, limits: Limits, batches: int) -> Schedule:
    """The learning rate over a training, given the number of batches per epoch."""
    share = 1 / limits.steps if limits.steps else 0.0
    return Schedule(
        name=decided(config.lr_schedule),
        peak=decided(config.lr),
        warmup=min(1.0, decided(config.warmup_epochs) * batches * share),
        gamma=config.lr_gamma,
        milestones=config.lr_milestones,
        step=share,
        swa_start=config.swa_start,
        swa_lr=config.swa_lr,
    )


def _rules(
    task: Task,
    session: Session,
    average: WeightAverage | None,
    sharded: ShardedNetwork | None,
) -> Sequence[Callback]:
    """Return the callbacks that control training; they run before the user's callbacks."""
    config, infinite = task.config, infinite_buffers(task.network)
    network = task.network if sharded is None else sharded.network

    def save_weights(state: TrainState, validation: AnyMetrics | None) -> None:
        if sharded is None and not session.group.is_first:
            return
        metadata = {"step": state.step, "epoch": state.epoch}
        with kept_weights(average):
            check_finite(network, infinite, state=state)
            tensors = dict(network.state_dict())
            if sharded is not None:
                tensors = sharded.on_first(tensors, f"at the weights of step {state.step}")
            if not session.group.is_first:
                return
            if validation is not None:
                session.run.write("validation.json", validation.to_json())
            session.run.write_weights(TensorFile(tensors, metadata), task.card)

    metric = config.metric or METRICS[task.card.task][0]
    rules: list[Callback] = [
        BestWeights(
            metric=metric, save=save_weights, restore_best=config.restore_best_weights is not False
        )
    ]
    if config.lr_schedule == "plateau":
        rules.append(ReduceOnPlateau(patience=config.lr_patience))
    if config.early_stopping_patience:
        patience = config.early_stopping_patience
        rules.append(EarlyStopping(metric=metric, patience=patience))
    return rules


def _recorders(
    task: Task,
    session: Session,
    status: LiveStatus,
    sharded: ShardedNetwork | None,
    lr: LearningRate,
) -> Sequence[Callback]:
    """The callbacks that write and listen. The steps are written before the checkpoint.

    What looks at weights does not, where rank 0 has only a part of them.
    """
    run, live, notify = session.run, session.live, session.user.message
    looking = (
        [
            SnapshotWriter(live, task.network, task.loaded),
            LayerStatsWriter(live, task.network, task.inputs, task.config, notify),
            LayerViewWriter(live, task.network, task.inputs, task.loaded, notify),
            EpochWeightsWriter(live, task.network),
        ]
        if sharded is None
        else []
    )
    return [
        status.recorder,
        MetricsLog(run),
        *([ResultsCsv(run, notify)] if CSV in parse_loggers(task.config.log) else []),
        *external_logging(task.config.log, notify),
        *looking,
        RemoteControl(status, notify, lr),
        status,
    ]
