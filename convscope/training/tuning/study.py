"""Optuna: which values a trial gets, which trials are worth going on with, and their record."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from convscope.errors import RequestError
from convscope.training.tuning.space import Choices, Space, Value

Outcome = Literal["complete", "pruned", "failed"]

_NAME = "convscope"
_SECONDS, _REASON = "seconds", "reason"


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        number: from 0.
        params: the values that it was given.
        outcome: None while it is under way.
        value: the metric of its best epoch on the validation images.
        seconds: that it took.
        reason: why it failed.
    """

    number: int
    params: Mapping[str, Value]
    outcome: Outcome | None = None
    value: float | None = None
    seconds: float = 0.0
    reason: str = ""


def check_optuna() -> None:
    """Raise RequestError, with the extra, where Optuna is not installed."""
    if find_spec("optuna") is None:
        raise RequestError('`tune` needs Optuna: `pip install "convscope[tune]"`.')


class Study:
    """The study in an SQLite file, which survives a kill at any moment.

    Values are drawn by the tree-structured Parzen estimator (TPE), seeded anew for each trial, so
    that a search that was interrupted draws what an uninterrupted one would; the first ten trials
    are random. A trial ends early if its best value so far is below the median of the others at the
    same epoch, of five trials at least.

    Args:
        maximize: whether a larger value is better.
    """

    def __init__(self, path: Path, space: Space, *, maximize: bool, prune: bool, seed: int) -> None:
        import optuna  # noqa: PLC0415 -- an extra

        self._optuna: Any = optuna
        self.seed = seed
        self._distributions = {name: self._distribution(one) for name, one in space.items()}
        pruners = optuna.pruners
        pruner = pruners.MedianPruner(n_startup_trials=5) if prune else pruners.NopPruner()
        with self._quiet():
            self._study: Any = optuna.create_study(
                storage=f"sqlite:///{path.resolve()}",
                study_name=_NAME,
                direction="maximize" if maximize else "minimize",
                pruner=pruner,
                load_if_exists=True,
            )

    def begin(self) -> Trial:
        """The next trial, with the values that it gets."""
        sampler = self._optuna.samplers.TPESampler(seed=self.seed + len(self._study.trials))
        self._study.sampler = sampler
        with self._quiet():
            asked = self._study.ask(self._distributions)
        return Trial(asked.number, asked.params)

    def trials(self) -> list[Trial]:
        """All trials, in their order."""
        return [self._read(frozen) for frozen in self._study.get_trials(deepcopy=False)]

    def unfinished(self) -> Trial | None:
        """The trial that was under way when its process ended, if it has all its values."""
        for trial in self.trials():
            if trial.outcome is None:
                if trial.params.keys() == self._distributions.keys():
                    return trial
                self.end(trial, "failed", None, 0.0, "killed before it began")
        return None

    def report(self, trial: Trial, epoch: int, value: float) -> bool:
        """Report the metric of an epoch; whether the trial should end."""
        frozen = self._study.get_trials(deepcopy=False)[trial.number]
        asked = self._optuna.trial.Trial(self._study, frozen._trial_id)  # noqa: SLF001 -- to go on
        if epoch not in frozen.intermediate_values:
            asked.report(value, epoch)
        return asked.should_prune()

    def end(
        self,
        trial: Trial,
        outcome: Outcome,
        value: float | None,
        seconds: float,
        reason: str = "",
    ) -> None:
        """Record how a trial ended. What pruned trials came to counts as a value, too."""
        state = self._optuna.trial.TrialState
        states = {"complete": state.COMPLETE, "pruned": state.PRUNED, "failed": state.FAIL}
        frozen = self._study.get_trials(deepcopy=False)[trial.number]
        asked = self._optuna.trial.Trial(self._study, frozen._trial_id)  # noqa: SLF001 -- to go on
        asked.set_user_attr(_SECONDS, seconds)
        asked.set_user_attr(_REASON, reason)
        if value is not None:
            asked.set_user_attr("value", value)
        with self._quiet():
            values = value if outcome == "complete" else None
            self._study.tell(trial.number, values, state=states[outcome])

    def _read(self, frozen: Any) -> Trial:
        names: dict[str, Outcome] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
        attributes = frozen.user_attrs
        return Trial(
            frozen.number,
            frozen.params,
            names.get(frozen.state.name),
            attributes.get("value"),
            attributes.get(_SECONDS, 0.0),
            attributes.get(_REASON, ""),
        )

    def _distribution(self, values: Any) -> Any:
        kinds = self._optuna.distributions
        if isinstance(values, Choices):
            return kinds.CategoricalDistribution(values.values)
        if values.is_integer:
            return kinds.IntDistribution(int(values.low), int(values.high), log=values.is_log)
        return kinds.FloatDistribution(values.low, values.high, log=values.is_log)

    @contextmanager
    def _quiet(self) -> Generator[None]:
        """Without Optuna's own lines, which say the same in its words."""
        logging = self._optuna.logging
        before = logging.get_verbosity()
        logging.set_verbosity(logging.WARNING)
        try:
            yield
        finally:
            logging.set_verbosity(before)
