"""What a person sees: progress, tables, and the next command that they would want."""

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import TextIOWrapper
from json import dumps
from pathlib import Path
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
from convscope.training.api import Trained

_PIPED = 1000  # columns where no person is looking: nothing is wrapped or cut
_SHOWN = 0.1  # seconds between two drawings of the bar
_CLASSES = 20  # classes up to which a confusion matrix is printed


def console(*, json: bool = False) -> Console:
    """Where words for people go: standard output, or standard error where JSON has the former."""
    stream = sys.stderr if json else sys.stdout
    if isinstance(stream, TextIOWrapper):  # a file's name may hold what is no text
        stream.reconfigure(errors="backslashreplace")
    width = None if stream.isatty() else _PIPED
    return Console(stderr=json, highlight=False, soft_wrap=True, width=width)


def print_json(facts: Mapping[str, Any] | Sequence[Any]) -> None:
    """One JSON value on standard output."""
    sys.stdout.write(dumps(facts, ensure_ascii=False) + "\n")


class TerminalWatcher:
    """Shows a training as it goes, and keeps what it said in the run's log.txt."""

    def __init__(self, screen: Console) -> None:
        self.screen = screen
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[told]}"),
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
        self.said: list[str] = []

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

    def note(self, text: str) -> None:
        text = in_flags(text)
        self.screen.print(escape(text))
        self._keep(text)

    def downloading(self, name: str, done: int, total: int | None) -> None:
        megabytes = None if total is None else total / 1e6
        self._preparing(f"Downloading {name} (MB)", done / 1e6, megabytes)

    def loading(self, done: int, total: int) -> None:
        self._preparing("Reading pictures", done, total)

    def _preparing(self, what: str, done: float, total: float | None) -> None:
        if self.preparing is None:
            self.preparing = self.progress.add_task(what, total=total, told="")
        self.progress.update(self.preparing, description=what, completed=done, total=total)
        if done == total:
            self.progress.remove_task(self.preparing)
            self.preparing = None

    def started(self, facts: Mapping[str, Any]) -> None:
        path = Path(facts["run"], "log.txt")
        self.log = path.open("a", encoding="utf-8", errors="replace")
        self.note(facts["told"])
        steps, batches = facts["steps"], facts["batches"]
        self.epochs = f"/{-(-steps // batches)}" if steps else ""
        self.training_task = self.progress.add_task(
            "Training", total=steps, completed=facts["step"], told=""
        )
        self.rate_from = time.perf_counter()

    def stepped(self, facts: Mapping[str, Any]) -> None:
        self.images += facts["images"]
        now = time.perf_counter()
        if self.training_task is None or now - self.shown_at < _SHOWN:
            return
        self.shown_at = now
        rate = self.images / (now - self.rate_from)
        self.progress.update(
            self.training_task,
            completed=facts["step"],
            description=f"Epoch {facts['epoch']}{self.epochs}",
            told=f"loss {facts['loss']:.4f}  accuracy {facts['top1']:.1%}  {rate:,.0f} images/s",
        )

    def evaluated(self, line: Mapping[str, Any]) -> None:
        checked = (
            f"   validation loss {line['val_loss']:.4f}, accuracy {line['val_top1']:.2%}"
            if "val_loss" in line
            else ""
        )
        self.note(
            f"epoch {line['epoch']:>3}{self.epochs}   loss {line['train_loss']:.4f}, accuracy "
            f"{line['train_top1']:.2%}{checked}{'   best' if line['best'] else ''}"
        )
        self.images, self.rate_from = 0, time.perf_counter()

    def _keep(self, text: str) -> None:
        self.said.append(text)
        if self.log is not None:
            with suppress(OSError):  # a disk too full for the log may still hold the next state
                self.log.write("".join(f"{line}\n" for line in self.said))
                self.log.flush()
            self.said.clear()


def tell_trained(watcher: TerminalWatcher, trained: Trained, *, json: bool) -> None:
    """The end of a training: how good, where it lies, what next; and the facts for machines."""
    if json:
        facts = {
            "run": str(trained.run),
            "test": trained.test.to_dict(),
            "seconds": trained.seconds,
        }
        print_json(facts)
    scores, run = trained.test, shlex.quote(str(trained.run))
    low, high = scores.interval
    watcher.note(
        f"\nTest accuracy {scores.top1:.2%} ({scores.num_correct} of {scores.num_images} images; "
        f"95% interval {low:.2%} to {high:.2%}) in {trained.seconds:.1f} s."
    )
    watcher.note(f"Run:   {trained.run}   (report.html shows curves, confusion, worst mistakes)")
    watcher.note(f"Next:  convscope evaluate {run}")
    watcher.note(f"       convscope predict {run} IMAGE...")
    watcher.note("       convscope train PATH/TO/IMAGES   (a folder with one folder per class)")


def scores_tables(screen: Console, scores: Metrics) -> None:
    """Accuracy, the classes, and who was taken for whom."""
    low, high = scores.interval
    screen.print(
        f"top-1     {scores.top1:.2%}   ({scores.num_correct} of {scores.num_images}; "
        f"95% interval {low:.2%} to {high:.2%})"
    )
    if scores.top5 is not None:
        screen.print(f"top-5     {scores.top5:.2%}")
    screen.print(f"loss      {scores.loss:.4f}")
    screen.print(f"mean F1   {scores.value('f1'):.4f}")
    screen.print()
    table = Table("class", box=None, pad_edge=False)
    for name in ("images", "precision", "recall", "F1"):
        table.add_column(name, justify="right")
    for name, images, *shares in zip(
        scores.classes, scores.support, scores.precision, scores.recall, scores.f1, strict=True
    ):
        table.add_row(escape(name), str(images), *(f"{share:.3f}" for share in shares))
    screen.print(table)
    if len(scores.classes) <= _CLASSES:
        screen.print()
        _print_confusion(screen, scores)


def _print_confusion(screen: Console, scores: Metrics) -> None:
    table = Table("true \\ predicted", box=None, pad_edge=False)
    for name in scores.classes:
        table.add_column(escape(name), justify="right", no_wrap=True, max_width=12)
    for true, row in enumerate(scores.confusion):
        cells = [str(n) if n else "·" for n in row]
        cells[true] = f"[bold]{row[true]}[/bold]"
        table.add_row(escape(scores.classes[true]), *cells)
    screen.print(table)
