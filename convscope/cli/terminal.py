"""Terminal output: progress, tables, and suggestions for the next command."""

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import TextIOWrapper
from json import dumps
from types import TracebackType
from typing import Any, Self, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from convscope.cli.messages import in_flags
from convscope.evaluation.metrics import Metrics
from convscope.training.api import TrainingResult
from convscope.training.callbacks.base import Callback
from convscope.training.events import EpochEnd, FitStart, Message, RunStart, StepEnd
from convscope.training.events import Progress as ProgressEvent
from convscope.training.state import TrainState

_PIPED = 1000  # columns when output is piped: nothing is wrapped or cut
_REFRESH = 0.1  # seconds between updates of the progress bar
_CLASSES = 20  # classes up to which a confusion matrix is printed


def console(*, json: bool = False) -> Console:
    """A console on standard output, or on standard error if JSON goes to standard output."""
    stream = sys.stderr if json else sys.stdout
    if isinstance(stream, TextIOWrapper):  # a file name may not be valid text
        stream.reconfigure(errors="backslashreplace")
    width = None if stream.isatty() else _PIPED
    return Console(stderr=json, highlight=False, soft_wrap=True, width=width)


def print_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print one JSON value on standard output."""
    sys.stdout.write(dumps(value, ensure_ascii=False) + "\n")


class TerminalProgress(Callback):
    """Shows the progress of a training, and keeps what it printed in the run's log.txt."""

    def __init__(self, screen: Console) -> None:
        self.screen = screen
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
        self.training_task: TaskID | None = None
        self.epochs = ""
        self.shown_at = 0.0
        self.images = 0
        self.rate_from = 0.0
        self.log: TextIO | None = None
        self.pending: list[str] = []

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.progress.stop()
        if error is not None and self.log is not None:
            self._keep(in_flags(str(error)))
        if self.log is not None:
            with suppress(OSError):
                self.log.close()

    def on_message(self, event: Message) -> None:
        self.note(event.text)

    def note(self, text: str) -> None:
        """Print a line and keep it in the log; keyword arguments are written as flags."""
        text = in_flags(text)
        self.screen.print(escape(text))
        self._keep(text)

    def on_progress(self, event: ProgressEvent) -> None:
        if event.activity == "downloading":
            total = None if event.total is None else event.total / 1e6
            self._preparing(f"Downloading {event.name} (MB)", event.done / 1e6, total)
        else:
            self._preparing("Reading images", event.done, event.total)

    def _preparing(self, what: str, done: float, total: float | None) -> None:
        if self.preparing is None:
            self.preparing = self.progress.add_task(what, total=total, details="")
        self.progress.update(self.preparing, description=what, completed=done, total=total)
        if done == total:
            self.progress.remove_task(self.preparing)
            self.preparing = None

    def on_run_start(self, event: RunStart) -> None:
        path = event.path / "log.txt"
        self.log = path.open("a", encoding="utf-8", errors="replace")

    def on_fit_start(self, state: TrainState, event: FitStart) -> None:
        del state
        steps = event.limits.steps
        self.epochs = f"/{-(-steps // event.batches_per_epoch)}" if steps else ""
        self.training_task = self.progress.add_task(
            "Training", total=steps, completed=event.step, details=""
        )
        self.rate_from = time.perf_counter()

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        self.images += len(event.batch)
        now = time.perf_counter()
        if self.training_task is None or now - self.shown_at < _REFRESH:
            return
        self.shown_at = now
        rate = self.images / (now - self.rate_from)
        loss, accuracy = state.mean_loss, state.accuracy
        self.progress.update(
            self.training_task,
            completed=event.step,
            description=f"Epoch {event.epoch}{self.epochs}",
            details=f"loss {loss:.4f}  accuracy {accuracy:.1%}  {rate:,.0f} images/s",
        )

    def on_epoch_end(self, state: TrainState, event: EpochEnd) -> None:
        del state
        line = event.metrics
        validation = (
            f"   validation loss {line['val_loss']:.4f}, accuracy {line['val_top1']:.2%}"
            if "val_loss" in line
            else ""
        )
        self.note(
            f"epoch {line['epoch']:>3}{self.epochs}   loss {line['train_loss']:.4f}, accuracy "
            f"{line['train_top1']:.2%}{validation}{'   best' if line['best'] else ''}"
        )
        self.images, self.rate_from = 0, time.perf_counter()

    def _keep(self, text: str) -> None:
        self.pending.append(text)
        if self.log is not None:
            with suppress(OSError):  # a full disk may still hold the next checkpoint
                self.log.write("".join(f"{line}\n" for line in self.pending))
                self.log.flush()
            self.pending.clear()


def print_result(terminal: TerminalProgress, result: TrainingResult, *, json: bool) -> None:
    """Print the test accuracy, the run folder and what to do next; with `json`, JSON as well."""
    if json:
        output = {
            "run": str(result.run),
            "test": result.test.to_dict(),
            "seconds": result.seconds,
        }
        print_json(output)
    metrics, run = result.test, shlex.quote(str(result.run))
    low, high = metrics.interval
    terminal.note(
        f"\nTest accuracy {metrics.top1:.2%} ({metrics.num_correct} of {metrics.num_images} "
        f"images; 95% interval {low:.2%} to {high:.2%}) in {result.seconds:.1f} s."
    )
    terminal.note(f"Run:   {result.run}   (report.html shows curves, confusion, worst mistakes)")
    terminal.note(f"Next:  convscope evaluate {run}")
    terminal.note(f"       convscope predict {run} IMAGE...")
    terminal.note("       convscope train PATH/TO/IMAGES   (a folder with one folder per class)")


def print_metrics(screen: Console, metrics: Metrics) -> None:
    """Print accuracy, metrics per class, and the confusion matrix."""
    low, high = metrics.interval
    screen.print(
        f"top-1     {metrics.top1:.2%}   ({metrics.num_correct} of {metrics.num_images}; "
        f"95% interval {low:.2%} to {high:.2%})"
    )
    if metrics.top5 is not None:
        screen.print(f"top-5     {metrics.top5:.2%}")
    screen.print(f"loss      {metrics.loss:.4f}")
    screen.print(f"mean F1   {metrics.value('f1'):.4f}")
    screen.print()
    table = Table("class", box=None, pad_edge=False)
    for name in ("images", "precision", "recall", "F1"):
        table.add_column(name, justify="right")
    for name, images, *values in zip(
        metrics.classes, metrics.support, metrics.precision, metrics.recall, metrics.f1, strict=True
    ):
        table.add_row(escape(name), str(images), *(f"{value:.3f}" for value in values))
    screen.print(table)
    if len(metrics.classes) <= _CLASSES:
        screen.print()
        _print_confusion(screen, metrics)


def _print_confusion(screen: Console, metrics: Metrics) -> None:
    table = Table("true \\ predicted", box=None, pad_edge=False)
    for name in metrics.classes:
        table.add_column(escape(name), justify="right", no_wrap=True, max_width=12)
    for true, row in enumerate(metrics.confusion):
        cells = [str(n) if n else "·" for n in row]
        cells[true] = f"[bold]{row[true]}[/bold]"
        table.add_row(escape(metrics.classes[true]), *cells)
    screen.print(table)
