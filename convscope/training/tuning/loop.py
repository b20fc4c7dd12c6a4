"""The trials of a search, one after the other, and the test of the best one."""

import copy
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from convscope.data.augmentation.own_function import Transform
from convscope.data.source import DataLike
from convscope.distributed.joining import check_alone
from convscope.errors import ConvscopeError, Interrupted, RequestError, WorkError, shell_word
from convscope.evaluation.metrics import METRICS, MetricName
from convscope.runs.folder import slugify
from convscope.runs.own_code import Consent, is_own_code
from convscope.training.callbacks.base import Callback, CallbackList
from convscope.training.config import TrainConfig
from convscope.training.division import VALIDATION, divide
from convscope.training.finish import fit_alone, fit_and_test
from convscope.training.folds.folder import digest_of
from convscope.training.initial_weights import with_published_weights
from convscope.training.own_augmentation import RequestedAugmentation, is_own
from convscope.training.result import TrainingResult
from convscope.training.resumption import resume_run
from convscope.training.run_config import absolute_paths, recorded_data
from convscope.training.start import (
    Finish,
    Result,
    fitted_config,
    named_network,
    open_data,
    train_run,
)
from convscope.training.tasks import settle_task
from convscope.training.tuning.folder import RESULT, STUDY, Request, TuningFolder
from convscope.training.tuning.result import LOWER_IS_BETTER, TuningResult
from convscope.training.tuning.space import Value, parse_space, with_values
from convscope.training.tuning.study import Study, Trial, check_optuna
from convscope.training.tuning.trial import TrialReport, outcome_of
from convscope.words.json_text import to_json

MAX_TRIALS = 10_000
_FAILURES = 3  # of the first trials, after which the search ends

Watch = Callable[[], AbstractContextManager[Sequence[Callback]]]


@dataclass(frozen=True)
class Tuning:
    """What all trials of a search have in common; see `CrossValidation`."""

    data: DataLike
    config: TrainConfig
    given: Collection[str] = ()
    module: nn.Module | None = None
    function: Transform | None = None
    watch: Watch = lambda: nullcontext(())
    callbacks: Sequence[Callback] = ()

    def run(
        self,
        search: Mapping[str, str | Sequence[Value]],
        *,
        trials: int,
        total_minutes: float | None,
        prune: bool,
        out: Path | None,
    ) -> TuningResult:
        """Train until there are `trials`, or no trial may begin any more, and test the best.

        Raises RequestError, before anything is written, for settings that no training takes.
        """
        check_optuna()
        check_alone("`tune` trains with one process")
        _check_numbers(trials, total_minutes)
        space = parse_space(search, self.config)
        with self.watch() as watchers:
            user = CallbackList([*self.callbacks, *watchers])
            network = named_network(self.config.model, self.module)
            opened = open_data(self.data, with_published_weights(self.config, network), user)
            opened, config = settle_task(opened, self.config, user.message)
            if config.val is None:  # trials need it, also from weights
                config = replace(config, val=VALIDATION)
            dataset = divide(opened, config)
            if not len(dataset.indices("val")):
                raise RequestError(
                    "`tune` compares trials on validation images, and `val=0` holds out none."
                )
            if network is None and "model" not in space:
                config = fitted_config(dataset, config, {*self.given, *space}, user)
            augment = RequestedAugmentation.of(config.augment, self.function).text
            restore = config.restore_best_weights is not False  # trials are compared at their best
            config = replace(config, augment=augment, restore_best_weights=restore)
            config = replace(config, model=network.model) if network else config
            request = Request(
                recorded_data(self.data),
                absolute_paths(config),
                space,
                trials,
                total_minutes,
                prune,
                digest_of(opened),
            )
            folder = TuningFolder.begin(out, request, name=f"tune_{slugify(opened.name)}")
            user.message(
                f"Trials are compared by {_metric(config)} on {len(dataset.indices('val')):,} "
                f"validation images; the test images wait for the best one. In {folder.path}."
            )
        return replace(self, config=config).go_on(folder, request)

    def go_on(self, folder: TuningFolder, request: Request) -> TuningResult:
        """Do what is left of a search: trials, and the test of the best one."""
        metric = _metric(self.config)
        with folder.run.locked():
            study = Study(
                folder.path / STUDY,
                request.space,
                maximize=metric not in LOWER_IS_BETTER,
                prune=request.prune,
                seed=self.config.seed,
            )
            self._train_trials(folder, request, study, metric)
            best = _best(study.trials(), metric)
            config = with_values(self.config, best.params)
            test = self._test(folder, best, config)
            result = TuningResult(
                folder.path, request.data, metric, study.trials(), best, test, config
            )
            folder.run.write(RESULT, to_json(result.to_dict(), indent=1) + "\n")
            return result

    def _train_trials(
        self, folder: TuningFolder, request: Request, study: Study, metric: MetricName
    ) -> None:
        while (trial := study.unfinished()) or _may_begin(study.trials(), request):
            self._train(folder, trial or study.begin(), study, metric, request.trials)
            ended = study.trials()
            if len(ended) == _FAILURES and all(trial.outcome == "failed" for trial in ended):
                raise WorkError(f"The first {_FAILURES} trials failed. {ended[-1].reason}")

    def _train(
        self, folder: TuningFolder, trial: Trial, study: Study, metric: MetricName, count: int
    ) -> None:
        run, began = folder.trial(trial.number), time.monotonic()
        with self.watch() as watchers:
            user = CallbackList([*self.callbacks, *watchers])
            values = ", ".join(f"{name}={_shown(value)}" for name, value in trial.params.items())
            user.message(f"Trial {trial.number} (of 0 to {count - 1}): {values}.")
            callbacks = [TrialReport(study, trial, metric), *self.callbacks, *watchers]
            try:
                config = with_values(self.config, trial.params)
                self._work(run.path, config, trial, callbacks, fit_alone)
                outcome, value = outcome_of(run, metric)
                study.end(trial, outcome, value, time.monotonic() - began)
            except Interrupted as error:
                raise Interrupted(
                    f"Stopped in trial {trial.number}; everything is saved in {folder.path}. "
                    f"Continue with `convscope resume {shell_word(folder.path)}`.",
                    signal=error.status - 128,
                ) from error
            except ConvscopeError as error:
                study.end(trial, "failed", None, time.monotonic() - began, str(error))
                user.message(f"This trial failed: {error}")

    def _test(self, folder: TuningFolder, best: Trial, config: TrainConfig) -> TrainingResult:
        run = folder.trial(best.number)
        if (run.path / "test.json").exists() and (run.path / "report.html").exists():
            return TrainingResult.read(run, seconds=0.0)
        with self.watch() as watchers:
            user = CallbackList([*self.callbacks, *watchers])
            user.message(f"Trial {best.number} is the best; it is tested now.")
            return self._work(run.path, config, best, [*self.callbacks, *watchers], fit_and_test)

    def _work(
        self,
        path: Path,
        config: TrainConfig,
        trial: Trial,
        callbacks: Sequence[Callback],
        finish: Finish[Result],
    ) -> TrainingResult | Result:
        """Begin the training of a trial, or go on with it."""
        module = copy.deepcopy(self.module)
        if not (path / "config.toml").exists():
            return train_run(
                self.data,
                config,
                given={*self.given, *trial.params},
                out=path,
                callbacks=callbacks,
                module=module,
                function=self.function,
                finish=finish,
            )
        own = config.model if is_own_code(config.model) else None
        return resume_run(
            path,
            data=self.data,
            consent=Consent(module or own),
            augment=self.function or (config.augment if is_own(config.augment) else None),
            callbacks=callbacks,
            finish=finish,
        )


def _shown(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _metric(config: TrainConfig) -> MetricName:
    task = "single-label" if config.task == "auto" else config.task
    return config.metric or METRICS[task][0]


def _may_begin(trials: Sequence[Trial], request: Request) -> bool:
    seconds = sum(trial.seconds for trial in trials)
    is_time = request.total_minutes is None or seconds < 60 * request.total_minutes
    return len(trials) < request.trials and is_time


def _best(trials: Sequence[Trial], metric: MetricName) -> Trial:
    values = {
        trial.number: trial.value
        for trial in trials
        if trial.outcome == "complete" and trial.value is not None
    }
    if not values:
        raise WorkError(f"None of the {len(trials)} trials came to its end. Allow more `trials`.")
    sign = 1 if metric in LOWER_IS_BETTER else -1
    return trials[min(values, key=lambda number: sign * values[number])]


def _check_numbers(trials: int, total_minutes: float | None) -> None:
    if not 1 <= trials <= MAX_TRIALS:
        raise RequestError(f"`trials` must be between 1 and {MAX_TRIALS:,}, not {trials}.")
    if total_minutes is not None and not total_minutes > 0:
        raise RequestError(f"`total_minutes` must be above 0, not {total_minutes}.")
