"""Logging a training to other programs: TensorBoard, MLflow, Weights & Biases."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from convscope.card import Card
from convscope.errors import Interrupted
from convscope.evaluation.metrics import METRICS
from convscope.runs.folder import Run
from convscope.training.callbacks.base import Callback, CallbackList
from convscope.training.events import (
    CheckpointEvent,
    EpochEnd,
    ExceptionEvent,
    FitEnd,
    FitStart,
    RunEnd,
    RunStart,
    StepEnd,
)
from convscope.training.loggers.background import Background
from convscope.training.loggers.base import Ending, LoggedRun, Logger, Point
from convscope.training.loggers.choice import CSV, parse_loggers
from convscope.training.metrics import measured
from convscope.training.state import TrainState
from convscope.words import visible

_POINTS_PER_EPOCH = 20


class ExternalLogging(Callback):
    """Gives each logger the settings, some 20 points of loss and rate an epoch, and all metrics.

    A point is the mean loss of the steps since the one before. What a logger has to say, and why it
    logs no more, is told by `notify`.
    """

    def __init__(self, loggers: Sequence[Background], notify: Callable[[str], None]) -> None:
        self.loggers, self.notify = loggers, notify
        self._start: RunStart | None = None
        self._every, self._losses, self._step = 1, list[float](), 0

    def on_run_start(self, event: RunStart) -> None:
        self._start = event

    def on_fit_start(self, state: TrainState, event: FitStart) -> None:
        assert self._start is not None
        self._every = -(-event.batches_per_epoch // _POINTS_PER_EPOCH)
        run = logged_run(self._start, first_step=_first_step(state, event))
        for logger in self.loggers:
            logger.open(run)

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        self._losses.append(event.loss)
        if event.step % self._every:
            return
        loss = sum(self._losses) / len(self._losses)
        self._losses.clear()
        self._log(event.step, {"step/loss": loss, "step/lr": event.lr})

    def on_epoch_end(self, state: TrainState, event: EpochEnd) -> None:
        self._log(event.step, epoch_values(event.metrics))
        self._tell()

    def on_checkpoint(self, state: TrainState, event: CheckpointEvent) -> None:
        for logger in self.loggers:
            logger.flush()

    def on_fit_end(self, state: TrainState, event: FitEnd) -> None:
        self._step = state.step

    def on_exception(self, state: TrainState, event: ExceptionEvent) -> None:
        is_stopped = isinstance(event.error, Interrupted | KeyboardInterrupt | SystemExit)
        self.close("stopped" if is_stopped else "failed")

    def on_run_end(self, event: RunEnd) -> None:
        values = measured(event.test, event.test.task)
        self._log(self._step, {f"test/{name}": value for name, value in values.items()})
        self.close("finished")

    def _log(self, step: int, values: Mapping[str, float]) -> None:
        point = Point(step, time.time(), values)
        for logger in self.loggers:
            logger.log(point)

    def close(self, ending: Ending) -> None:
        for logger in self.loggers:
            logger.close(ending)
        self._tell()

    def _tell(self) -> None:
        for logger in self.loggers:
            for text in logger.news():
                self.notify(text)


def end_logging(callbacks: CallbackList) -> None:
    """End the logging of a training that is not tested."""
    for callback in callbacks.callbacks:
        if isinstance(callback, ExternalLogging):
            callback.close("finished")


def external_logging(log: str | None, notify: Callable[[str], None]) -> list[Callback]:
    """The callback of the loggers that `log` names, if there are any."""
    names = [name for name in parse_loggers(log) if name != CSV]
    loggers = [Background(*_LOGGERS[name]) for name in names]
    return [ExternalLogging(loggers, notify)] if loggers else []


def _first_step(state: TrainState, start: FitStart) -> int:
    """From which step on metrics come that may have been logged before a training was killed.

    Those of this step only if the epoch that it ended is still to be validated.
    """
    is_awaited = state.batch == start.batches_per_epoch or start.limits.reached(state)
    return state.step if not state.step or (state.batch and is_awaited) else state.step + 1


def logged_run(start: RunStart, *, first_step: int) -> LoggedRun:
    """What loggers are told of a run: config.toml and the card, flat."""
    config = Run(start.path).read_config()
    settings = dict(_flat(config)) | dict(_flat(_described(start.card), "card."))
    names = METRICS[start.card.task]
    metrics = [f"{split}/{name}" for split in ("val", "test") for name in ("loss", names[0])]
    return LoggedRun(start.path, settings, start.description, metrics, first_step)


def _described(card: Card) -> dict[str, Any]:
    return {name: value for name, value in vars(card).items() if value is not None}


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Values by name, with dots for tables and commas in lists."""
    flat: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat += _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            flat.append((prefix + name, visible(", ".join(map(str, value)))))
        else:
            is_plain = isinstance(value, bool | int | float)
            flat.append((prefix + name, value if is_plain else visible(str(value))))
    return flat


def epoch_values(line: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of an epoch: `train_loss` as `train/loss`, which programs show in groups."""
    return {
        name.replace("_", "/", 1) if name.startswith(("train_", "val_")) else name: value
        for name, value in line.items()
        if name not in ("step", "best", "lr_changes")
    }


def _tensorboard() -> Logger:
    from convscope.training.loggers.tensorboard import TensorBoard  # noqa: PLC0415 -- an extra

    return TensorBoard()


def _mlflow() -> Logger:
    from convscope.training.loggers.mlflow import MLflow  # noqa: PLC0415 -- an extra

    return MLflow()


def _wandb() -> Logger:
    from convscope.training.loggers.wandb import WandB  # noqa: PLC0415 -- an extra

    return WandB()


_LOGGERS: dict[str, tuple[str, Callable[[], Logger]]] = {
    "tensorboard": ("TensorBoard", _tensorboard),
    "mlflow": ("MLflow", _mlflow),
    "wandb": ("W&B", _wandb),
}
