"""What a search leaves: its trials, the best one, and the test of that one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from convscope.errors import shell_word
from convscope.evaluation.metrics import MetricName
from convscope.training.config import TrainConfig
from convscope.training.result import TrainingResult
from convscope.training.tuning.space import Value
from convscope.training.tuning.study import Trial
from convscope.words import visible
from convscope.words.aligned import aligned

_SHOWN = 20  # trials, the best first
_NOT_REPEATED = ("data_dir", "log")  # relative to where it was, and where it went


@dataclass(frozen=True, repr=False)
class TuningResult:
    """What a search leaves; `print` shows it as a table.

    Attributes:
        path: its folder, with a run for each trial.
        data: what was trained on.
        metric: by which trials are compared, on the validation images.
        trials: all of them, in their order.
        best: the trial with the best value.
        test: the result of the best trial; it alone was tested, once.
        config: the settings of the best trial.
    """

    path: Path
    data: str
    metric: MetricName
    trials: Sequence[Trial]
    best: Trial
    test: TrainingResult
    config: TrainConfig

    @property
    def params(self) -> Mapping[str, Value]:
        """The best values of the settings that were searched."""
        return self.best.params

    @property
    def command(self) -> str:
        """The command that trains with the best settings again."""
        default, words = TrainConfig().to_dict(), ["convscope", "train", shell_word(self.data)]
        for name, value in self.config.to_dict().items():
            if default.get(name) != value and name not in _NOT_REPEATED:
                words += _flag(name, value)
        return " ".join(words)

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON has it."""
        return {
            "path": str(self.path),
            "metric": self.metric,
            "trials": [
                {
                    "trial": trial.number,
                    "outcome": trial.outcome,
                    "value": trial.value,
                    "seconds": trial.seconds,
                    "params": dict(trial.params),
                    **({"reason": trial.reason} if trial.reason else {}),
                }
                for trial in self.trials
            ],
            "best": self.best.number,
            "run": str(self.test.run),
            "params": dict(self.params),
            "test": self.test.test.to_dict(),
            "command": self.command,
        }

    def __fspath__(self) -> str:
        """The run folder of the best trial: a result is taken wherever a run is."""
        return str(self.test.run)

    def __repr__(self) -> str:
        ranked = sorted(self.trials, key=self._rank)
        shown = ranked[:_SHOWN]
        columns = [
            ["trial", *(str(trial.number) for trial in shown)],
            [f"val {self.metric}", *(_number(trial.value) for trial in shown)],
            *(
                [name, *(_number(trial.params.get(name)) for trial in shown)]
                for name in self.best.params
            ),
            ["", *(_note(trial, is_best=trial is self.best) for trial in shown)],
        ]
        rows = zip(*(aligned(column) for column in columns), strict=True)
        lines = ["  ".join(row).rstrip() for row in rows]
        if len(ranked) > len(shown):
            lines.append(f"and {len(ranked) - len(shown)} more")
        chosen = (
            f"Trial {self.best.number} is the best of {len(ranked)} on the validation images; as "
            "these chose it, its value there is optimistic."
        )
        tested = f"Test, of this trial alone: {self.test.test.describe()}."
        return "\n".join([*lines, "", chosen, tested])

    def _rank(self, trial: Trial) -> tuple[bool, bool, float]:
        is_lower = self.metric in LOWER_IS_BETTER
        value = 0.0 if trial.value is None else trial.value
        return trial is not self.best, trial.value is None, value if is_lower else -value


LOWER_IS_BETTER = ("loss", "mae")


def _number(value: Value | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _note(trial: Trial, *, is_best: bool) -> str:
    if is_best:
        return "best"
    if trial.outcome == "failed":
        return f"failed: {visible(trial.reason)}"[:100]
    return "" if trial.outcome == "complete" else str(trial.outcome)


def _flag(name: str, value: Any) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag[2:]}"]
    if name == "input_size" and isinstance(value, list):
        return [flag, "x".join(map(str, cast("list[int]", value)))]
    if isinstance(value, list):
        return [flag, *map(str, cast("list[float]", value))]
    return [flag, shell_word(str(value))]
