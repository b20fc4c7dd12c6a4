"""The progress of a training in a terminal: a bar, and a line per epoch above it."""

import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from convscope.signals import undone_by_exit
from convscope.training.callbacks.base import Callback
from convscope.training.callbacks.run_log import WORK, RunLog
from convscope.training.callbacks.speed import Speed
from convscope.training.events import EpochEnd, FitStart, Message, RunStart, StepEnd
from convscope.training.events import Progress as ProgressEvent
from convscope.training.state import TrainState
from convscope.words.screen import Screen, cell


class TerminalProgress(Callback):
    """Shows the progress of a training, and keeps what it printed in the run's log.txt.

    Where the console is no terminal, there is no bar, and the lines are plain.
    """

    def __init__(self, screen: Screen, *, spell: Callable[[str], str] = str) -> None:
        self.screen = screen
        self.log = RunLog(screen.say, spell=spell)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[details]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=screen,
            transient=True,
            disable=not screen.is_terminal,
        )
        self.preparing: TaskID | None = None
        self.training: TaskID | None = None
        self.speed = Speed()
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        if self.screen.is_terminal:  # elsewhere it would end with an empty line
            self._undo.enter_context(undone_by_exit(self._leave))
            self.progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.screen.is_terminal:
            self.progress.stop()
        self._undo.close()
        self.log.close(error)

    def _leave(self) -> None:
        """Give the terminal its line and its cursor back, whatever holds the bar's lock."""
        with suppress(OSError, ValueError):
            os.write(self.screen.file.fileno(), b"\r\x1b[2K\x1b[?25h")

    def note(self, text: str) -> None:
        """Print a line and keep it in the log."""
        self.log.note(text)

    def on_message(self, event: Message) -> None:
        self.log.on_message(event)

    def on_progress(self, event: ProgressEvent) -> None:
        if event.activity == "downloading":
            total = None if event.total is None else event.total / 1e6
            self._preparing(f"Downloading {cell(event.name)} (MB)", event.done / 1e6, total)
        else:
            self._preparing(WORK[event.activity], event.done, event.total)

    def _preparing(self, what: str, done: float, total: float | None) -> None:
        if self.preparing is None:
            self.preparing = self.progress.add_task(what, total=total, details="")
        self.progress.update(self.preparing, description=what, completed=done, total=total)
        if done == total:
            self.progress.remove_task(self.preparing)
            self.preparing = None

    def on_run_start(self, event: RunStart) -> None:
        self.log.on_run_start(event)

    def on_fit_start(self, state: TrainState, event: FitStart) -> None:
        self.log.on_fit_start(state, event)
        steps = event.limits.steps
        self.training = self.progress.add_task(
            "Training", total=steps, completed=event.step, details=""
        )
        self.speed.restart()

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        if self.training is not None and self.speed.is_due(event):
            self.progress.update(
                self.training,
                completed=event.step,
                description=f"Epoch {event.epoch}{self.log.epochs}",
                details=self.speed.details(state),
            )

    def on_epoch_end(self, state: TrainState, event: EpochEnd) -> None:
        self.log.on_epoch_end(state, event)
        self.speed.restart()
