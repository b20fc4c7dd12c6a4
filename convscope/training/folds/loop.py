"""The trainings of a cross-validation, one after the other, and what is summed up at the end."""

import copy
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from convscope.data.augmentation.own_function import Transform
from convscope.data.dataset import Dataset, keys_of
from convscope.data.folds import Fold, folded_images
from convscope.data.source import DataLike
from convscope.data.split import read_splits
from convscope.distributed.joining import check_alone
from convscope.errors import Interrupted, RequestError, shell_word
from convscope.evaluation.metrics import Metrics
from convscope.evaluation.multi_label import AnyMetrics, MultiLabelMetrics
from convscope.runs.folder import Run, slugify
from convscope.runs.own_code import Consent, is_own_code
from convscope.training.callbacks.base import Callback, CallbackList
from convscope.training.config import TrainConfig, decided
from convscope.training.division import divide
from convscope.training.events import RunStart
from convscope.training.folds.folder import (
    PREDICTIONS,
    SUMMARY,
    FoldsFolder,
    Part,
    Request,
    digest_of,
    is_finished,
)
from convscope.training.folds.pooling import pool_classes, pool_labels
from convscope.training.folds.predictions import FoldPredictions, Predicted
from convscope.training.folds.result import CrossValidationResult, FoldResult
from convscope.training.initial_weights import with_published_weights
from convscope.training.network import RequestedNetwork
from convscope.training.own_augmentation import RequestedAugmentation, is_own
from convscope.training.result import TrainingResult
from convscope.training.resumption import resume_run
from convscope.training.run_config import absolute_paths, recorded_data
from convscope.training.start import (
    fitted_config,
    named_network,
    open_data,
    train_run,
)
from convscope.zoo.files import short_name

MAX_TRAININGS = 1000

Watch = Callable[[], AbstractContextManager[Sequence[Callback]]]
"""Begins to show a training: the callbacks that do so."""


@dataclass(frozen=True)
class CrossValidation:
    """What all trainings of a cross-validation have in common.

    Attributes:
        given: the settings that a person set.
        module: the network itself, where it was handed over; each fold trains a copy.
        function: the augmentation, where it was handed over.
        watch: called for each training.
        callbacks: of the user.
    """

    data: DataLike
    config: TrainConfig
    given: Collection[str] = ()
    module: nn.Module | None = None
    function: Transform | None = None
    watch: Watch = lambda: nullcontext(())
    callbacks: Sequence[Callback] = ()

    def run(self, folds: int, repeats: int, out: Path | None) -> CrossValidationResult:
        """Train and test every fold that is not finished, and write the summary.

        Raises RequestError, before anything is written, for numbers out of range, for a class with
        too few images or groups, and for an `out` that is something else.
        """
        check_alone("`folds` are trained by one process")
        _check_numbers(folds, repeats)
        with self.watch() as watchers:
            user = CallbackList([*self.callbacks, *watchers])
            network = named_network(self.config.model, self.module)  # before any data is opened
            opened = open_data(self.data, with_published_weights(self.config, network), user)
            if opened.objects is not None:
                raise RequestError(
                    "Folds are of images with classes; figures of boxes are not pooled over folds. "
                    "Train once, without `folds`."
                )
            chosen = self if network else self._fitted(opened, folds, user)
            network = network or RequestedNetwork.of(chosen.config.model, None)
            augment = RequestedAugmentation.of(chosen.config.augment, self.function).text
            named = replace(chosen.config, model=network.model, augment=augment).with_defaults()
            request = self._request(opened, named, folds, repeats)
            self._check_folds(opened, request)
            for sentence in self._notes(opened):
                user.message(sentence)
            name = f"{slugify(short_name(network.model))}_{slugify(opened.name)}_{folds}-folds"
            folder = FoldsFolder.begin(out, request, name=name)
            if done := folds * repeats - len(folder.unfinished(request.parts)):
                user.message(f"{done} of {folds * repeats} folds in {folder.path} are finished.")
        return chosen.train(folder, request, opened)

    def _fitted(self, opened: Dataset, folds: int, user: CallbackList) -> "CrossValidation":
        """The same with the network, for all folds, that fits the images of the first one."""
        dataset = divide(opened, self.config, Fold(0, folds))
        return replace(self, config=fitted_config(dataset, self.config, self.given, user))

    def train(
        self, folder: FoldsFolder, request: Request, opened: Dataset
    ) -> CrossValidationResult:
        """Train and test the folds of a folder that are not finished, and write the summary."""
        with folder.run.locked():
            for part in folder.unfinished(request.parts):
                self._train(folder, request, part)
            return _summarize(folder, request, opened)

    def _request(self, opened: Dataset, config: TrainConfig, folds: int, repeats: int) -> Request:
        data, config, digest = recorded_data(self.data), absolute_paths(config), digest_of(opened)
        return Request(data, config, folds, repeats, opened.name, len(opened), digest)

    def _check_folds(self, opened: Dataset, request: Request) -> None:
        """Divide for every fold, which raises RequestError where that is not possible."""
        for repeat in range(request.repeats):
            config = self._config(repeat + 1)
            for number in range(request.folds):
                divide(opened, config, Fold(number, request.folds))

    def _config(self, repeat: int) -> TrainConfig:
        return replace(self.config, split_seed=self.config.split_seed + repeat - 1)

    def _notes(self, opened: Dataset) -> list[str]:
        notes: list[str] = []
        apart = len(opened) - len(folded_images(opened))
        if apart:
            notes.append(
                f"The {apart:,} images of the test split of {opened.name} stay apart: no fold "
                "trains on them or tests them."
            )
        if (opened.split == "val").any():
            notes.append(
                f"The validation split of {opened.name} is folded with its training images: each "
                "fold takes validation images of its own."
            )
        if "test" in self.given:
            notes.append("`test` has no effect: each fold is the test of one training.")
        return notes

    def _train(self, folder: FoldsFolder, request: Request, part: Part) -> None:
        run, name = folder.part(part), f"fold {part.fold} of {request.folds}"
        if request.repeats > 1:
            name = f"repeat {part.repeat} of {request.repeats}, {name}"
        with self.watch() as watchers:
            user = CallbackList([*self.callbacks, *watchers])
            user.message(f"{name[0].upper()}{name[1:]}, in {run.path}.")
            callbacks = [*self.callbacks, *watchers, FoldPredictions(), _SameData(folder, request)]
            try:
                if (run.path / "config.toml").exists():
                    result = self._resume(run, callbacks)
                else:
                    fold = Fold(part.fold - 1, request.folds)
                    result = self._begin(run, fold, self._config(part.repeat), callbacks)
            except Interrupted as error:
                raise Interrupted(
                    f"Stopped in {name}; everything is saved in {folder.path}. Continue with "
                    f"`convscope resume {shell_word(folder.path)}`.",
                    signal=error.status - 128,
                ) from error
            user.message(f"Test: {result.test.describe(interval=False)}.")

    def _begin(
        self, run: Run, fold: Fold, config: TrainConfig, callbacks: Sequence[Callback]
    ) -> TrainingResult:
        module = copy.deepcopy(self.module)
        return train_run(
            self.data,
            config,
            given=self.given,
            out=run.path,
            callbacks=callbacks,
            module=module,
            function=self.function,
            fold=fold,
        )

    def _resume(self, run: Run, callbacks: Sequence[Callback]) -> TrainingResult:
        if not is_finished(run):  # tested, perhaps, but killed before its predictions were written
            run.remove("test.json")
        config = self.config.with_defaults()
        augment = decided(config.augment)
        own = config.model if is_own_code(config.model) else None
        return resume_run(
            run.path,
            data=self.data,
            consent=Consent(copy.deepcopy(self.module) or own),
            augment=self.function or (augment if is_own(augment) else None),
            callbacks=callbacks,
        )


class _SameData(Callback):
    """Ends the training of a fold whose images are not those of the first one."""

    def __init__(self, folder: FoldsFolder, request: Request) -> None:
        self.first = folder.part(request.parts[0])

    def on_run_start(self, event: RunStart) -> None:
        both = (self.first, Run(event.path))
        first, mine = (run.read_config()["dataset"]["fingerprint"] for run in both)
        if first != mine:
            raise RequestError(
                f"The images of {event.path} are not those of {self.first.path}: they have changed "
                f"since. Restore them and remove {event.path}, or start again in a new folder."
            )


def _check_numbers(folds: int, repeats: int) -> None:
    if folds < 2:
        raise RequestError(f"`folds` must be at least 2, not {folds}.")
    if repeats < 1:
        raise RequestError(f"`repeats` must be at least 1, not {repeats}.")
    if folds * repeats > MAX_TRAININGS:
        raise RequestError(
            f"`folds={folds}` and `repeats={repeats}` are {folds * repeats:,} trainings; at most "
            f"{MAX_TRAININGS:,} are possible."
        )


def _summarize(folder: FoldsFolder, request: Request, opened: Dataset) -> CrossValidationResult:
    """Read the results of all folds, check that they are a partition, and write what they give."""
    predicted = Predicted.read(folder, request.parts)
    first = read_splits(folder.part(request.parts[0]).read("splits.csv"))
    predicted.check_complete({key for key, (_, split) in first.items() if split})
    groups = dict(zip(keys_of(opened.images), opened.groups or (), strict=False))
    folds = [
        FoldResult(part.repeat, part.fold, TrainingResult.read(folder.part(part), seconds=0.0))
        for part in request.parts
    ]
    result = CrossValidationResult(
        folder.path, folds, _pooled(folds, predicted, opened), predicted.correct_by_image(), groups
    )
    folder.run.write(PREDICTIONS, predicted.to_csv(groups))
    folder.run.write("summary.txt", f"{result}\n")
    folder.run.write(SUMMARY, result.to_json())
    return result


def _pooled(
    folds: Sequence[FoldResult], predicted: Predicted, opened: Dataset
) -> tuple[AnyMetrics, ...]:
    """For each repeat, the metrics of all folds together, where every image counts once."""
    pooled: list[AnyMetrics] = []
    rows = {key: index for index, key in enumerate(keys_of(opened.images))}
    for repeat in sorted({one.repeat for one in folds}):
        parts = [one.test for one in folds if one.repeat == repeat]
        if opened.targets is None:
            pooled.append(pool_classes([part for part in parts if isinstance(part, Metrics)]))
            continue
        shares = predicted.probabilities(repeat)
        truth = opened.targets[[rows[key] for key in shares]]
        labels = [part for part in parts if isinstance(part, MultiLabelMetrics)]
        pooled.append(pool_labels(labels, np.array([*shares.values()]), truth.astype(bool)))
    return tuple(pooled)
