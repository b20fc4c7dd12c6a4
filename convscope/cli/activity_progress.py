"""A bar that shows how far each part of a long work is."""

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from convscope.words.screen import Screen


class ActivityProgress:
    """A bar for one activity after the other on standard error, if that is a terminal.

    `units` says what an activity counts; by default that is images.
    """

    def __init__(self, units: Mapping[str, str] = MappingProxyType({})) -> None:
        self._units = units
        screen = Screen(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=screen,
            transient=True,
            disable=not screen.is_terminal,
        )
        self._activity = ""
        self._began = 0.0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._bar.stop()

    def __call__(self, activity: str, done: int, total: int) -> None:
        if activity != self._activity:
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._bar.add_task(activity, total=total, rate="")
            self._activity, self._began = activity, time.perf_counter()
        rate = done / max(time.perf_counter() - self._began, 1e-6)
        unit = self._units.get(activity, "images")
        task = self._bar.task_ids[0]
        self._bar.update(task, completed=done, total=total, rate=f"{rate:,.0f} {unit}/s")
