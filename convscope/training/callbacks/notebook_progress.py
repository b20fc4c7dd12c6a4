"""The progress of a training below a notebook's cell: a bar, and a row per epoch."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

from convscope.training.callbacks.base import Callback
from convscope.training.callbacks.run_log import WORK, RunLog, is_of_labels
from convscope.training.callbacks.speed import Speed, seconds_left
from convscope.training.events import EpochEnd, FitStart, Message, RunEnd, RunStart, StepEnd
from convscope.training.events import Progress as ProgressEvent
from convscope.training.state import TrainState
from convscope.words import escape_html

_REFRESH = 0.25  # seconds between two updates, each of which a server passes on
_STYLE = """
.convscope-progress { font: 13px/1.5 system-ui, sans-serif; max-width: 760px; }
.convscope-progress p { margin: 2px 0; white-space: pre-wrap; }
.convscope-progress .bar { height: 6px; border-radius: 3px; background: rgb(128 128 128 / 0.25); }
.convscope-progress .bar div { height: 6px; border-radius: 3px; background: #3b82f6; }
.convscope-progress table { border-collapse: collapse; margin: 4px 0; }
.convscope-progress :is(th, td) { text-align: right; padding: 1px 12px 1px 0; }
.convscope-progress th { font-weight: 600; opacity: 0.7; }
.convscope-progress .best { font-weight: 600; }
"""
_COLUMNS = {
    "train_loss": "training loss",
    "train_top1": "accuracy",
    "val_loss": "validation loss",
    "val_top1": "accuracy",
    "val_map": "mAP",
    "val_kappa": "kappa",
    "val_mae": "mean error",
    "lr": "next rate",
}


class Display(Protocol):
    """What is shown, and can be replaced."""

    def update(self, html: str) -> None:
        """Show this in place of what was there."""
        ...


class NotebookProgress(Callback):
    """Shows the progress of a training below the cell, and keeps its lines in the run's log.txt.

    Args:
        show: puts HTML below the cell, and returns what replaces it.
    """

    def __init__(self, show: Callable[[str], Display]) -> None:
        self.log = RunLog(self._add_message)
        self.speed = Speed(_REFRESH)
        self._show = show
        self._display: Display | None = None
        self._messages: list[str] = []
        self._told = 0  # messages before the first epoch, which stand above the table
        self._rows: list[dict[str, Any]] = []
        self._activity = ""
        self._share: float | None = None
        self._start: FitStart | None = None
        self._updated_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._activity, self._share = "", None
        if self._display is not None or self._messages:
            self._update()
        self.log.close(error)

    def on_message(self, event: Message) -> None:
        self.log.on_message(event)

    def on_progress(self, event: ProgressEvent) -> None:
        name = WORK.get(event.activity) or f"Downloading {event.name}"
        self._share = event.done / event.total if event.total else None
        amount = f"{event.done / 1e6:.1f} MB" if event.activity == "downloading" else event.done
        of = "" if event.total is None or event.activity == "downloading" else f" of {event.total}"
        self._activity = f"{name}: {amount}{of}"
        if time.monotonic() - self._updated_at >= _REFRESH:
            self._update()

    def on_run_start(self, event: RunStart) -> None:
        self.log.on_run_start(event)

    def on_fit_start(self, state: TrainState, event: FitStart) -> None:
        self.log.on_fit_start(state, event)
        self._start, self._rows = event, [*state.history]
        self._told = len(self._messages)
        self._activity, self._share = "Training", event.limits.progress(state)
        self.speed.restart()
        self._update()

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        if self._start is None or not self.speed.is_due(event):
            return
        left = seconds_left(state, self._start)
        remaining = "" if left is None else f"  {_duration(left)} left"
        epoch = f"Epoch {event.epoch}{self.log.epochs}"
        self._activity = f"{epoch}  {self.speed.details(state)}{remaining}"
        self._share = self._start.limits.progress(state)
        self._update()

    def on_epoch_end(self, state: TrainState, event: EpochEnd) -> None:
        self._rows.append(dict(event.metrics))
        self.log.on_epoch_end(state, event)
        self.speed.restart()

    def on_run_end(self, event: RunEnd) -> None:
        test = event.test
        self._activity, self._share = "", None
        self.log.note(
            f"Test {test.describe(interval=False)} in {event.seconds:.1f} s. Run: {event.path}"
        )

    def _add_message(self, line: str) -> None:
        if not line.startswith("epoch "):  # the table has it
            self._messages.append(line)
        self._update()

    def _update(self) -> None:
        self._updated_at = time.monotonic()
        if self._display is None:
            self._display = self._show(self.html)
        else:
            self._display.update(self.html)

    @property
    def html(self) -> str:
        """What stands below the cell: messages, the epochs, and what is going on."""
        before, after = (
            "".join(f"<p>{escape_html(line.strip())}</p>" for line in lines)
            for lines in (self._messages[: self._told], self._messages[self._told :])
        )
        bar = (
            ""
            if self._share is None
            else f'<div class="bar"><div style="width:{self._share:.1%}"></div></div>'
        )
        activity = f"<p>{escape_html(self._activity)}</p>" if self._activity else ""
        return (
            f'<div class="convscope-progress"><style>{_STYLE}</style>{before}{self._table()}'
            f"{after}{activity}{bar}</div>"
        )

    def _table(self) -> str:
        if not self._rows:
            return ""
        columns = {name: title for name, title in _COLUMNS.items() if name in self._rows[-1]}
        if is_of_labels(self._rows[-1]):
            columns |= {name: "exact match" for name in columns if name.endswith("top1")}
        head = "".join(f"<th>{title}</th>" for title in columns.values())
        body = "".join(
            f'<tr class="{"best" if row.get("best") else ""}">'
            f"<td>{row['epoch']}{self.log.epochs}</td>"
            + "".join(f"<td>{_cell(name, row.get(name))}</td>" for name in columns)
            + f"<td>{'best' if row.get('best') else ''}</td></tr>"
            for row in self._rows
        )
        return f"<table><tr><th>epoch</th>{head}<th></th></tr>{body}</table>"


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name.endswith(("top1", "map")):
        return f"{value:.2%}"
    return f"{value:.3g}" if name == "lr" else f"{value:.4f}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
