"""How far predictions for very many images are: a bar, or where there is no terminal, lines."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from convscope.words.screen import Screen
from convscope.words.time_left import time_left

_SECONDS = 30.0  # between two lines


@contextmanager
def batch_progress(*, is_shown: bool) -> Generator[Callable[[int, int], None]]:
    """Yield a function of the images that are done, and of all; it shows their rate and the time
    that is left on standard error.
    """
    if not is_shown:
        yield lambda done, total: None
        return
    screen, rate = Screen(stderr=True), Rate()
    if not screen.is_terminal:
        yield _Lines(screen, rate)
        return
    bar = Progress(
        TextColumn("images"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
    )
    task = bar.add_task("images", total=None, rate="")

    def show(done: int, total: int) -> None:
        if done < bar.tasks[0].completed:  # another activity has begun
            bar.reset(task)
        bar.update(task, completed=done, total=total, rate=f"{rate(done):,.0f} a second")

    with bar:
        yield show


class Rate:
    """Images a second since the first that was seen to be done; anew where fewer are done."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None
        self._last = 0

    def __call__(self, done: int) -> float:
        now = time.perf_counter()
        if self._first is None or done < self._last:
            self._first = now, done
        (began, before), self._last = self._first, done
        return (done - before) / (now - began) if now > began else 0.0


class _Lines:
    def __init__(self, screen: Screen, rate: Rate) -> None:
        self._screen, self._rate, self._told = screen, rate, time.perf_counter()

    def __call__(self, done: int, total: int) -> None:
        rate = self._rate(done)
        if done == total or rate == 0 or time.perf_counter() - self._told < _SECONDS:
            return
        self._told = time.perf_counter()
        left = (total - done) / rate
        self._screen.say(f"{done:,} of {total:,} images, {rate:,.0f} a second, {time_left(left)}")
